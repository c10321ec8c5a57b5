"""Slope annealing of binary neurons (Dong and Yang 2018)."""

import keras

from msw2.models.binary_neurons import BinaryNeurons

RATE = 1.1  # growth of the slope an epoch


class SlopeAnnealing(keras.callbacks.Callback):
    """Sets the slope of a refiner's binary neurons at the begin of each epoch: 1, 1.1, 1.21, ...

    It is made from the epoch's number, not from the slope before, so that a continued training has the same.

    Args:
        refiner: with or without binary neurons.
    """

    def __init__(self, refiner: keras.Model):
        super().__init__()
        self._neurons = [layer for layer in refiner.layers if isinstance(layer, BinaryNeurons)]

    def on_epoch_begin(self, epoch, logs=None):
        """Sets the slopes; `epoch` counts from 0."""
        for neurons in self._neurons:
            neurons.slope.assign(RATE**epoch)
