"""How a perceptron over all steps of a bar is trained."""

import keras
from keras import ops

from msw2.models import native
from msw2.models.operations import in_training, on_cpu, perceptron


class Perceptron(keras.layers.Layer):
    """Dense layers one after the other, as one operation in a training where the CPU multiplies bfloat16.

    Where one product of bfloat16 stands for one of float32 (`native.use_tiles`), weights, biases and gradients stay
    float32; what is read has no gradient then. Elsewhere, and in inference, each layer is called in turn.

    Args:
        layers: built; all but the last with ReLU, the last linear, all with biases.
    """

    def __init__(self, layers: list[keras.layers.Dense], **kwargs):
        super().__init__(**kwargs)
        self.dense = layers

    def call(self, inputs, training=None):
        """Maps [..., feature] to [..., unit of the last layer]."""
        if in_training(training) and self._is_fast():
            import tensorflow as tf  # noqa: PLC0415 (other backends run without TensorFlow)

            # As tensors: a gradient written out cannot be that of a variable.
            weights = [each for layer in self.dense for each in (layer.kernel, layer.bias)]
            return perceptron(ops.cast(inputs, "float32"), [tf.convert_to_tensor(each) for each in weights])
        for layer in self.dense:
            inputs = layer(inputs)
        return inputs

    def compute_output_shape(self, input_shape):
        """Returns the shape of what `call` returns."""
        return *input_shape[:-1], self.dense[-1].units

    def _is_fast(self) -> bool:
        if keras.backend.backend() != "tensorflow" or self.compute_dtype != "float32":
            return False
        return native.tiles_in_use() == 1 and on_cpu()
