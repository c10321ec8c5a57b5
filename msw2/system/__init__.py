"""Files, processes, cores and memory. Nothing of music, no TensorFlow, no flags."""
