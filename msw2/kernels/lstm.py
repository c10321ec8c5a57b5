"""The layer `LSTM`, and how it is computed: `choose` decides."""

import logging
from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from msw2.kernels import compiled, tensorflow_ops


def hard_sigmoid(x):
    """Keras 2's hard sigmoid, clip(0.2 x + 0.5, 0, 1). Keras 3's own has slope 1/6."""
    return ops.clip(0.2 * x + 0.5, 0.0, 1.0)


GATES = {"sigmoid": "sigmoid", "hard_sigmoid": hard_sigmoid}


def choose(*, gates: str, policy: str, portable: bool, training: bool) -> str:
    """Decides which implementation computes an LSTM in this process.

    Args:
        gates: see `LSTM`.
        policy: name of the precision policy that the layer was asked for.
        portable: see `LSTM`.
        training: whether it is called in training.

    Returns:
        `compiled`: the C functions of this package, on CPUs. `block`: TensorFlow's operation BlockLSTM, which a
        SavedModel can hold. `keras`: Keras's own way, with cuDNN on GPUs.
    """
    if keras.backend.backend() != "tensorflow":
        return "keras"
    if not portable and not tensorflow_ops.on_cpu():
        return "keras"
    if not portable and compiled.library() and policy in {"float32", "mixed_bfloat16"}:
        return "compiled"
    if gates == "sigmoid" and policy == "float32" and not training:
        return "block"
    return "keras"


@keras.saving.register_keras_serializable(package="msw2.kernels")
class LSTM(keras.layers.LSTM):
    """`keras.layers.LSTM`, faster on CPUs: the same weights, names and results.

    `choose` decides how it is computed, and a log line at INFO says it when the layer is built. With a mask, an
    initial state, dropout, `return_state`, `stateful`, another activation than tanh or without bias, it is Keras's
    own way.

    Under the policy `mixed_bfloat16`, the compiled functions round the factors of products to bfloat16, if the CPU
    multiplies bfloat16 (AVX512_BF16 or AMX). Inputs, states, gates, gradients and outputs stay float32, so the layer's
    own policy is float32 then.

    Args:
        units: size of the state.
        gates: `sigmoid`, or `hard_sigmoid` (Keras 2's, of slope 0.2).
        portable: whether the layer holds to operations that a SavedModel and TF Serving can run, on a CPU. It
            then trains in Keras's own way, without cuDNN.
        repeat: None, or a number of steps. The input is then one vector, [batch, feature], and every step reads it.
        step_features: with `repeat`: float [step, feature] that is appended to the vector at each step.
        background: a value that most input features have. What it contributes is computed once. It changes no
            result, whatever the input.
        dtype: precision policy, as for all layers of Keras.
        **kwargs: as for `keras.layers.LSTM`, without `recurrent_activation`, which `gates` sets.

    Raises:
        ValueError: for gates or steps that do not exist, or arguments that do not go together.
    """

    def __init__(
        self,
        units: int,
        *,
        gates: str = "sigmoid",
        portable: bool = False,
        repeat: int | None = None,
        step_features: Sequence | None = None,
        background: float | None = None,
        dtype=None,
        **kwargs,
    ):
        if gates not in GATES:
            raise ValueError(f"gates {gates!r} is not one of {', '.join(GATES)}")
        features = _step_features(repeat, step_features, background)
        policy = keras.dtype_policies.get(dtype)
        if portable:
            kwargs["use_cudnn"] = False
        rounded = policy.name == "mixed_bfloat16"
        rounded = (
            rounded
            and choose(gates=gates, policy=policy.name, portable=portable, training=True) == "compiled"
        )
        # Keras would round the inputs and the weights themselves.
        own = keras.dtype_policies.get("float32") if rounded else policy
        super().__init__(units, recurrent_activation=GATES[gates], dtype=own, **kwargs)
        self.gates = gates
        self.portable = portable
        self.repeat = repeat
        self.step_features = features
        self.background = background
        self.supports_jit = False  # XLA compiles neither C nor BlockLSTM
        self._policy = policy
        self._rounded = rounded
        if repeat is not None:
            self.input_spec = keras.layers.InputSpec(ndim=2)

    def implementation(self, training: bool = False) -> str:
        """Returns how the layer is computed without a mask and an initial state; see `choose`."""
        plain = self.activation is keras.activations.tanh and self.use_bias
        if not plain or self.dropout or self.recurrent_dropout or self.return_state or self.stateful:
            return "keras"
        how = {"gates": self.gates, "policy": self._policy.name, "portable": self.portable}
        return choose(training=bool(training), **how)

    def build(self, sequences_shape, initial_state_shape=None):
        """Makes the weights of `keras.layers.LSTM` over what each step reads."""
        super().build(self._sequences_shape(sequences_shape), initial_state_shape)
        ways = (self.implementation(training) for training in (True, False))
        logging.getLogger(__name__).info("%s: %s in training, %s in inference", self.name, *ways)

    def compute_output_shape(self, sequences_shape, initial_state_shape=None):
        """Returns the shape of the output."""
        return super().compute_output_shape(self._sequences_shape(sequences_shape), initial_state_shape)

    def call(self, sequences, initial_state=None, mask=None, training=False):
        """Maps sequences to [batch, step, unit], or to [batch, unit] without `return_sequences`.

        Args:
            sequences: [batch, step, feature], or [batch, feature] with `repeat`.
            initial_state: as for `keras.layers.LSTM`.
            mask: as for `keras.layers.LSTM`.
            training: whether this is training.
        """
        way = self.implementation(training) if initial_state is None and mask is None else "keras"
        if way == "compiled":
            return self._output(self._compiled(sequences))
        sequences = self._repeated(sequences)
        if way == "block":
            return self._output(tensorflow_ops.block(self._in_time(sequences), *self._weights()))
        return super().call(sequences, initial_state=initial_state, mask=mask, training=training)

    def get_config(self):
        """Returns the arguments that rebuild the layer."""
        config = super().get_config()
        del config["recurrent_activation"]
        return config | {
            "gates": self.gates,
            "portable": self.portable,
            "repeat": self.repeat,
            "step_features": None if self.step_features is None else self.step_features.tolist(),
            "background": self.background,
            "dtype": keras.dtype_policies.serialize(self._policy),
        }

    def _sequences_shape(self, shape):
        """Maps the shape of the input to the shape of the sequences that the steps read."""
        if self.repeat is None:
            return shape
        more = 0 if self.step_features is None else self.step_features.shape[1]
        return (shape[0], self.repeat, shape[1] + more)

    def _repeated(self, inputs):
        """Returns what the steps read, [batch, step, feature]."""
        if self.repeat is None:
            return inputs
        repeated = ops.repeat(ops.expand_dims(inputs, 1), self.repeat, axis=1)
        if self.step_features is None:
            return repeated
        features = ops.cast(self.step_features[None], repeated.dtype)
        features = ops.broadcast_to(features, (ops.shape(inputs)[0], *self.step_features.shape))
        return ops.concatenate([repeated, features], axis=-1)

    def _in_time(self, sequences):
        """Returns sequences in reading order, [step, batch, feature]."""
        if self.go_backwards:
            sequences = ops.flip(sequences, axis=1)
        return ops.transpose(sequences, (1, 0, 2))

    def _weights(self) -> list:
        cell = self.cell
        return tensorflow_ops.values(cell.kernel, cell.recurrent_kernel, cell.bias)

    def _compiled(self, inputs):
        """Returns the states [step, batch, unit] by the compiled functions."""
        kernel, recurrent_kernel, bias = self._weights()
        if self.repeat is not None:
            projected = self._project_vector(inputs, kernel, bias)
        elif self.background is not None:
            projected = tensorflow_ops.background_projection(
                self._in_time(inputs), kernel, bias, self.background
            )
        else:
            projected = tensorflow_ops.projection(self._in_time(inputs), kernel, bias, bfloat16=self._rounded)
        return tensorflow_ops.recurrence(
            projected,
            recurrent_kernel,
            hard=self.gates == "hard_sigmoid",
            steps=self.repeat,
            bfloat16=self._rounded,
        )

    def _project_vector(self, vectors, kernel, bias):
        """Maps [batch, feature] to preactivations [step, batch, 4 x unit], or of one step if all are alike."""
        # All steps share the vector, and all vectors share the features: each is multiplied once.
        size = vectors.shape[-1]
        once = (ops.matmul(vectors, kernel[:size]) + bias)[None]
        if self.step_features is None:
            return once
        features = self.step_features[::-1] if self.go_backwards else self.step_features
        return once + ops.matmul(features, kernel[size:])[:, None]

    def _output(self, hidden):
        return ops.transpose(hidden, (1, 0, 2)) if self.return_sequences else hidden[-1]


def _step_features(repeat: int | None, step_features, background: float | None) -> np.ndarray | None:
    """Returns the features of each step, float32 [step, feature], after checking all three arguments."""
    if repeat is None:
        if step_features is not None:
            raise ValueError("step_features need repeat, the number of steps")
        return None
    if repeat < 1:
        raise ValueError(f"repeat is {repeat}, not a number of steps from 1")
    if background is not None:
        raise ValueError("background is for sequences, not for a vector that is repeated")
    if step_features is None:
        return None
    features = np.asarray(step_features, np.float32)
    if features.ndim != 2 or len(features) != repeat:
        raise ValueError(f"step_features have shape {features.shape}, not ({repeat}, any)")
    return features
