"""Whole songs, made and held out: how alike their bars are, whether the key holds, how full they are."""

from collections.abc import Iterable

import numpy as np

from msw2.evaluation.bootstrap import Sample, resample
from msw2.evaluation.results import ALL, Estimate, Key
from msw2.music import coherence, metrics
from msw2.music.grid import Grid
from msw2.music.metrics import Ratio
from msw2.music.tracks import TRACK_NAMES

DISTANCES = (1, 4, 8, 12, 16)  # bars
# Metrics that are compared by difference: of all cells of two bars; of one track, whichever sounds; of two phrases.
ALIKE, TRACKS_ALIKE, SAME_KEY = "bars_alike", "tracks_alike", "same_key"
CELLS, NOTES, SOUNDING = "cells", "notes", "sounding_tracks"  # metrics that are compared by quotient
COLUMNS = {
    ALIKE: tuple(map(str, DISTANCES)),
    TRACKS_ALIKE: tuple(map(str, DISTANCES)),
    SAME_KEY: (ALL,),
    CELLS: (*TRACK_NAMES, ALL),
    NOTES: (*TRACK_NAMES, ALL),
    SOUNDING: (ALL,),
}


def measured(songs: Iterable[np.ndarray], grid: Grid, *, seam: int | None = None) -> dict[str, Ratio]:
    """Measures songs, one at a time.

    Args:
        songs: bool [bar, step, pitch, track] each, at least one, whole phrases.
        grid: of all.
        seam: as for `coherence.bar_similarity`. The other metrics are then of the bars after it, and `SAME_KEY` is
            left out.

    Returns:
        A row for each song, by the names in `COLUMNS`.
    """
    parts: dict[str, list[Ratio]] = {}
    for song in songs:
        whole = song[None]
        after = whole[:, seam:]
        found = {
            ALIKE: coherence.bar_similarity(whole, DISTANCES, seam=seam),
            TRACKS_ALIKE: pooled(
                [
                    coherence.bar_similarity(whole[..., track : track + 1], DISTANCES, seam=seam)
                    for track in range(len(TRACK_NAMES))
                ]
            ),
        }
        if seam is None:
            found[SAME_KEY] = coherence.same_keys(whole, grid)
        found |= {
            CELLS: with_sum(metrics.cells_a_bar(after)),
            NOTES: with_sum(coherence.notes_each_bar(after)),
            SOUNDING: coherence.sounding_tracks(after),
        }
        for name, ratio in found.items():
            parts.setdefault(name, []).append(ratio)
    return {name: metrics.joined(ratios) for name, ratios in parts.items()}


def compared(
    row: str,
    made: list[dict[str, Ratio]],
    real: dict[str, Ratio],
    *,
    made_songs: np.ndarray | None,
    real_songs: np.ndarray,
    seed: int,
    resamples: int,
) -> dict[Key, Estimate]:
    """Returns the estimates of made songs, of real ones, and of how they compare.

    Args:
        row: name of what made them. `<row>, real` are the real ones, `<row>, seed <i>` one draw, `<row> - real` the
            difference of both, `<row> / real` the quotient.
        made: of each draw, what `measured` returns.
        real: likewise.
        made_songs: int [song], what each song of a draw was made of; None: each song of each draw is by itself.
        real_songs: int [song]. The same as `made_songs` where songs belong together one by one.
        seed: of the resampling.
        resamples: number of bootstrap resamples.
    """
    all_made = {name: pooled([draw[name] for draw in made], apart=made_songs is None) for name in made[0]}
    other = seed if made_songs is not None else seed + 1  # sets that do not belong together differ by chance
    ours = resample(all_made, seed, resamples, made_songs)
    theirs = resample(real, other, resamples, real_songs)
    found: dict[Key, Estimate] = {}
    for name, sample in ours.items():
        columns = COLUMNS[name]
        found |= keyed(row, name, columns, sample) | keyed(f"{row}, real", name, columns, theirs[name])
        if name in (ALIKE, TRACKS_ALIKE, SAME_KEY):
            found |= keyed(f"{row} - real", name, columns, difference(sample, theirs[name]))
        else:
            found |= keyed(f"{row} / real", name, columns, quotient(sample, theirs[name]))
        for index, draw in enumerate(made):
            found |= keyed(f"{row}, seed {index}", name, columns, alone(draw[name]))
    return found


def pooled(draws: list[Ratio], *, apart: bool = False) -> Ratio:
    """Returns the counts of all draws: added up song by song, or `apart`, one below the other."""
    if apart:
        return metrics.joined(draws)
    return metrics.ratio(sum(draw.numerator for draw in draws), sum(draw.denominator for draw in draws))


def keyed(row: str, metric: str, columns: tuple[str, ...], sample: Sample) -> dict[Key, Estimate]:
    """Returns the estimates of a sample by their keys."""
    estimates = zip(columns, sample.estimates(), strict=True)
    return {Key(row, metric, "correct", column): estimate for column, estimate in estimates}


def alone(ratio: Ratio) -> Sample:
    """Returns the value of counts, without an interval."""
    value = ratio.pooled()
    return Sample(value, np.zeros((0, len(value))))


def difference(first: Sample, second: Sample) -> Sample:
    """Subtracts value from value and draw from draw."""
    return Sample(first.value - second.value, first.draws - second.draws)


def quotient(first: Sample, second: Sample) -> Sample:
    """Divides value by value and draw by draw; NaN where the second is 0."""
    return Sample(_divided(first.value, second.value), _divided(first.draws, second.draws))


def with_sum(counts: Ratio) -> Ratio:
    """Adds a column: all tracks together. The denominators are those of the first track."""
    total = counts.numerator.sum(axis=1, keepdims=True)
    return metrics.ratio(
        np.concatenate([counts.numerator, total], axis=1),
        np.concatenate([counts.denominator, counts.denominator[:, :1]], axis=1),
    )


def _divided(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(below.shape, np.nan), where=below > 0)
