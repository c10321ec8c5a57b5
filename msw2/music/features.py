"""A phrase as a vector of numbers. `evaluation.quality` compares sets of phrases by these vectors.

For each track (`<track>_<component>`):

* `sounding`: bars with sound / bars;
* `cells`: log2(1 + sounding cells a bar);
* `notes`: log2(1 + note starts a bar); on drums every cell is a note;
* `polyphony`: pitches at a time, the mean over the sounding steps;
* `pitch`, `spread`: mean and standard deviation of the pitches of its cells, in octaves. The mean is counted from
  the middle of the pitch axis. Drum pitches name instruments, so these two tell which instruments play;
* `sixteenth_0` .. `sixteenth_3`: share of note starts nearest to each sixteenth of the beat.

Each pitched track also has `degree_0` .. `degree_11`: the share of its cells at each distance, in semitones, above
the tonic of the phrase's best major key. A transposed phrase has the same degrees. Natural minor counts as its
relative major. Each pair of pitched tracks has `TD_<track>_<track>`, its tonal distance.

A component with nothing to measure is 0. So a silent track lies in the middle of the pitch axis, and two tracks
that never sound together have the tonal distance 0.
"""

import itertools

import numpy as np

from msw2.music import metrics, tonality
from msw2.music.grid import Grid
from msw2.music.note_metrics import note_starts
from msw2.music.tracks import DRUMS, TRACK_NAMES, TRACKS

SIXTEENTHS = 4  # a beat
_PITCHED = [index for index, track in enumerate(TRACKS) if not track.is_drum]
_PAIRS = tuple(itertools.combinations(range(len(_PITCHED)), 2))
_COMPONENTS = (
    *("sounding", "cells", "notes", "polyphony", "pitch", "spread"),
    *(f"sixteenth_{index}" for index in range(SIXTEENTHS)),
)
NAMES = (
    *(f"{track}_{component}" for component in _COMPONENTS for track in TRACK_NAMES),
    *(
        f"{TRACK_NAMES[track]}_degree_{degree}"
        for degree in range(tonality.PITCH_CLASSES)
        for track in _PITCHED
    ),
    *(f"TD_{TRACK_NAMES[_PITCHED[first]]}_{TRACK_NAMES[_PITCHED[second]]}" for first, second in _PAIRS),
)
_CHUNK = 128  # phrases at a time; it bounds the temporary arrays to some 50 MB


def features(phrases: np.ndarray, grid: Grid) -> np.ndarray:
    """Returns the vectors of phrases.

    Args:
        phrases: bool [phrase, bar, step, pitch, track], all five tracks.
        grid: their grid.

    Returns:
        float64 [phrase, component], finite; `NAMES` has the components in order.
    """
    parts = [np.zeros((0, len(NAMES)))]
    for start in range(0, len(phrases), _CHUNK):
        chunk = metrics.by_track(phrases[start : start + _CHUNK])
        parts.append(np.concatenate([*_texture(chunk), *_rhythm(chunk, grid), *_tones(chunk, grid)], axis=1))
    return np.concatenate(parts)


def _texture(phrases: np.ndarray) -> list[np.ndarray]:
    """`sounding` and `cells`, each [phrase, track]."""
    empty, bars, _ = metrics.empty_bar_rate(phrases)
    cells = metrics.cells_a_bar(phrases)
    return [1 - empty / bars, np.log2(1 + cells.numerator / cells.denominator)]


def _rhythm(phrases: np.ndarray, grid: Grid) -> list[np.ndarray]:
    """From `notes` to `sixteenth_3`, each [phrase, track]."""
    time = metrics.as_time(phrases)
    sounding = metrics.count(time.any(axis=2), axis=1)
    pitches = metrics.count(time, axis=1)  # [phrase, pitch, track]
    total = pitches.sum(axis=1)
    octaves = ((np.arange(grid.pitches) - (grid.pitches - 1) / 2) / tonality.PITCH_CLASSES)[:, None]
    mean = _share((pitches * octaves).sum(axis=1), total)
    deviation = np.sqrt(_share((pitches * (octaves - mean[:, None]) ** 2).sum(axis=1), total))
    counts = metrics.count(note_starts(phrases), axis=2)  # [phrase, step, track]
    notes = counts.sum(axis=1)
    steps = np.arange(counts.shape[1])
    nearest = np.floor(steps * SIXTEENTHS / grid.beat_resolution + 0.5).astype(int) % SIXTEENTHS
    placed = [counts[:, nearest == index].sum(axis=1) for index in range(SIXTEENTHS)]
    return [
        np.log2(1 + notes / phrases.shape[1]),
        _share(total, sounding),
        mean,
        deviation,
        *(_share(count, notes) for count in placed),
    ]


def _tones(phrases: np.ndarray, grid: Grid) -> list[np.ndarray]:
    """`degree_0` to `degree_11`, each [phrase, pitched track], and the tonal distances [phrase, pair]."""
    pitched = phrases[..., DRUMS + 1 :]  # drums come first
    counts = tonality.pitch_class_counts(metrics.count(pitched, axis=(1, 2)), grid)
    classes = (
        tonality.best_tonic(counts.sum(axis=2))[:, None] + np.arange(tonality.PITCH_CLASSES)
    ) % tonality.PITCH_CLASSES
    degrees = _share(np.take_along_axis(counts, classes[..., None], axis=1), counts.sum(axis=1)[:, None])
    distance = tonality.tonal_distance(pitched, grid, _PAIRS)
    return [*np.moveaxis(degrees, 1, 0), _share(distance.numerator, distance.denominator)]


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Divides; x / 0 is 0."""
    part, whole = np.broadcast_arrays(np.asarray(part, np.float64), np.asarray(whole, np.float64))
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)
