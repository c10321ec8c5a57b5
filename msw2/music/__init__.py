"""Music as arrays: tracks, grid, pianorolls, MIDI and metrics. NumPy only: no TensorFlow, no flags."""
