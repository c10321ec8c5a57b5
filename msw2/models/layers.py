"""Small layers that the VAEs are made of."""

import keras
from keras import ops

from msw2.models import draws


@keras.saving.register_keras_serializable("msw2")
class Sampling(keras.layers.Layer):
    """Draws a latent vector from its moments (Eq. 5).

    z = mean + exp(s / 2) * epsilon (`log_variance`), or mean + s * epsilon (`multiplier`, as released), with
    epsilon ~ N(0, epsilon_std^2). Off in inference, where z = mean, unless it is called with `always`.
    Computes in float32 under every precision policy.

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

    def call(self, moments, training=False, always=False):
        """Maps [batch, 2 x latent] to [batch, latent]."""
        mean, s = ops.split(moments, 2, axis=-1)
        if not (training or always):
            return mean
        epsilon = draws.normal(mean, self.generator, stddev=self.epsilon_std)
        return mean + epsilon * (s if self.sigma == "multiplier" else ops.exp(0.5 * s))

    def get_config(self):
        """Returns the arguments that rebuild the layer."""
        own = {"sigma": self.sigma, "epsilon_std": self.epsilon_std, "seed": self.seed}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("msw2")
class ToLogits(keras.layers.Layer):
    """Turns 2p - 1, in -1..1, into the logit of p, in float32; what is nearer to -1 or 1 than 1e-6 is cut off."""

    def __init__(self, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})

    def call(self, signed):
        """Maps any shape to the same shape."""
        return 2.0 * ops.arctanh(ops.clip(signed, -1.0 + 1e-6, 1.0 - 1e-6))


@keras.saving.register_keras_serializable("msw2")
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


@keras.saving.register_keras_serializable("msw2")
class ToUnits(keras.layers.Layer):
    """Cuts phrases into units, and maps silent and sounding cells to -1 and +1.

    Args:
        steps: time steps of a unit; a phrase has a whole number of units.
    """

    def __init__(self, steps: int, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.steps = steps

    def call(self, pianoroll):
        """Maps [phrase, bar, step, pitch, track] of 0 and 1 to float32 [unit, step, pitch, track]."""
        signed = 2.0 * ops.cast(pianoroll, "float32") - 1.0
        return ops.reshape(signed, (-1, self.steps, *pianoroll.shape[3:]))

    def get_config(self):
        """Returns the arguments that rebuild the layer."""
        return {**super().get_config(), "steps": self.steps}


@keras.saving.register_keras_serializable("msw2")
class ToPhrases(keras.layers.Layer):
    """Puts the units of each phrase together again.

    Args:
        shape: of a phrase.
    """

    def __init__(self, shape, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.shape = tuple(shape)

    def call(self, units):
        """Maps [unit, ...] to [phrase, *shape]."""
        return ops.reshape(units, (-1, *self.shape))

    def get_config(self):
        """Returns the arguments that rebuild the layer."""
        return {**super().get_config(), "shape": self.shape}


@keras.saving.register_keras_serializable("msw2")
class SelectTrack(keras.layers.Layer):
    """Takes one track of several.

    Args:
        track: its position, 0..4.
        axis: of the tracks.
        size: how many of the features that follow to keep; None: all.
    """

    def __init__(self, track: int, axis: int, size: int | None = None, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.track = track
        self.axis = axis
        self.size = size

    def call(self, tracks):
        """Maps [..., track, ...] to the same without that axis."""
        return ops.take(tracks, self.track, axis=self.axis)[..., : self.size]

    def get_config(self):
        """Returns the arguments that rebuild the layer."""
        return {**super().get_config(), "track": self.track, "axis": self.axis, "size": self.size}


@keras.saving.register_keras_serializable("msw2")
class StackTracks(keras.layers.Layer):
    """Puts the five tracks on one axis.

    Args:
        axis: of the tracks.
        size: how many of the features on the last axis to keep; None: all.
    """

    def __init__(self, axis: int, size: int | None = None, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.axis = axis
        self.size = size

    def call(self, tracks):
        """Maps a list of tensors, one a track, to one tensor with one more axis."""
        return ops.stack(tracks, axis=self.axis)[..., : self.size]

    def get_config(self):
        """Returns the arguments that rebuild the layer."""
        return {**super().get_config(), "axis": self.axis, "size": self.size}


@keras.saving.register_keras_serializable("msw2")
class Opinion(keras.layers.Layer):
    """Puts the output of a BVAE's decoder on the scale of its input, -1..1, float32.

    Args:
        logits: whether the decoder makes logits of p, which become 2p - 1; its tanh output stays.
    """

    def __init__(self, logits: bool, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.logits = logits

    def call(self, output):
        """Maps any shape to the same shape."""
        return ops.tanh(0.5 * output) if self.logits else output

    def get_config(self):
        """Returns the arguments that rebuild the layer."""
        return {**super().get_config(), "logits": self.logits}
