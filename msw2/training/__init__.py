"""The stages of training, and the run directories that hold what they make."""
