"""What the commands work with: the packaged weights, a finished run, or a .keras file."""

import os
import pathlib

from msw2.inference.model_file import SUFFIX, ModelFile
from msw2.training.runs import Run

WEIGHTS = pathlib.Path(__file__).parents[1] / "weights"
PACKAGED = ("tuned", "demo")  # the first is taken without asking

Trained = Run | ModelFile


def open_trained(name: str | os.PathLike = PACKAGED[0]) -> Trained:
    """Opens packaged weights by their name, a .keras file, or a run's directory.

    What the commands make with a run goes to its directory. With any other it goes to `msw2-<name>` in the current
    folder.

    Args:
        name: `tuned` or `demo`; a path that ends in .keras; else a run's directory.

    Raises:
        RunError: if it is not there, or damaged.
    """
    if str(name) in PACKAGED:
        return ModelFile.open(WEIGHTS / f"{name}{SUFFIX}")
    if pathlib.Path(name).suffix == SUFFIX:
        return ModelFile.open(name)
    return Run.open(name)
