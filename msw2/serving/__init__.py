"""A trained run as a SavedModel that TF Serving loads."""
