"""Songs as sound: a synthesizer, the mix of the five tracks, audio files. NumPy and SciPy: no TensorFlow."""
