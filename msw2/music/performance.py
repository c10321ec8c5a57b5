"""How a pianoroll is played: how loud each note is, and when it is let go.

A pianoroll says which notes sound, and no more. Played all alike, they sound like a music box. So the place in the
bar makes the accent, as players learn it, and a note that comes again soon is let go a little early.
"""

from typing import NamedTuple

import numpy as np

from msw2.music import notes
from msw2.music.grid import Grid

FLAT_VELOCITY = 96  # of every note, where nothing is accented
DOWNBEAT, HALF_BAR, BEAT, OFF_BEAT, BETWEEN = 108, 102, 98, 88, 78  # from 5.6 to 1 dB apart in a synthesizer
# Steps. Less than half a step, since readers round to the nearest; a tenth is left to coarser ticks than ours.
EARLY = 0.4


class Played(NamedTuple):
    """The notes of one track, in the order of pitch and then of start.

    Attributes:
        pitches: int64 [note], rows of the grid.
        starts: int64 [note], steps.
        ends: float64 [note], steps; at most `EARLY` before the end in the pianoroll.
        velocities: int64 [note], 1..127.
    """

    pitches: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    velocities: np.ndarray


def play(cells: np.ndarray, is_drum: bool, grid: Grid, *, flat: bool = False) -> Played:
    """Returns the notes of one track, with their loudness and their ends as played.

    Consecutive sounding cells are one note. Each drum cell is a note. A note ends `EARLY` steps before its last cell
    ends if its pitch comes again within a quarter of a beat. So the new attack is heard. Rounded to the
    nearest step, the ends are the pianoroll's.

    Args:
        cells: bool [step, pitch] of the track, from a bar line on.
        is_drum: whether each cell is a note.
        grid: the grid of the cells.
        flat: whether all notes have `FLAT_VELOCITY`.
    """
    pitches, starts, ends = notes.runs(cells, is_drum)
    soon = max(1, grid.beat_resolution // 4)
    # The notes come pitch by pitch: the next in the array is the next of the same pitch, if there is one.
    again = (np.diff(pitches, append=-1) == 0) & (np.append(starts[1:], 0) - ends <= soon)
    velocities = np.full(len(pitches), FLAT_VELOCITY) if flat else accents(starts, grid)
    return Played(pitches, starts, ends - EARLY * again, velocities)


def accents(starts: np.ndarray, grid: Grid) -> np.ndarray:
    """Returns the velocities of notes by their place in the bar: the downbeat is loudest, then the third beat.

    Args:
        starts: int [note], steps from a bar line.
        grid: the grid of the steps.

    Returns:
        int64 [note], 78..108.
    """
    beat = grid.beat_resolution
    return np.select(
        [starts % grid.steps == 0, starts % (2 * beat) == 0, starts % beat == 0, 2 * starts % beat == 0],
        [DOWNBEAT, HALF_BAR, BEAT, OFF_BEAT],
        BETWEEN,
    )
