"""Moving the pitched tracks up or down together; drums stay, since their pitches name instruments."""

import numpy as np

from msw2.music.tracks import DRUMS


def transpose(phrases: np.ndarray, semitones: int) -> np.ndarray:
    """Transposes phrases. A phrase stops at the edge of the pitch axis, so that it loses no note.

    Args:
        phrases: bool [phrase, bar, step, pitch, track], all five tracks.
        semitones: how far, up if positive. A phrase with notes nearer to the edge than this moves only to
            the edge.

    Returns:
        bool, the same shape.
    """
    pitched = [track for track in range(phrases.shape[-1]) if track != DRUMS]
    pitches = phrases.shape[3]
    sounding = phrases[..., pitched].any(axis=(1, 2, 4))  # [phrase, pitch]
    lowest = sounding.argmax(axis=1)
    highest = pitches - 1 - sounding[:, ::-1].argmax(axis=1)
    silent = ~sounding.any(axis=1)
    shifts = np.where(silent, 0, np.clip(semitones, -lowest, pitches - 1 - highest))
    moved = phrases.copy()
    for shift in np.unique(shifts[shifts != 0]):
        rows = np.flatnonzero(shifts == shift)
        # Nothing wraps around: after the clip above only silence crosses the edge.
        rolled = np.roll(phrases[rows], shift, axis=3)
        rolled[..., DRUMS] = phrases[rows][..., DRUMS]
        moved[rows] = rolled
    return moved
