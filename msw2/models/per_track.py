"""Dense layers that no two tracks share, as the BVAEs share nothing."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("msw2")
class PerTrack(keras.layers.Layer):
    """A Dense layer with weights of its own for each track.

    Args:
        units: size of the output.
        activation: its name; None: linear.
        zeros: whether the kernel begins with zeros.
    """

    def __init__(self, units: int, activation: str | None = None, zeros: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.units, self.activation, self.zeros = units, activation, zeros

    def build(self, input_shape):
        """Makes kernel [track, input, output] and bias [track, output]."""
        tracks, size = input_shape[-2:]
        reach = (6.0 / (size + self.units)) ** 0.5  # Glorot and Bengio 2010
        drawn = "zeros" if self.zeros else keras.initializers.RandomUniform(-reach, reach)
        self.kernel = self.add_weight(name="kernel", shape=(tracks, size, self.units), initializer=drawn)
        self.bias = self.add_weight(name="bias", shape=(tracks, self.units), initializer="zeros")

    def call(self, inputs):
        """Maps [song, unit, track, input] to [song, unit, track, output]."""
        made = per_track(inputs, self.kernel) + self.bias
        return keras.activations.get(self.activation)(made)

    def compute_output_shape(self, input_shape):
        """Returns the input's shape with another last axis."""
        return (*input_shape[:-1], self.units)

    def get_config(self):
        """Returns the arguments that rebuild the layer."""
        own = {"units": self.units, "activation": self.activation, "zeros": self.zeros}
        return {**super().get_config(), **own}


def per_track(inputs, kernels):
    """Multiplies each track's vectors with its matrix.

    Args:
        inputs: float [song, unit, track, input].
        kernels: float [track, input, output].

    Returns:
        float [song, unit, track, output].
    """
    songs, units = ops.shape(inputs)[0], ops.shape(inputs)[1]
    tracks, size, made = kernels.shape
    by_track = ops.transpose(ops.reshape(inputs, (songs * units, tracks, size)), (1, 0, 2))
    return ops.reshape(ops.transpose(ops.matmul(by_track, kernels), (1, 0, 2)), (songs, units, tracks, made))
