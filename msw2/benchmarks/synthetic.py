"""Data for measuring speed: as full as music is, and the same on every machine. NumPy only."""

import dataclasses

import numpy as np

from msw2.config import Config, preset

SOUNDING = 0.03  # share of the cells of a bar that sounds, about as in Freedoom's


def config_of(job: dict) -> Config:
    """Returns the config that a job names: `preset`, and fields in `overrides`."""
    return dataclasses.replace(preset(job["preset"]), **job.get("overrides", {}))


def units(config: Config, count: int) -> np.ndarray:
    """Returns what a BVAE reads, bool [unit, step, pitch]; a share of `SOUNDING` cells sound."""
    rng = np.random.default_rng(0)
    return rng.random((count, config.unit_steps, config.pitches), np.float32) < SOUNDING
