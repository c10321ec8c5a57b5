"""Binary neurons (Dong and Yang 2018, "BMuseGAN"; Eq. 1 and 2): layers whose output is 0 or 1."""

import keras
import numpy as np
from keras import ops

from msw2.models import draws


@ops.custom_gradient
def straight_through(x, threshold, slope):
    """Returns u(sigmoid(x) - threshold), with the gradient of sigmoid(slope * x): slope * s * (1 - s).

    Args:
        x: float32, any shape.
        threshold: float32, of a shape that broadcasts to it; 0..1.
        slope: float32 scalar, of the sigmoid that the gradient is taken from.

    Returns:
        float32, the shape of x, 0 or 1; 1 also where sigmoid(x) is the threshold.
    """
    smooth = ops.sigmoid(slope * x)

    def gradient(*args, upstream=None):
        passed = args[0] if upstream is None else upstream
        return passed * slope * smooth * (1.0 - smooth), ops.zeros_like(threshold), ops.zeros_like(slope)

    return ops.cast(ops.sigmoid(x) >= threshold, "float32"), gradient


@keras.saving.register_keras_serializable("msw2")
class BinaryNeurons(keras.layers.Layer):
    """Turns real numbers into 0 or 1, in float32; trained by sigmoid-adjusted straight-through gradients.

    Deterministic neurons have the threshold 0.5 (Eq. 1), stochastic ones v ~ U[0, 1] (Eq. 2). In training v is
    drawn from the layer's own generator. Afterwards it is one fixed draw for each cell of a bar. So a bar gives the
    same bytes alone, in any batch, and in a SavedModel.

    The weight `slope` (saved, never trained) is that of the sigmoid in the gradient alone: what comes out does not
    depend on it. It is 1 until somebody sets it; see `training.annealing`.

    Args:
        stochastic: which of the two.
        seed: of v.
    """

    def __init__(self, stochastic: bool, seed: int, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.stochastic = stochastic
        self.seed = seed
        self.generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        """Makes the slope and the thresholds of inference, float32 [step, pitch]."""
        self.slope = self.add_weight(name="slope", shape=(), initializer="ones", trainable=False)
        drawn = np.random.default_rng(self.seed).random(input_shape[1:], np.float32)
        self.thresholds = drawn if self.stochastic else np.full(input_shape[1:], 0.5, np.float32)

    def call(self, x, training=False):
        """Maps [batch, step, pitch] to the same shape."""
        if not training:
            return ops.cast(ops.sigmoid(x) >= self.thresholds, "float32")
        threshold = ops.convert_to_tensor(self.thresholds)
        if self.stochastic:
            threshold = draws.uniform(x, self.generator)
        return straight_through(x, threshold, ops.convert_to_tensor(self.slope))

    def get_config(self):
        """Returns the arguments that rebuild the layer."""
        return {**super().get_config(), "stochastic": self.stochastic, "seed": self.seed}
