"""msw2: MIDI-Sandwich2 (Liang, Wu, Cao 2019), reproduced in Keras 3 on TensorFlow.

    band = msw2.load("runs/demo")         # a finished run, or a .keras file
    restored = band.restore(multitrack)   # a pypianoroll.Multitrack, or a pretty_midi.PrettyMIDI
    songs = band.generate(songs=2)        # a list of pypianoroll.Multitrack

`msw2.restore(multitrack, model=...)` and `msw2.generate(model=..., songs=2)` do the same in one call.
"""

import importlib
import os
from typing import Any

__version__ = "0.1.0"
__all__ = ["generate", "load", "restore"]

MODEL = "runs/tuned"  # the run that the commands take by default


def load(path: str | os.PathLike = MODEL) -> Any:
    """Opens a finished run's directory or a .keras file; see `inference.band.Band`."""
    # TensorFlow takes seconds to import: whoever wants the metrics alone does not wait for it.
    return importlib.import_module("msw2.inference.band").Band.load(path)


def restore(song: Any, *, model: str | os.PathLike = MODEL) -> Any:
    """Takes a song through the sandwich and back; see `inference.band.Band.restore`."""
    return load(model).restore(song)


def generate(*, model: str | os.PathLike = MODEL, **how: Any) -> list:
    """Makes songs from nothing; `how` is as for `inference.band.Band.generate`."""
    return load(model).generate(**how)
