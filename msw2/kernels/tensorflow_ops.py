"""What `LSTM` computes with on TensorFlow: the compiled functions with their gradients, and BlockLSTM.

Functions take tensors, sequences with the steps first: [step, batch, feature]. Nothing here is imported by other
backends of Keras: TensorFlow is imported when a function is called.
"""

import functools
import math
import os
from collections.abc import Callable

from msw2.kernels import compiled

BATCH = 32  # rows that a step of training has, nearly always
WORTH = 5e7  # operations of a product that are worth calling a compiled function for: half a millisecond


def on_cpu() -> bool:
    """Returns whether TensorFlow computes on a CPU in this process."""
    import tensorflow as tf  # noqa: PLC0415 (see above)

    return not tf.config.list_logical_devices("GPU")


def values(*variables) -> list:
    """Returns the values of variables of Keras: a gradient that is written out cannot be that of a variable."""
    import tensorflow as tf  # noqa: PLC0415

    return [tf.convert_to_tensor(variable) for variable in variables]


def projection(sequences, kernel, bias, *, bfloat16: bool):
    """Returns `sequences @ kernel + bias`, [step, batch, 4 x unit].

    Args:
        sequences: [step, batch, feature].
        kernel: [feature, 4 x unit].
        bias: [4 x unit].
        bfloat16: whether a large product may be bfloat16.
    """
    import tensorflow as tf  # noqa: PLC0415

    if not _in_bfloat16(bfloat16, sequences.shape[0], kernel.shape):
        return tf.tensordot(sequences, kernel, 1) + bias

    @tf.custom_gradient
    def run(rows, kernel):
        def gradient(d_product):
            return _product(d_product, kernel, (False, True)), _product(rows, d_product, (True, False))

        return _product(rows, kernel, (False, False)), gradient

    made = run(tf.reshape(sequences, [-1, sequences.shape[-1]]), kernel)
    return tf.reshape(made, [*tf.unstack(tf.shape(sequences)[:-1]), kernel.shape[-1]]) + bias


def background_projection(sequences, kernel, bias, background: float):
    """Returns the same as `projection`, fast where most features are `background`; see `compiled.project`."""
    import tensorflow as tf  # noqa: PLC0415

    @tf.custom_gradient
    def run(sequences, kernel, bias):
        shape = (*sequences.shape[:2], bias.shape[0])
        forward = functools.partial(compiled.project, background=background)
        (projected,) = _call(forward, sequences, kernel, bias, like=(shape,))

        def gradient(d_projected):
            backward = functools.partial(compiled.project_backward, background=background)
            d_kernel, d_bias = _call(backward, sequences, d_projected, like=(kernel.shape, bias.shape))
            return tf.tensordot(d_projected, kernel, [[2], [1]]), d_kernel, d_bias

        return projected, gradient

    return run(sequences, kernel, bias)


def recurrence(projected, kernel, *, hard: bool, steps: int | None, bfloat16: bool):
    """Returns the hidden states of an LSTM, [step, batch, unit], from states of zero.

    Args:
        projected: preactivations without the recurrent product, [step, batch, 4 x unit], or [1, batch, 4 x unit]
            if all of `steps` have the same.
        kernel: recurrent kernel [unit, 4 x unit].
        hard: whether gates are hard sigmoids; see `compiled.forward`.
        steps: number of steps, if `projected` may not tell it.
        bfloat16: whether products may be bfloat16.
    """
    import tensorflow as tf  # noqa: PLC0415

    how = {"hard": hard, "bfloat16": bfloat16, "threads": _threads()}

    @tf.custom_gradient
    def run(projected, kernel):
        given, batch, width = projected.shape
        count = steps or given
        states = (None if count is None else count + 1, batch, width // 4)
        forward = functools.partial(compiled.forward, steps=steps, **how)
        hidden, cells, gates = _call(forward, projected, kernel, like=(states, states, (count, batch, width)))

        def gradient(d_states):
            backward = functools.partial(compiled.backward, **how)
            (d_projected,) = _call(backward, d_states, kernel, gates, cells, like=((count, batch, width),))
            d_kernel = _kernel_gradient(hidden, d_projected, bfloat16)
            return tf.reduce_sum(d_projected, 0, keepdims=True) if given != count else d_projected, d_kernel

        return hidden[1:], gradient

    return run(projected, kernel)


def block(sequences, kernel, recurrent_kernel, bias):
    """Returns the hidden states of an LSTM with sigmoid gates, [step, batch, unit], by one stock operation.

    `BlockLSTM` wants the gates in the order i, c, f, o. `BlockLSTMV2` takes Keras's order, but its gradient is wrong
    (TensorFlow 2.21).
    """
    import tensorflow as tf  # noqa: PLC0415

    def icfo(weights):
        i, f, c, o = tf.split(weights, 4, axis=-1)
        return tf.concat([i, c, f, o], axis=-1)

    units = recurrent_kernel.shape[0]
    state = tf.zeros([tf.shape(sequences)[1], units])
    unused = tf.zeros([units])  # peepholes
    return tf.raw_ops.BlockLSTM(
        seq_len_max=tf.cast(tf.shape(sequences)[0], tf.int64),
        x=sequences,
        cs_prev=state,
        h_prev=state,
        w=icfo(tf.concat([kernel, recurrent_kernel], axis=0)),
        wci=unused,
        wcf=unused,
        wco=unused,
        b=icfo(bias),
        forget_bias=0.0,  # Keras has it in the bias already
        cell_clip=-1.0,
        use_peephole=False,
    ).h


def _kernel_gradient(hidden, d_projected, bfloat16: bool):
    """Returns the gradient by the recurrent kernel: one product over all steps and rows, not one a step.

    Args:
        hidden: states [step + 1, batch, unit], from the state of zero before the first step.
        d_projected: gradient by the preactivations, [step, batch, 4 x unit].
        bfloat16: whether a large product may be bfloat16.
    """
    import tensorflow as tf  # noqa: PLC0415

    # A state of zero adds nothing, and of an LSTM over five steps it is a fifth.
    pair = [tf.reshape(each, [-1, each.shape[-1]]) for each in (hidden[1:-1], d_projected[1:])]
    if _in_bfloat16(bfloat16, d_projected.shape[0], (hidden.shape[-1], d_projected.shape[-1])):
        return _product(*pair, transposed=(True, False))
    return tf.matmul(*pair, transpose_a=True)


def _in_bfloat16(wanted: bool, steps: int | None, kernel: tuple[int, int]) -> bool:
    """Returns whether the product of all steps of a batch with a kernel is made in bfloat16."""
    enough = steps is None or 2 * steps * BATCH * math.prod(kernel) >= WORTH
    return wanted and enough and compiled.has_bfloat16()


def _product(left, right, transposed: tuple[bool, bool]):
    """Returns `compiled.product` of two matrices, without a gradient."""
    like = left.shape[1 if transposed[0] else 0], right.shape[0 if transposed[1] else 1]
    function = functools.partial(compiled.product, transposed=transposed, threads=_threads())
    return _call(function, left, right, like=(like,))[0]


def _call(function: Callable, *tensors, like) -> list:
    """Calls a function of NumPy arrays in the graph. Its results are float32 and have the shapes `like`."""
    import tensorflow as tf  # noqa: PLC0415

    made = tf.numpy_function(function, tensors, [tf.float32] * len(like), stateful=False)
    return [tf.ensure_shape(tensor, shape) for tensor, shape in zip(tf.nest.flatten(made), like, strict=True)]


def _threads() -> int:
    """Returns how many threads TensorFlow gives an operation. Its default is one a core."""
    import tensorflow as tf  # noqa: PLC0415

    return tf.config.threading.get_intra_op_parallelism_threads() or len(os.sched_getaffinity(0))
