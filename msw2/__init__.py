"""msw2: MIDI-Sandwich2 (Liang, Wu, Cao 2019), reproduced in Keras 3 on TensorFlow."""

__version__ = "0.1.0"
