"""How an LSTM is computed: the only module that knows.

`LSTM` has the weights of `keras.layers.LSTM` (names, shapes, order, gates i-f-c-o) and its results. On a CPU
Keras runs the cell in a while loop, some twenty small operations a step. Here, on TensorFlow:

* in inference, one stock operation runs the whole sequence (`BlockLSTM`, which TF Serving has too), if the
  gates are sigmoids;
* in training, the steps are unrolled, all inputs are projected at once, the cell's arithmetic is one compiled
  kernel a step, and the gradient of the weights is one product at the end instead of one a step.

Elsewhere (GPUs, other backends) it is Keras's own way, cuDNN where that applies.
"""

import functools

import keras
from keras import ops


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

    def __init__(self, units: int, *, gates: str = "sigmoid", fused: bool | None = None, **kwargs):
        super().__init__(units, recurrent_activation=GATES[gates], **kwargs)
        self.gates = gates
        self.fused = fused

    def call(self, sequences, initial_state=None, mask=None, training=False):
        """Maps [batch, step, feature] to [batch, step, unit], or [batch, unit] without `return_sequences`."""
        stock = initial_state is not None or mask is not None
        run = None if stock else self._fast_way(sequences, training)
        if run is None:
            return super().call(sequences, initial_state=initial_state, mask=mask, training=training)
        if self.go_backwards:
            sequences = ops.flip(sequences, axis=1)
        sequences = ops.transpose(sequences, (1, 0, 2))
        hidden = run(sequences, self.cell.kernel, self.cell.recurrent_kernel, self.cell.bias)
        return ops.transpose(hidden, (1, 0, 2)) if self.return_sequences else hidden[-1]

    def _fast_way(self, sequences, training):
        """Returns the function that computes this layer best, or None where that is Keras."""
        if keras.backend.backend() != "tensorflow" or self.compute_dtype != "float32":
            return None
        if not (_on_cpu() if self.fused is None else self.fused):
            return None
        if training and sequences.shape[1] is not None:
            return functools.partial(_unrolled_lstm, gates=self.gates)
        return _block_lstm if self.gates == "sigmoid" else None

    def get_config(self):
        """Returns the arguments that rebuild the layer."""
        config = super().get_config()
        del config["recurrent_activation"]
        return {**config, "gates": self.gates, "fused": self.fused}


def _on_cpu() -> bool:
    import tensorflow as tf  # noqa: PLC0415 (other backends run without TensorFlow)

    return not tf.config.list_logical_devices("GPU")


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


def _unrolled_lstm(sequences, kernel, recurrent_kernel, bias, *, gates):
    """The same, for training: fast with its gradient, at the price of a larger graph."""
    import tensorflow as tf  # noqa: PLC0415

    projected = tf.tensordot(sequences, tf.convert_to_tensor(kernel), 1) + bias
    return _recurrence(gates)(projected, tf.convert_to_tensor(recurrent_kernel))


@functools.cache
def _recurrence(kind):
    """Returns the recurrent part of an LSTM with its gradient written out.

    A function of projected inputs [step, batch, 4 x unit] and the recurrent kernel; returns the states
    [step, batch, unit], for gates of a kind. Made on first use: importing this module must not import TensorFlow.
    """
    import tensorflow as tf  # noqa: PLC0415

    def activate(x):
        return tf.sigmoid(x) if kind == "sigmoid" else released_hard_sigmoid(x)

    def slope(gate):
        return gate * (1 - gate) if kind == "sigmoid" else tf.where((gate > 0) & (gate < 1), 0.2, 0.0)

    @tf.function(jit_compile=True)
    def forward(preactivations, cell):
        i, f, c, o = tf.split(preactivations, 4, axis=-1)
        i, f, c, o = activate(i), activate(f), tf.tanh(c), activate(o)
        new = f * cell + i * c
        squashed = tf.tanh(new)
        return tf.concat([i, f, c, o], axis=-1), new, squashed, o * squashed

    @tf.function(jit_compile=True)
    def backward(d_hidden, d_cell, gates, cell, squashed):
        i, f, c, o = tf.split(gates, 4, axis=-1)
        d_cell += d_hidden * o * (1 - squashed * squashed)
        d_gates = [
            d_cell * c * slope(i),
            d_cell * cell * slope(f),
            d_cell * i * (1 - c * c),
            d_hidden * squashed * slope(o),
        ]
        return tf.concat(d_gates, axis=-1), d_cell * f

    @tf.custom_gradient
    def run(projected, kernel):
        inputs = tf.unstack(projected)
        zeros = tf.zeros_like(inputs[0][:, : kernel.shape[0]])
        hidden, cells, saved = [zeros], [zeros], []
        for step in inputs:
            gates, cell, squashed, state = forward(step + tf.matmul(hidden[-1], kernel), cells[-1])
            saved.append((gates, cells[-1], squashed))
            cells.append(cell)
            hidden.append(state)

        def gradient(d_states):
            d_hidden, d_cell, d_projected = zeros, zeros, []
            for d_state, tape in zip(reversed(tf.unstack(d_states)), reversed(saved), strict=True):
                d_gates, d_cell = backward(d_state + d_hidden, d_cell, *tape)
                d_hidden = tf.matmul(d_gates, kernel, transpose_b=True)
                d_projected.append(d_gates)
            d_projected = tf.stack(d_projected[::-1])
            # One product over all steps and rows, in place of a sum of one for each step.
            rows = tf.reshape(tf.stack(hidden[:-1]), [-1, kernel.shape[0]])
            d_rows = tf.reshape(d_projected, [-1, kernel.shape[1]])
            return d_projected, tf.matmul(rows, d_rows, transpose_a=True)

        return tf.stack(hidden[1:]), gradient

    return run
