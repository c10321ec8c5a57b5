"""Small layers that the VAEs are made of."""

import keras
from keras import ops


class Sampling(keras.layers.Layer):
    """Draws a latent vector from its moments (Eq. 5).

    z = mean + exp(s / 2) * epsilon (`log_variance`), or mean + s * epsilon (`multiplier`, as released), with
    epsilon ~ N(0, epsilon_std^2). Computes in float32 under every precision policy.

    Args:
        sigma: `log_variance` or `multiplier`.
        epsilon_std: standard deviation of epsilon.
        seed: seed of the layer's own generator.
    """

    def __init__(self, sigma: str, epsilon_std: float, seed: int, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.sigma = sigma
        self.epsilon_std = epsilon_std
        self.seed = seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, moments):
        """Maps [batch, 2 x latent] to [batch, latent]."""
        mean, s = ops.split(moments, 2, axis=-1)
        epsilon = keras.random.normal(ops.shape(mean), stddev=self.epsilon_std, seed=self.generator)
        return mean + epsilon * (s if self.sigma == "multiplier" else ops.exp(0.5 * s))

    def get_config(self):
        """Returns the arguments that rebuild the layer."""
        own = {"sigma": self.sigma, "epsilon_std": self.epsilon_std, "seed": self.seed}
        return {**super().get_config(), **own}


class ToLogits(keras.layers.Layer):
    """Turns 2p - 1, in -1..1, into the logit of p, in float32; what is nearer to -1 or 1 than 1e-6 is cut off."""

    def __init__(self, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})

    def call(self, signed):
        """Maps any shape to the same shape."""
        return 2.0 * ops.arctanh(ops.clip(signed, -1.0 + 1e-6, 1.0 - 1e-6))


class Standardise(keras.layers.Layer):
    """Scales features to mean 0 and deviation 1, or back; knows both from `set_statistics`.

    Until then it changes nothing. The statistics are weights (saved, never trained).

    Args:
        inverse: whether to scale back.
    """

    def __init__(self, inverse: bool = False, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        self.inverse = inverse

    def build(self, input_shape):
        """Makes the statistics, [track, feature]."""
        self.mean = self.add_weight(name="mean", shape=input_shape[1:], initializer="zeros", trainable=False)
        self.deviation = self.add_weight(
            name="deviation", shape=input_shape[1:], initializer="ones", trainable=False
        )

    def set_statistics(self, mean, deviation):
        """Sets both, float [track, feature]; deviations are positive."""
        self.mean.assign(mean)
        self.deviation.assign(deviation)

    def call(self, moments):
        """Maps [batch, track, feature] to the same shape."""
        if self.inverse:
            return moments * self.deviation + self.mean
        return (moments - self.mean) / self.deviation

    def get_config(self):
        """Returns the arguments that rebuild the layer."""
        return {**super().get_config(), "inverse": self.inverse}
