"""Functions of `native` as operations of TensorFlow, for training alone: a SavedModel has no place for them."""

import contextlib
import contextvars
import functools
import math
from collections.abc import Callable, Iterator

from msw2.models import native
from msw2.system.cores import cores

BATCH = 32  # rows that a step of training has, nearly always
WORTH = 5e7  # operations of a product that are worth calling a function for: half a millisecond


_fitting = contextvars.ContextVar("fitting", default=False)


@contextlib.contextmanager
def fitting() -> Iterator[None]:
    """Within it, what is held out is measured by `native` as well: graphs that are made are those of a training."""
    token = _fitting.set(True)
    try:
        yield
    finally:
        _fitting.reset(token)


def in_training(training: bool | None) -> bool:
    """Returns whether a layer that is called so computes as in training: where it is compiled, `fitting` does, too."""
    return bool(training) or (_fitting.get() and native.library() is not None)


def on_cpu() -> bool:
    """Returns whether this process computes on a CPU."""
    import tensorflow as tf  # noqa: PLC0415 (other backends run without TensorFlow)

    return not tf.config.list_logical_devices("GPU")


def threads() -> int:
    """Returns how many threads TensorFlow gives an operation."""
    import tensorflow as tf  # noqa: PLC0415

    return tf.config.threading.get_intra_op_parallelism_threads() or cores()


def worth_tiles(steps: int | None, kernel: tuple[int, int]) -> bool:
    """Returns whether products of all steps of a batch by a kernel of a shape are to be made by `native`."""
    enough = steps is None or 2 * steps * BATCH * math.prod(kernel) >= WORTH
    return enough and native.tiles_in_use() > 0


def call(function: Callable, *tensors, like, dtypes=None):
    """Calls a function of `native` in the graph; its results have the shapes `like`, and are float32 or `dtypes`."""
    import tensorflow as tf  # noqa: PLC0415

    made = tf.numpy_function(function, tensors, dtypes or [tf.float32] * len(like), stateful=False)
    return [tf.ensure_shape(tensor, shape) for tensor, shape in zip(tf.nest.flatten(made), like, strict=True)]


def product(left, right, transposed):
    """Returns `native.product` of two matrices, without a gradient."""
    like = left.shape[1 if transposed[0] else 0], right.shape[0 if transposed[1] else 1]
    function = functools.partial(native.product, transposed=transposed, threads=threads())
    return call(function, left, right, like=(like,))[0]


def rows_product(inputs, kernel):
    """Returns `native.product` of [..., feature] and a kernel [feature, unit], with its gradient."""
    import tensorflow as tf  # noqa: PLC0415

    @tf.custom_gradient
    def run(rows, kernel):
        def gradient(d_product):
            return product(d_product, kernel, (False, True)), product(rows, d_product, (True, False))

        return product(rows, kernel, (False, False)), gradient

    made = run(tf.reshape(inputs, [-1, inputs.shape[-1]]), kernel)
    return tf.reshape(made, [*tf.unstack(tf.shape(inputs)[:-1]), kernel.shape[-1]])


def perceptron(inputs, weights):
    """Returns `native.perceptron` of [..., feature], with its gradient by the weights; `inputs` get none."""
    import tensorflow as tf  # noqa: PLC0415

    @tf.custom_gradient
    def run(rows, *weights):
        forward = functools.partial(native.perceptron, threads=threads())
        backward = functools.partial(native.perceptron_backward, threads=threads())
        like, dtypes = ((rows.shape[0], weights[-1].shape[0]), (None,)), (tf.float32, tf.uint16)
        made, kept = call(forward, rows, *weights, like=like, dtypes=dtypes)

        def gradient(d_made):
            return None, *call(backward, d_made, kept, *weights, like=[weight.shape for weight in weights])

        return made, gradient

    made = run(tf.reshape(tf.stop_gradient(inputs), [-1, inputs.shape[-1]]), *weights)
    return tf.reshape(made, tf.concat([tf.shape(inputs)[:-1], [made.shape[-1]]], 0))
