"""Songs as objects of pypianoroll or pretty_midi, to arrays and back."""

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from msw2.music.grid import Grid
from msw2.music.multitrack import from_multitrack, from_pretty_midi, to_multitrack, to_pretty_midi

if TYPE_CHECKING:
    from pretty_midi import PrettyMIDI
    from pypianoroll import Multitrack

    Song = TypeVar("Song", Multitrack, PrettyMIDI)
    AnySong = Multitrack | PrettyMIDI

_KINDS = {
    "Multitrack": (from_multitrack, to_multitrack),
    "PrettyMIDI": (from_pretty_midi, to_pretty_midi),
}


def read_object(song: "AnySong", grid: Grid) -> tuple[np.ndarray, float]:
    """Returns a song on the grid, bool [step, pitch, track] in whole bars, and its tempo in beats a minute.

    Raises:
        SongError: if it does not fit the grid.
        TypeError: for an object of another kind.
    """
    kind = type(song).__name__
    if kind not in _KINDS:
        raise TypeError(f"{kind} is not one of {', '.join(_KINDS)}")
    return _KINDS[kind][0](song, grid)


def object_like(song: "Song", cells: np.ndarray, grid: Grid, tempo: float) -> "Song":
    """Returns cells, bool [step, pitch, track], as an object of the kind of a song."""
    return _KINDS[type(song).__name__][1](cells, grid, tempo)
