"""A phrase as three vectors of numbers, one for each aspect of music. `evaluation.closeness` compares sets by them.

* `texture`: how much of each track sounds, how high, in how many parts, and where in the beat its notes start. The
  components are those of `features` that `TEXTURE` names, for each track; `polyphony` and `cells` without drums.
* `tones`: share of the cells of the pitched tracks at each distance, in semitones, above the tonic of the phrase's best
  major key.
* `order`: how notes follow one another and go together, see `ordering`.

Each vector is short. So a thousand phrases are enough to compare, and no difference is lost among many numbers.
"""

import numpy as np

from msw2.music import features, ordering, tonality
from msw2.music.grid import Grid
from msw2.music.metrics import by_track, count
from msw2.music.tracks import DRUMS, TRACK_NAMES

TEXTURE = ("sounding", "notes", "pitch", "sixteenth_0", "sixteenth_2", "polyphony", "cells")
_SAME_ON_DRUMS = ("drums_polyphony", "drums_cells")  # their notes tell as much
NAMES = {
    "texture": tuple(
        name
        for component in TEXTURE
        for track in TRACK_NAMES
        if (name := f"{track}_{component}") not in _SAME_ON_DRUMS
    ),
    "tones": tuple(f"degree_{degree}" for degree in range(tonality.PITCH_CLASSES)),
    "order": ordering.NAMES,
}
_COLUMNS = [features.NAMES.index(name) for name in NAMES["texture"]]
_CHUNK = 128  # phrases at a time; it bounds the temporary arrays to some 50 MB


def aspects(phrases: np.ndarray, grid: Grid) -> dict[str, np.ndarray]:
    """Returns the vectors of phrases, by aspect.

    Args:
        phrases: bool [phrase, bar, step, pitch, track], all five tracks.
        grid: their grid.

    Returns:
        For each aspect, float64 [phrase, component], finite; `NAMES` has the components in order.
    """
    return {
        "texture": features.features(phrases, grid)[:, _COLUMNS],
        "tones": tones(phrases, grid),
        "order": ordering.order_features(phrases, grid),
    }


def tones(phrases: np.ndarray, grid: Grid) -> np.ndarray:
    """Returns the shares of the twelve degrees, float64 [phrase, degree]; 0 where no pitched track sounds.

    Args:
        phrases: bool [phrase, bar, step, pitch, track], all five tracks.
        grid: their grid.
    """
    parts = [np.zeros((0, tonality.PITCH_CLASSES), np.int64)]
    for start in range(0, len(phrases), _CHUNK):
        pitched = by_track(phrases[start : start + _CHUNK])[..., DRUMS + 1 :]  # drums come first
        parts.append(tonality.pitch_class_counts(count(pitched, axis=(1, 2)), grid).sum(axis=2))
    counts = np.concatenate(parts)
    degrees = tonality.best_tonic(counts)[:, None] + np.arange(tonality.PITCH_CLASSES)
    counts = np.take_along_axis(counts, degrees % tonality.PITCH_CLASSES, axis=1)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
