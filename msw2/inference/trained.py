"""What the commands work with: the packaged weights, a finished run, or a .keras file."""

import os

from msw2.inference.model_file import ModelFile
from msw2.inference.places import PACKAGED, SUFFIX, WEIGHTS, is_run
from msw2.training.runs import Run, RunError

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
    if is_run(name):
        return Run.open(name)
    if str(name) not in PACKAGED:
        return ModelFile.open(name)
    file = WEIGHTS / f"{name}{SUFFIX}"
    if not file.exists():
        raise RunError(f"this installation of msw2 lacks the packaged weights {name} ({file})")
    return ModelFile.open(file)
