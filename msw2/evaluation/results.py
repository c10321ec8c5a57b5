"""The results of an evaluation: estimates by row, metric, definition and track."""

import dataclasses
import math
import typing
from collections.abc import Iterable

DATASET = "dataset"  # the row that all others are compared with
UNREFINED = "MSG1"  # generated, the BVAEs having the last word
GENERATED = "MSG2"
RESTORED = "MSR"  # the row that F1, precision and recall belong to
RESTORED_TRAIN = "MSR-train"  # the same of training songs
FLOOR = "floor"  # the second half of the dataset's songs, compared with the first
MEAN = "mean"  # the column that holds the mean of the tracks
NOTES = "F1_notes"  # F1 of notes, the metric nearest to the ear
ALL = "all"  # the column of measurements over all tracks together


class Key(typing.NamedTuple):
    """Names one measurement; `track` is a track, a pair of tracks, `MEAN` or `ALL`."""

    row: str
    metric: str
    definition: str
    track: str


class Estimate(typing.NamedTuple):
    """A mean or other statistic with its 95 % interval; NaN where nothing defines it, or no interval."""

    mean: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found.

    Attributes:
        estimates: in the units of the metrics' docstrings (shares in 0..1, not percent); `distance_<metric>` in
            those of the tables.
        phrases: number of phrases of each row, in the order of the rows.
        seed: of the resampling.
        resamples: number of bootstrap resamples.
        songs: how many songs the dataset's phrases are of; None where that is not known.
        searched: training phrases among which novelty was measured, and how many there are; None without it.
    """

    estimates: dict[Key, Estimate]
    phrases: dict[str, int]
    seed: int
    resamples: int
    songs: int | None = None
    searched: tuple[int, int] | None = None


def mean_of_known(values: Iterable[float]) -> float:
    """Returns the mean of the values other than NaN; NaN if every value is NaN."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
