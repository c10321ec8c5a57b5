"""A page to hear songs on: one HTML file that plays them. NumPy and the sound layer: no TensorFlow, no flags."""
