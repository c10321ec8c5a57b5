"""What copying would do: the hidden part of a phrase, taken from the training phrase whose given part is nearest.

Nearest is as in `novelty`: the given parts have most cells in common (Dice), in the best of thirteen transpositions.
What is copied moves by the same transposition. Only training phrases count whose hidden part sounds.
"""

import numpy as np

from msw2.data import packing
from msw2.evaluation.novelty import BATCH, nearest
from msw2.music.grid import Grid
from msw2.music.tracks import DRUMS


def copied(phrases: np.ndarray, given: np.ndarray, training: np.ndarray, grid: Grid) -> np.ndarray:
    """Fills what is hidden of phrases with the same part of training phrases; see the module.

    Args:
        phrases: bool [phrase, bar, step, pitch, track], all five tracks.
        given: bool [bar, track], what may be looked at.
        training: uint8 [phrase, track, byte], see `packing.pack`.
        grid: of all.

    Returns:
        bool, the shape of `phrases`; silent in what is hidden where no training phrase has a given cell in common.
    """
    seen = given[:, None, None]
    mask = packing.pack(np.broadcast_to(seen, (1, *phrases.shape[1:])))[0]
    starts = range(0, len(training), BATCH)
    sounding = [(training[start : start + BATCH] & ~mask).any(axis=(1, 2)) for start in starts]
    rows = np.flatnonzero(np.concatenate([np.zeros(0, bool), *sounding]))
    batches = (training[rows[start : start + BATCH]] & mask for start in range(0, len(rows), BATCH))
    found = nearest(phrases & seen, batches, grid)
    filled = phrases & seen
    for place in np.flatnonzero(found.index >= 0):
        copy = packing.unpack(training[None, rows[found.index[place]]], grid)[0]
        # The phrase, so transposed, is near the training phrase: the copy goes the other way.
        filled[place] |= transposed(copy, -int(found.semitones[place])) & ~seen
    return filled


def transposed(cells: np.ndarray, semitones: int) -> np.ndarray:
    """Transposes the pitched tracks of bool [..., pitch, track]; notes that leave the pitch axis are lost."""
    moved = np.zeros_like(cells)
    moved[..., : DRUMS + 1] = cells[..., : DRUMS + 1]
    up, down = max(semitones, 0), max(-semitones, 0)
    size = cells.shape[-2]
    moved[..., up : size - down, DRUMS + 1 :] = cells[..., down : size - up, DRUMS + 1 :]
    return moved
