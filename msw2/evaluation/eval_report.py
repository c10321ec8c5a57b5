"""Evaluation of named sets of phrases, and its files: `table1.md` to read, `metrics.csv` to compute with."""

import csv
import os
import pathlib
from collections.abc import Hashable

import numpy as np

from msw2.evaluation import distances, quality, tables
from msw2.evaluation.bootstrap import Sample, resample
from msw2.evaluation.measures import MEASURES, SCORES, measure_all
from msw2.evaluation.results import DATASET, MEAN, RESTORED, Estimate, Evaluation, Key
from msw2.music import metrics
from msw2.music.features import features
from msw2.music.grid import Grid
from msw2.music.note_metrics import note_scores
from msw2.music.tracks import TRACK_NAMES
from msw2.system.files import replacing


def evaluate(
    rows: dict[str, np.ndarray],
    grid: Grid,
    *,
    seed: int,
    resamples: int = 1000,
    original: np.ndarray | None = None,
    restored: np.ndarray | None = None,
    songs: np.ndarray | None = None,
) -> Evaluation:
    """Measures every metric of every row, with bootstrap intervals over songs, and how like the dataset each row is.

    Distances to the dataset row are `distances.estimates`, overlapping areas and Fréchet distances
    `quality.compare`. Generated phrases have no songs: each is resampled by itself, see `bootstrap`.

    Args:
        rows: "dataset", and any of "MSG1", "MSG2", "MSR" or others; each bool [phrase, bar, step, pitch,
            track] with the five tracks.
        grid: sizes of a phrase.
        seed: of the resampling.
        resamples: number of bootstrap resamples, at least 1.
        original: phrases to compare `restored` with, cell by cell; both or neither.
        restored: their restorations, in the same order.
        songs: [phrase] of the dataset, names of their songs; the row "MSR" has the same. The phrases of a song stand
            one after another. None: each phrase is resampled by itself, and there is no floor.

    Raises:
        ValueError: if a row is missing, empty, not bool or of another shape than the grid's.
    """
    _check(rows, grid, original, restored, resamples)
    # The dataset first, the others in their order.
    measured = {row: measure_all(rows[row], grid) for row in sorted(rows, key=lambda name: name != DATASET)}
    estimates: dict[Key, Estimate] = {}
    dataset = resample(measured[DATASET], seed, resamples, songs)
    for row, ratios in measured.items():
        known = songs if row == RESTORED else None
        samples = dataset if row == DATASET else resample(ratios, seed, resamples, known)
        estimates |= _row(row, samples, dataset)
    vectors = {row: features(phrases, grid) for row, phrases in rows.items()}
    estimates |= quality.compare(measured, vectors, songs, seed=seed)
    if original is not None:
        estimates |= restoration(RESTORED, original, restored, songs, seed=seed, resamples=resamples)
    count = None if songs is None else len(set(songs))
    return Evaluation(estimates, {row: len(each) for row, each in rows.items()}, seed, resamples, songs=count)


def _row(row: str, samples: dict[Hashable, Sample], dataset: dict[Hashable, Sample]) -> dict[Key, Estimate]:
    """Returns every measure of a row, and how the row compares with the dataset."""
    estimates: dict[Key, Estimate] = {}
    for measure in MEASURES:
        sample = samples[measure.name, measure.definition]
        estimates |= _estimates(row, measure.name, measure.definition, measure.columns, sample)
    quotient = _quotient(samples["cells", "correct"], dataset["cells", "correct"])
    estimates |= _estimates(row, "cells_ratio", "correct", TRACK_NAMES, quotient)
    if row != DATASET:
        estimates |= distances.estimates(row, samples, dataset)
    return estimates


def restoration(
    row: str,
    original: np.ndarray,
    restored: np.ndarray,
    songs: np.ndarray | None = None,
    *,
    seed: int,
    resamples: int = 1000,
) -> dict[Key, Estimate]:
    """Compares restored phrases with their originals, a track and as the mean of the tracks: `measures.SCORES`.

    Scores of notes are those of `note_metrics.note_scores`. Precision, recall and F1 are of cells.

    Args:
        row: `RESTORED`, or `RESTORED_TRAIN` for songs that the model was trained on.
        original: bool [phrase, bar, step, pitch, track].
        restored: the same phrases, restored.
        songs: [phrase], names of their songs; None: each phrase is resampled by itself.
        seed: of the resampling.
        resamples: number of bootstrap resamples.
    """
    scores = note_scores(original, restored)
    cells = zip(("precision", "recall", "F1"), metrics.f1_scores(original, restored), strict=True)
    scores |= dict(cells) | {"bars_kept": metrics.kept_bar_rate(original, restored)}
    samples, estimates = resample(scores, seed, resamples, songs), {}
    for name in SCORES:
        with_mean = Sample(*map(_append_mean, (samples[name].value, samples[name].draws)))
        estimates |= _estimates(row, name, "correct", (*TRACK_NAMES, MEAN), with_mean)
    return estimates


def write_reports(
    folder: str | os.PathLike, evaluation: Evaluation, *, split: str, preset: str
) -> tuple[pathlib.Path, pathlib.Path]:
    """Writes `table1.md` and `metrics.csv`, each whole or not at all, and returns their paths.

    Args:
        folder: made if it is missing.
        evaluation: what to write.
        split: name of the split that the dataset row was read from, for the header.
        preset: name of the run's preset, for the header.
    """
    folder = pathlib.Path(folder)
    table, values = folder / "table1.md", folder / "metrics.csv"
    write_metrics(values, evaluation.estimates)
    with replacing(table) as temporary:
        temporary.write_text(tables.markdown(evaluation, split=split, preset=preset), encoding="utf-8")
    return table, values


def write_metrics(path: str | os.PathLike, estimates: dict[Key, Estimate]) -> None:
    """Writes estimates as a CSV that `experiments.read_metrics` reads, six digits each, whole or not at all."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*Key._fields, *Estimate._fields])
        for key, estimate in estimates.items():
            writer.writerow([*key, *(f"{value:.6g}" for value in estimate)])


def _estimates(
    row: str, metric: str, definition: str, columns: tuple[str, ...], sample: Sample
) -> dict[Key, Estimate]:
    return {
        Key(row, metric, definition, column): estimate
        for column, estimate in zip(columns, sample.estimates(), strict=True)
    }


def _append_mean(values: np.ndarray) -> np.ndarray:
    """[..., track] -> [..., track + 1]: the mean of the tracks that have a value comes last."""
    known = ~np.isnan(values)
    total, count = np.where(known, values, 0).sum(axis=-1), known.sum(axis=-1)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return np.concatenate([values, mean[..., None]], axis=-1)


def _quotient(sample: Sample, of: Sample) -> Sample:
    """Divides value by value and draw by draw; NaN where `of` is 0."""
    return Sample(_divide(sample.value, of.value), _divide(sample.draws, of.draws))


def _divide(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(below.shape, np.nan), where=below > 0)


def _check(rows: dict[str, np.ndarray], grid: Grid, original, restored, resamples: int) -> None:
    if DATASET not in rows:
        raise ValueError(
            f"rows {', '.join(rows) or 'none'} do not include {DATASET!r}, the one to compare with"
        )
    if (original is None) != (restored is None):
        raise ValueError("original and restored are given together or not at all")
    if resamples < 1:
        raise ValueError(f"resamples {resamples} is below 1")
    compared = {} if original is None else {"original": original, "restored": restored}
    for name, phrases in (rows | compared).items():
        shape = (*grid.phrase_shape, len(TRACK_NAMES))
        if phrases.dtype != bool or phrases.shape[1:] != shape or len(phrases) == 0:
            raise ValueError(
                f"{name} is {phrases.dtype} of shape {phrases.shape}, not bool of shape "
                f"(phrases, {', '.join(map(str, shape))}) with at least one phrase"
            )
