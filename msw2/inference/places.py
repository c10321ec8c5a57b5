"""Where packaged weights lie, and where what is made goes. Imports neither TensorFlow nor Keras."""

import os
import pathlib

WEIGHTS = pathlib.Path(__file__).parents[1] / "weights"
PACKAGED = ("tuned", "demo")  # the first is taken without asking
SUFFIX = ".keras"


def is_run(name: str | os.PathLike) -> bool:
    """Returns whether a name is of a run's directory, and not of packaged weights or a .keras file."""
    return str(name) not in PACKAGED and pathlib.Path(name).suffix != SUFFIX


def home_of(name: str | os.PathLike) -> pathlib.Path:
    """Returns the folder of what is made: a run's directory; else `msw2-<name>` in the current folder."""
    return pathlib.Path(name) if is_run(name) else pathlib.Path(f"msw2-{pathlib.Path(name).stem}")
