"""A fast LSTM for Keras on CPUs: see README.md. It imports nothing else of msw2."""
