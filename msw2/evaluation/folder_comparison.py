"""The evaluation that any model can have: its songs against real songs, all that needs no pairs."""

import dataclasses

import numpy as np

from msw2.data.music_folder import Music
from msw2.evaluation import novelty, quality
from msw2.evaluation.bootstrap import resample
from msw2.evaluation.closeness import TOTAL, Closeness, Vectors, closeness, halves
from msw2.evaluation.controls import controls
from msw2.evaluation.measures import CORRECT, NOTE_MEASURES, TONAL_DISTANCE, measure_all
from msw2.evaluation.results import ALL, FLOOR, Estimate, Evaluation, Key
from msw2.music.aspects import aspects
from msw2.music.grid import Grid
from msw2.music.metrics import Ratio
from msw2.system.progress import say

REAL, MADE = "real", "made"  # rows; FLOOR is one half of the real songs against the other
MEASURED = (*NOTE_MEASURES, *CORRECT, TONAL_DISTANCE)
DISTANCE, RATIO = "FD", "FD_ratio"  # metrics, followed by _<aspect> where they are of one aspect
RESAMPLES = 1000


@dataclasses.dataclass(frozen=True, eq=False)
class FolderComparison:
    """What `compare_music` found.

    Attributes:
        evaluation: rows `REAL` and `MADE`, with the metrics of `MEASURED`, overlapping areas, distances, novelty.
        music: what was read, by row; also "train", if it was given.
        closeness: the distances.
        controls: those of sets that are no music (`controls`), by name.
    """

    evaluation: Evaluation
    music: dict[str, Music]
    closeness: Closeness
    controls: dict[str, Closeness]


def compare_music(music: dict[str, Music], grid: Grid, *, seed: int) -> FolderComparison:
    """Measures two sets of songs, and how far the made ones are from the real ones.

    Args:
        music: `REAL`, `MADE`, and perhaps "train", to seek copies.
        grid: the grid of all.
        seed: of all draws.

    Raises:
        MusicError: if there are too few songs or phrases.
    """
    real, made = music[REAL], music[MADE]
    rows = {row: music[row].phrases(grid) for row in (REAL, MADE)}
    vectors = {row: aspects(phrases, grid) for row, phrases in rows.items()}
    close = closeness(vectors[REAL], vectors[MADE], real.songs, made.songs, seed=seed)
    ratios = {row: measure_all(phrases, grid) for row, phrases in rows.items()}
    no_music = _controls(rows[REAL], real.songs, vectors[REAL], grid, size=close.size, seed=seed)
    estimates: dict[Key, Estimate] = {}
    for row, counts in ratios.items():
        estimates |= _metrics(row, counts, music[row].songs, seed)
    estimates |= _overlaps(ratios, real.songs, seed) | _distances(MADE, close) | _floor(close)
    for name, each in no_music.items():
        estimates |= _distances(name, each)
    evaluation = Evaluation(estimates, {row: len(each) for row, each in rows.items()}, seed, RESAMPLES)
    if "train" in music:
        say("seeking copies of training phrases")
        evaluation = _with_novelty(evaluation, rows, music, grid)
    return FolderComparison(evaluation, music, close, no_music)


def distance_key(row: str, aspect: str | None = None, metric: str = DISTANCE) -> Key:
    """Returns the key of a distance or ratio: of one aspect, or the total."""
    return Key(row, f"{metric}_{aspect}" if aspect else metric, "correct", ALL)


def _metrics(row: str, counts: dict[tuple[str, str], Ratio], songs: np.ndarray, seed: int) -> dict:
    measured = {(measure.name, measure.definition): measure for measure in MEASURED}
    samples = resample({name: counts[name] for name in measured}, seed, RESAMPLES, songs)
    found = {}
    for name, measure in measured.items():
        found |= {
            Key(row, measure.name, "correct", column): estimate
            for column, estimate in zip(measure.columns, samples[name].estimates(), strict=True)
        }
    return found


def _overlaps(ratios: dict[str, dict], songs: np.ndarray, seed: int) -> dict[Key, Estimate]:
    """Returns overlapping areas: between made and real phrases, and between two halves of the real ones."""
    first, second = (
        {name: Ratio(each.numerator[half], each.denominator[half]) for name, each in ratios[REAL].items()}
        for half in halves(songs, np.random.default_rng(seed))
    )
    areas = quality.overlaps(MADE, ratios[REAL], ratios[MADE], seed)
    areas |= quality.overlaps(FLOOR, first, second, seed)
    return {key: Estimate(area, np.nan, np.nan) for key, area in areas.items()}


def _controls(
    phrases: np.ndarray, songs: np.ndarray, vectors: Vectors, grid: Grid, *, size: int, seed: int
) -> dict[str, Closeness]:
    """Measures sets that are no music, of `size` phrases. They have no intervals."""
    found = {}
    taken = (quality.evenly(each, size) for each in (phrases, songs))
    for name, made in controls(*taken, grid, seed=seed).items():
        found[name] = closeness(vectors, aspects(made, grid), songs, np.zeros(size, np.int64), seed=seed)
    return found


def _distances(row: str, close: Closeness) -> dict[Key, Estimate]:
    return _by_aspect(row, DISTANCE, close.made) | _by_aspect(row, RATIO, close.ratio)


def _floor(close: Closeness) -> dict[Key, Estimate]:
    return _by_aspect(FLOOR, DISTANCE, close.floor)


def _by_aspect(row: str, metric: str, values: dict[str, Estimate]) -> dict[Key, Estimate]:
    return {
        distance_key(row, None if aspect == TOTAL else aspect, metric): estimate
        for aspect, estimate in values.items()
    }


def _with_novelty(
    evaluation: Evaluation, rows: dict[str, np.ndarray], music: dict[str, Music], grid: Grid
) -> Evaluation:
    train, sought = music["train"], (MADE, REAL)
    batches = (train.packed[start : start + novelty.BATCH] for start in range(0, len(train), novelty.BATCH))
    found = novelty.nearest(np.concatenate([rows[row] for row in sought]), batches, grid)
    added = {}
    for row, distances in zip(sought, np.split(found.distance, [len(rows[MADE])]), strict=True):
        resampling = {"seed": evaluation.seed, "resamples": RESAMPLES, "songs": music[row].songs}
        added |= novelty.estimates(row, distances, **resampling)
    return dataclasses.replace(
        evaluation, estimates=evaluation.estimates | added, searched=(len(train), train.there)
    )
