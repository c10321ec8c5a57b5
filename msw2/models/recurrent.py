"""How an LSTM is computed: the only module that knows.

`LSTM` has the weights of `keras.layers.LSTM` (names, shapes, order, gates i-f-c-o) and its results. On a CPU
Keras runs the cell step by step in a while loop, some twenty small operations a step. TensorFlow has one
operation, with its gradient, for the whole sequence (`BlockLSTM`, a kernel of stock TensorFlow and of TF
Serving); this layer uses it where it computes the same thing, and Keras's own way (cuDNN on a GPU) elsewhere.
"""

import keras
from keras import ops


def released_hard_sigmoid(x):
    """Keras 2.1.6's hard sigmoid, clip(0.2 x + 0.5, 0, 1); Keras 3's own has slope 1/6."""
    return ops.clip(0.2 * x + 0.5, 0.0, 1.0)


GATES = {"sigmoid": "sigmoid", "hard_sigmoid": released_hard_sigmoid}


class LSTM(keras.layers.LSTM):
    """`keras.layers.LSTM`, fused on CPUs.

    Args:
        units: size of the state.
        gates: `sigmoid`, or `hard_sigmoid` (Keras 2.1.6's, of slope 0.2).
        fused: whether the fused operation may be used; None: if this process runs on a CPU. A model that
            is exported from a machine with a GPU is built with True, so that no cuDNN operation is baked in.
        **kwargs: as for `keras.layers.LSTM`.
    """

    def __init__(self, units: int, *, gates: str = "sigmoid", fused: bool | None = None, **kwargs):
        super().__init__(units, recurrent_activation=GATES[gates], **kwargs)
        self.gates = gates
        self.fused = fused

    def call(self, sequences, initial_state=None, mask=None, training=False):
        """Maps [batch, step, feature] to [batch, step, unit], or [batch, unit] without `return_sequences`."""
        if initial_state is not None or mask is not None or not self._can_fuse():
            return super().call(sequences, initial_state=initial_state, mask=mask, training=training)
        if self.go_backwards:
            sequences = ops.flip(sequences, axis=1)
        hidden = _block_lstm(
            ops.transpose(sequences, (1, 0, 2)),
            ops.concatenate([self.cell.kernel, self.cell.recurrent_kernel], axis=0),
            self.cell.bias,
        )
        return ops.transpose(hidden, (1, 0, 2)) if self.return_sequences else hidden[-1]

    def _can_fuse(self) -> bool:
        if keras.backend.backend() != "tensorflow" or self.gates != "sigmoid":
            return False
        if self.compute_dtype not in ("float32", "float16"):  # what the kernel is compiled for
            return False
        return _on_cpu() if self.fused is None else self.fused

    def get_config(self):
        """Returns the arguments that rebuild the layer."""
        config = super().get_config()
        del config["recurrent_activation"]
        return {**config, "gates": self.gates, "fused": self.fused}


def _on_cpu() -> bool:
    import tensorflow as tf  # noqa: PLC0415 (other backends run without TensorFlow)

    return not tf.config.list_logical_devices("GPU")


def _block_lstm(sequences, kernel, bias):
    """One LSTM over [step, batch, feature], all steps in one operation; returns [step, batch, unit].

    `kernel` is [feature + unit, 4 * unit] in Keras's order of gates. `BlockLSTM` wants i-c-f-o. Its successor
    `BlockLSTMV2` takes Keras's order as it is, but its gradient is wrong (TensorFlow 2.21).
    """
    import tensorflow as tf  # noqa: PLC0415

    steps, batch = tf.shape(sequences)[0], tf.shape(sequences)[1]
    units = kernel.shape[-1] // 4
    state = tf.zeros([batch, units], sequences.dtype)
    unused = tf.zeros([units], sequences.dtype)  # peepholes
    return tf.raw_ops.BlockLSTM(
        seq_len_max=tf.cast(steps, tf.int64),
        x=sequences,
        cs_prev=state,
        h_prev=state,
        w=_gates_icfo(tf, tf.cast(kernel, sequences.dtype)),
        wci=unused,
        wcf=unused,
        wco=unused,
        b=_gates_icfo(tf, tf.cast(bias, sequences.dtype)),
        forget_bias=0.0,  # Keras has it in the bias already
        cell_clip=-1.0,
        use_peephole=False,
    ).h


def _gates_icfo(tf, weights):
    i, f, c, o = tf.split(weights, 4, axis=-1)
    return tf.concat([i, c, f, o], axis=-1)
