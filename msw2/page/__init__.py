"""Pages to listen on: one HTML file each, with everything in it. NumPy and the standard library only."""
