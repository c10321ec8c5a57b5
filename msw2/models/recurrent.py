"""How an LSTM is computed: the only module that knows.

`LSTM` has the weights of `keras.layers.LSTM` (names, shapes, order, gates i-f-c-o) and its results. On a CPU
Keras runs the cell in a while loop, some twenty small operations a step. Here, on TensorFlow:

* in inference, one stock operation runs the whole sequence (`BlockLSTM`, which TF Serving has too), if the
  gates are sigmoids;
* in training, all inputs are projected at once (a repeated input only once: `RepeatedLSTM`), the recurrence and
  its gradient are a compiled function each (`native`), with products of bfloat16 where the CPU makes them,
  and the gradient of the weights is one product at the end instead of one a step. Where no C compiler was at hand,
  the steps are unrolled, the cell's arithmetic is one compiled kernel a step, in which one tanh serves all gates.

Elsewhere (GPUs, other backends) it is Keras's own way, cuDNN where that applies.
"""

import functools

import keras
import numpy as np
from keras import ops

from msw2.models import native
from msw2.models.operations import call, in_training, on_cpu, product, rows_product, threads, worth_tiles


def released_hard_sigmoid(x):
    """Keras 2.1.6's hard sigmoid, clip(0.2 x + 0.5, 0, 1); Keras 3's own has slope 1/6."""
    return ops.clip(0.2 * x + 0.5, 0.0, 1.0)


GATES = {"sigmoid": "sigmoid", "hard_sigmoid": released_hard_sigmoid}


class LSTM(keras.layers.LSTM):
    """`keras.layers.LSTM`, faster on CPUs.

    Args:
        units: size of the state.
        gates: `sigmoid`, or `hard_sigmoid` (Keras 2.1.6's, of slope 0.2).
        fused: whether the fast ways may be used; None: if this process runs on a CPU. A model that is
            exported from a machine with a GPU is built with True, so that no cuDNN operation is baked in.
        **kwargs: as for `keras.layers.LSTM`.
    """

    def __init__(self, units: int, *, gates: str = "sigmoid", portable: bool = False, **kwargs):
        super().__init__(units, recurrent_activation=GATES[gates], **kwargs)
        self.gates = gates
        self.portable, self.fused = portable, True if portable else None

    def call(self, sequences, initial_state=None, mask=None, training=False):
        """Maps [batch, step, feature] to [batch, step, unit], or [batch, unit] without `return_sequences`."""
        if initial_state is None and mask is None and self._is_fast():
            if in_training(training) and sequences.shape[1] is not None:
                return self._train(self._in_time(sequences))
            if self.gates == "sigmoid":
                return self._infer(self._in_time(sequences))
        return super().call(sequences, initial_state=initial_state, mask=mask, training=training)

    def get_config(self):
        """Returns the arguments that rebuild the layer."""
        config = super().get_config()
        del config["recurrent_activation"]
        return {**config, "gates": self.gates, "portable": self.portable}

    def _is_fast(self) -> bool:
        if keras.backend.backend() != "tensorflow" or self.compute_dtype != "float32":
            return False
        return on_cpu() if self.fused is None else self.fused

    def _in_time(self, sequences):
        if self.go_backwards:
            sequences = ops.flip(sequences, axis=1)
        return ops.transpose(sequences, (1, 0, 2))

    def _infer(self, sequences):
        kernel, recurrent_kernel, bias = self._weights()
        return self._output(_block_lstm(sequences, kernel, recurrent_kernel, bias))

    def _train(self, inputs):
        kernel, recurrent_kernel, bias = self._weights()
        if native.library():
            projected = self._project(inputs, kernel, bias)
            recurrence = _native_recurrence(self.gates == "hard_sigmoid", self._steps())
            return self._output(recurrence(projected, recurrent_kernel))
        scale, shift = _gate_scale(self.gates, self.units)
        projected = self._project(inputs, kernel * scale, bias * scale + shift)
        return self._output(_recurrence(self.gates)(projected, recurrent_kernel * scale))

    def _weights(self):
        import tensorflow as tf  # noqa: PLC0415 (other backends run without TensorFlow)

        # As tensors: a gradient written out cannot be that of a variable.
        weights = (self.cell.kernel, self.cell.recurrent_kernel, self.cell.bias)
        return [tf.convert_to_tensor(weight) for weight in weights]

    def _project(self, sequences, kernel, bias):
        """Maps what a step reads, [step, batch, feature], to preactivations [step, batch, 4 x unit].

        Those of one step alone, [1, batch, 4 x unit], stand for `_steps`, if each step has the same.
        """
        if worth_tiles(sequences.shape[0], kernel.shape):
            return rows_product(sequences, kernel) + bias
        return ops.tensordot(sequences, kernel, 1) + bias

    def _steps(self) -> int | None:
        """Returns how many steps there are, where that does not show in what is projected."""
        return None

    def _output(self, hidden):
        return ops.transpose(hidden, (1, 0, 2)) if self.return_sequences else hidden[-1]


class RepeatedLSTM(LSTM):
    """An LSTM over one vector, repeated over the steps of a bar; each step may be told where it stands.

    Appended to the vector, with `beat_resolution`: one-hot of the step within its beat, one-hot of the beat.

    Args:
        units: size of the state.
        steps: steps to repeat over.
        beat_resolution: steps a beat; None: the vector alone.
        **kwargs: as for `LSTM`.
    """

    def __init__(self, units: int, *, steps: int, beat_resolution: int | None = None, **kwargs):
        super().__init__(units, **kwargs)
        self.input_spec = keras.layers.InputSpec(ndim=2)
        self.steps = steps
        self.beat_resolution = beat_resolution
        self._position = _position(steps, beat_resolution)

    def build(self, input_shape):
        """Makes the weights of an LSTM over [vector, position]."""
        super().build((input_shape[0], self.steps, input_shape[1] + self._position.shape[1]))

    def compute_output_shape(self, input_shape):
        """Returns the shape of what `call` returns."""
        return super().compute_output_shape((input_shape[0], self.steps, input_shape[1]))

    def call(self, vectors, training=False):
        """Maps [batch, feature] to [batch, step, unit], or [batch, unit] without `return_sequences`."""
        if in_training(training) and self._is_fast():
            return self._train(vectors)
        repeated = ops.repeat(ops.expand_dims(vectors, 1), self.steps, axis=1)
        position = ops.cast(self._position[None], repeated.dtype)
        position = ops.broadcast_to(position, (ops.shape(vectors)[0], *self._position.shape))
        return super().call(ops.concatenate([repeated, position], axis=-1), training=training)

    def get_config(self):
        """Returns the arguments that rebuild the layer."""
        return {**super().get_config(), "steps": self.steps, "beat_resolution": self.beat_resolution}

    def _project(self, vectors, kernel, bias):
        """Maps [batch, feature] to preactivations [step, batch, 4 x unit], or of one step if all are alike."""
        # What is the same for all steps, and what is the same for all vectors, each multiplied once.
        vector_kernel, position_kernel = kernel[: vectors.shape[-1]], kernel[vectors.shape[-1] :]
        once = (ops.matmul(vectors, vector_kernel) + bias)[None]
        if not self._position.size and native.library():
            return once
        return once + ops.matmul(self._position, position_kernel)[:, None]

    def _steps(self) -> int:
        return self.steps


class PianorollLSTM(LSTM):
    """An LSTM over a pianoroll, [batch, step, pitch] of -1 (silent) and +1.

    In training, what is silent is not multiplied, where there is a compiler: of bars 2 % sound.
    """

    def _project(self, sequences, kernel, bias):
        """Maps what a step reads, [step, batch, pitch], to preactivations [step, batch, 4 x unit]."""
        if native.library():
            return _native_projection()(sequences, kernel, bias)
        return super()._project(sequences, kernel, bias)


for _layer in (RepeatedLSTM, PianorollLSTM):
    _layer.__name__ = "LSTM"  # weight files go by the class: those of plain Keras LSTMs are to fit


def _position(steps: int, beat_resolution: int | None) -> np.ndarray:
    """Returns float32 [step, beat_resolution + beats], or nothing [step, 0]."""
    if not beat_resolution:
        return np.zeros((steps, 0), "float32")
    step = np.arange(steps)
    in_beat = np.eye(beat_resolution, dtype="float32")[step % beat_resolution]
    beat = np.eye(-(-steps // beat_resolution), dtype="float32")[step // beat_resolution]
    return np.concatenate([in_beat, beat], axis=-1)


def _block_lstm(sequences, kernel, recurrent_kernel, bias):
    """One LSTM over [step, batch, feature], all steps in one operation; returns [step, batch, unit].

    `BlockLSTM` wants the gates in the order i-c-f-o. Its successor `BlockLSTMV2` takes Keras's order as it is,
    but its gradient is wrong (TensorFlow 2.21).
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
        b=icfo(tf.convert_to_tensor(bias)),
        forget_bias=0.0,  # Keras has it in the bias already
        cell_clip=-1.0,
        use_peephole=False,
    ).h


def _gate_scale(gates: str, units: int):
    """Returns what the preactivations [4 x unit] are multiplied by, and what is then added, to be simple.

    sigmoid(x) = (1 + tanh(x / 2)) / 2, so that one tanh serves all gates and the candidate;
    hard_sigmoid(x) = clip(x / 5 + 1 / 2, 0, 1), so that only the clipping is left.
    """
    scale, shift = {"sigmoid": (0.5, 0.0), "hard_sigmoid": (0.2, 0.5)}[gates]
    candidate = _candidate(units)
    return np.where(candidate, 1, scale).astype("float32"), np.where(candidate, 0, shift).astype("float32")


def _candidate(units: int) -> np.ndarray:
    """Returns which of the preactivations [4 x unit], in the order i-f-c-o, are the candidate's."""
    return np.repeat([False, False, True, False], units)


def _kernel_gradient(hidden, d_projected):
    """Returns the gradient by the recurrent kernel: one product over all steps and rows, not one a step.

    Args:
        hidden: states [step + 1, batch, unit], from the one before the first step, which is zero.
        d_projected: gradient by the preactivations, [step, batch, 4 x unit].
    """
    import tensorflow as tf  # noqa: PLC0415

    # A state of zero adds nothing, and of an LSTM over five tracks it is a fifth.
    pair = [tf.reshape(each, [-1, each.shape[-1]]) for each in (hidden[1:-1], d_projected[1:])]
    if worth_tiles(d_projected.shape[0], (hidden.shape[-1], d_projected.shape[-1])):
        return product(*pair, transposed=(True, False))
    return tf.matmul(*pair, transpose_a=True)


@functools.cache
def _native_projection():
    """Returns the projection of a pianoroll, by `native`, with its gradient; made on first use, as below."""
    import tensorflow as tf  # noqa: PLC0415

    @tf.custom_gradient
    def run(pianoroll, kernel, bias):
        shape = (*pianoroll.shape[:2], bias.shape[0])
        (projected,) = call(native.project, pianoroll, kernel, bias, like=(shape,))

        def gradient(d_projected):
            like = kernel.shape, bias.shape
            d_kernel, d_bias = call(native.project_backward, pianoroll, d_projected, like=like)
            return tf.tensordot(d_projected, kernel, [[2], [1]]), d_kernel, d_bias

        return projected, gradient

    return run


@functools.cache
def _native_recurrence(hard: bool, known_steps: int | None):
    """Returns the recurrent part of an LSTM, by `native`, with its gradient.

    A function of projected inputs [step, batch, 4 x unit], or of one step for all that are known, and the recurrent
    kernel; returns the states [step, batch, unit]. Made on first use: importing this module must not import TensorFlow.
    """
    import tensorflow as tf  # noqa: PLC0415

    @tf.custom_gradient
    def run(projected, kernel):
        given, batch, width = projected.shape
        steps = known_steps or given
        states = (None if steps is None else steps + 1, batch, width // 4)
        how = {"hard": hard, "threads": threads()}
        forward = functools.partial(native.forward, steps=known_steps, **how)
        backward = functools.partial(native.backward, **how)
        like = steps, batch, width
        hidden, cells, gates = call(forward, projected, kernel, like=(states, states, like))

        def gradient(d_states):
            (d_projected,) = call(backward, d_states, kernel, gates, cells, like=(like,))
            d_kernel = _kernel_gradient(hidden, d_projected)
            return tf.reduce_sum(d_projected, 0, keepdims=True) if given != steps else d_projected, d_kernel

        return hidden[1:], gradient

    return run


@functools.cache
def _recurrence(kind):
    """Returns the recurrent part of an LSTM with its gradient written out.

    A function of projected inputs [step, batch, 4 x unit] and the recurrent kernel, both scaled by `_gate_scale`;
    returns the states [step, batch, unit], for gates of a kind. Made on first use: importing this module must not
    import TensorFlow.
    """
    import tensorflow as tf  # noqa: PLC0415

    def activate(x, candidate):
        squashed = tf.tanh(x)
        if kind == "hard_sigmoid":
            return tf.where(candidate, squashed, tf.clip_by_value(x, 0.0, 1.0))
        scale, shift = np.where(candidate, [[1.0], [0.0]], 0.5).astype("float32")
        return scale * squashed + shift

    def slope(gate):  # by its scaled preactivation
        return (
            2.0 * gate * (1.0 - gate) if kind == "sigmoid" else tf.cast((gate > 0) & (gate < 1), gate.dtype)
        )

    @tf.function(jit_compile=True)
    def forward(projected, product, cell):
        gates = activate(projected + product, _candidate(cell.shape[-1]))
        i, f, c, o = tf.split(gates, 4, axis=-1)
        new = f * cell + i * c
        squashed = tf.tanh(new)
        return gates, new, squashed, o * squashed

    @tf.function(jit_compile=True)
    def backward(d_hidden, d_cell, gates, cell, squashed):
        i, f, c, o = tf.split(gates, 4, axis=-1)
        d_hidden = d_hidden[0] + d_hidden[1]
        d_cell += d_hidden * o * (1 - squashed * squashed)
        d_gates = [
            d_cell * c * slope(i),
            d_cell * cell * slope(f),
            d_cell * i * (1 - c * c),
            d_hidden * squashed * slope(o),
        ]
        return tf.concat(d_gates, axis=-1), d_cell * f

    # Compiled, so that the graph optimizer does not fold it into each step's product, which is slower that way.
    transpose = tf.function(tf.transpose, jit_compile=True)

    @tf.custom_gradient
    def run(projected, kernel):
        inputs = tf.unstack(projected)
        zeros = tf.zeros_like(inputs[0][:, : kernel.shape[0]])
        hidden, cell, saved = [zeros], zeros, []
        for step in inputs:
            gates, new, squashed, state = forward(step, tf.matmul(hidden[-1], kernel), cell)
            saved.append((gates, cell, squashed))
            hidden.append(state)
            cell = new

        def gradient(d_states):
            transposed = transpose(kernel)
            d_hidden, d_cell, d_projected = zeros, zeros, []
            for d_state, tape in zip(reversed(tf.unstack(d_states)), reversed(saved), strict=True):
                d_gates, d_cell = backward((d_state, d_hidden), d_cell, *tape)
                d_hidden = tf.matmul(d_gates, transposed)
                d_projected.append(d_gates)
            d_projected = tf.stack(d_projected[::-1])
            return d_projected, _kernel_gradient(tf.stack(hidden), d_projected)

        return tf.stack(hidden[1:]), gradient

    return run


def multiplies_bfloat16() -> bool:
    return native.has_tiles(1)
