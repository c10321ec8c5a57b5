"""Sampling from a trained run, and the tables and figures that judge the samples."""
