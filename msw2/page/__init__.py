"""Pages to listen on: one HTML file each, with everything in it. NumPy and the sound layer: no TensorFlow, no flags."""
