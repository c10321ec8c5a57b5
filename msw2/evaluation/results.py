"""The results of an evaluation: estimates by row, metric, definition and track."""

import dataclasses
import typing

DATASET = "dataset"  # the row that all others are compared with
RESTORED = "MSR"  # the row that F1, precision and recall belong to
RESTORED_TRAIN = "MSR-train"  # the same of training songs
MEAN = "mean"  # the column that holds the mean of the tracks


class Key(typing.NamedTuple):
    """Names one measurement; `track` is a track, a pair of tracks, or `MEAN`."""

    row: str
    metric: str
    definition: str
    track: str


class Estimate(typing.NamedTuple):
    """A mean with its 95 % bootstrap interval; NaN where nothing defines it."""

    mean: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found.

    Attributes:
        estimates: in the units of the metrics' docstrings (shares in 0..1, not percent).
        phrases: number of phrases of each row, in the order of the rows.
        seed: of the resampling.
        resamples: number of bootstrap resamples.
    """

    estimates: dict[Key, Estimate]
    phrases: dict[str, int]
    seed: int
    resamples: int
