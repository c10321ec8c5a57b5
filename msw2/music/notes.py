"""Notes as arrays of pitches, starts and ends, and as cells of a pianoroll."""

import numpy as np

from msw2.music.grid import Grid
from msw2.music.tracks import TRACKS


def silence(bars: int, grid: Grid) -> np.ndarray:
    """Returns a silent pianoroll, bool [step, pitch, track].

    Each track lies in one piece of memory. Drawing, searching and packing go track by track, and are then
    several times faster than with a cell's tracks side by side.
    """
    return np.moveaxis(np.zeros((len(TRACKS), bars * grid.steps, grid.pitches), bool), 0, -1)


def nearest_step(ticks: np.ndarray, ticks_per_beat: int, grid: Grid) -> np.ndarray:
    """Returns the nearest steps of int64 ticks. It uses whole numbers only, so halves always go up."""
    return (2 * ticks * grid.beat_resolution + ticks_per_beat) // (2 * ticks_per_beat)


def draw(cells: np.ndarray, pitches: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> None:
    """Switches on cells[start:end, pitch] of every note, in place.

    Notes that touch or overlap are joined first. So the number of cells bounds the work, even for a million
    notes that all last to the end.
    """
    # All pitches lie one after another on one line. Each note is a stretch of it.
    length = len(cells)
    first, last = pitches * length + starts, pitches * length + ends
    order = np.argsort(first)
    first, last = first[order], np.maximum.accumulate(last[order])
    gap = first[1:] > last[:-1]
    first = first[np.append(True, gap)[: len(first)]]
    last = last[np.append(gap, True)[: len(last)]]
    lengths = last - first
    line = np.repeat(first - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
    cells[line % length, line // length] = True


def runs(cells: np.ndarray, is_drum: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the notes of one track: pitches, first steps, steps after the last; int64 [note] each."""
    if is_drum:
        pitches, starts = np.nonzero(cells.T)
        return pitches, starts, starts + 1
    edges = np.diff(np.pad(cells, ((1, 1), (0, 0))).astype(np.int8), axis=0).T
    pitches, starts = np.nonzero(edges == 1)
    return pitches, starts, np.nonzero(edges == -1)[1]
