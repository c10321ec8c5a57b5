"""Paths from a phrase of one song to a phrase of another: whether they move steadily, and whether they arrive.

A step is the change from one point of a path to the next:

* cells: 1 - F1 of cells, all tracks together. 0 for the same cells, 1 where none is shared.
* notes: 1 - F1 of notes, likewise.
* key: the distance of the tonal centroids of the phrases' pitched cells, 0..3; see `tonality.tonal_centroids`.
"""

import numpy as np

from msw2.evaluation.bootstrap import resample
from msw2.evaluation.results import ALL, Estimate, Key
from msw2.evaluation.song_measures import alone, keyed, pooled
from msw2.music import metrics, tonality
from msw2.music.grid import Grid
from msw2.music.metrics import Ratio, count, ratio
from msw2.music.note_metrics import note_f1, note_starts
from msw2.music.tracks import DRUMS

POINTS = 7
STEADY = 2.0  # times the mean step: the largest step of a steady path
VERB = "interpolate"
KINDS = ("cells", "notes", "key")
MEAN_STEP, LARGEST, IS_STEADY = "mean_step", "largest_over_mean", "steady"
ENDS, EXACT, BETWEEN = "ends_F1_notes", "ends_exact", "notes_between"


def measured(path: np.ndarray, restored: np.ndarray, grid: Grid) -> dict[str, Ratio]:
    """Measures one path.

    Args:
        path: bool [point, bar, step, pitch, track], at least three points.
        restored: bool [2, bar, step, pitch, track], the restorations of the phrases that it joins.
        grid: of both.

    Returns:
        One row each. `MEAN_STEP`, `LARGEST` (the largest step / the mean one) and `IS_STEADY` (whether that is at most
        `STEADY`) have a column for each of `KINDS`; the last two do not count where nothing moves. The others have one
        column. `ENDS` is F1 of notes of the ends against the restorations. `EXACT` is the share of ends that are the
        restorations. `BETWEEN` is the notes of a point between the ends / those of an end.
    """
    steps = _steps(path, grid)
    mean, largest = steps.mean(axis=1), steps.max(axis=1)
    moves = mean > 0
    times = np.divide(largest, mean, out=np.zeros(len(mean)), where=moves)
    ends = path[[0, -1]]
    notes = count(note_starts(path), axis=(1, 2)).sum(axis=1)
    return {
        MEAN_STEP: ratio(mean[None], 1),
        LARGEST: ratio(times[None], moves[None]),
        IS_STEADY: ratio(((times <= STEADY) & moves)[None], moves[None]),
        ENDS: _of_all(note_f1(restored, ends)),
        EXACT: ratio([[(ends == restored).all(axis=(1, 2, 3, 4)).sum()]], 2),
        BETWEEN: ratio([[notes[1:-1].mean()]], [[notes[[0, -1]].mean()]]),
    }


def judged(draws: list[list[dict[str, Ratio]]], *, seed: int, resamples: int) -> dict[Key, Estimate]:
    """Returns the means over pairs, with intervals over pairs of songs.

    Args:
        draws: of each draw, what `measured` returns for each pair.
        seed: of the resampling.
        resamples: number of bootstrap resamples.
    """
    by_draw = [{name: metrics.joined([pair[name] for pair in draw]) for name in draw[0]} for draw in draws]
    samples = resample(
        {name: pooled([draw[name] for draw in by_draw]) for name in by_draw[0]}, seed, resamples
    )
    found: dict[Key, Estimate] = {}
    for name, sample in samples.items():
        columns = KINDS if len(sample.value) > 1 else (ALL,)
        found |= keyed(VERB, name, columns, sample)
        for index, draw in enumerate(by_draw):
            found |= keyed(f"{VERB}, seed {index}", name, columns, alone(draw[name]))
    return found


def _steps(path: np.ndarray, grid: Grid) -> np.ndarray:
    """Returns the steps of a path, float64 [kind, step]."""
    before, after = path[:-1], path[1:]
    cells = _of_each(metrics.f1_scores(before, after)[2])
    notes = _of_each(note_f1(before, after))
    pitched = count(path[..., DRUMS + 1 :], axis=(1, 2))
    classes = tonality.pitch_class_counts(pitched, grid).sum(axis=-1, keepdims=True)
    centroids = tonality.tonal_centroids(classes)[..., 0]
    heard = classes.any(axis=(1, 2))
    key = np.linalg.norm(centroids[1:] - centroids[:-1], axis=1) * (heard[1:] & heard[:-1])
    return np.stack([1 - cells, 1 - notes, key])


def _of_each(f1: Ratio) -> np.ndarray:
    """Returns the F1 of each row, all tracks together; 1 where both are silent."""
    above, below = f1.numerator.sum(axis=1), f1.denominator.sum(axis=1)
    return np.divide(above, below, out=np.ones(len(above)), where=below > 0)


def _of_all(f1: Ratio) -> Ratio:
    """Adds up all rows and tracks."""
    return ratio([[f1.numerator.sum()]], [[f1.denominator.sum()]])
