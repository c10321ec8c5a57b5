"""How alike two sets of phrases are: overlapping areas of each metric, and the Fréchet distance of all together.

Both stand in for listeners, within limits. They say whether a set varies like real music, not whether it is good. Each
comes with a floor: the same measure between two halves of the real songs. Expect no model to be nearer.
"""

import dataclasses
from collections.abc import Hashable

import numpy as np
from scipy import stats

from msw2.evaluation.bootstrap import numbered
from msw2.evaluation.measures import COMPARED
from msw2.evaluation.results import ALL, DATASET, FLOOR, MEAN, Estimate, Key, mean_of_known
from msw2.music.metrics import Ratio
from msw2.music.tracks import TRACK_NAMES

PAIRS = 10_000  # most distances of a set; more hardly change a density
GROUPS = 10  # left out one after another, for the intervals
POINTS = 4096  # places on the line where two densities are compared
SMALLEST_DEVIATION = 0.05  # of a feature: what the real set hardly varies in would otherwise count for all

Ratios = dict[Hashable, Ratio]


def compare(
    ratios: dict[str, Ratios], vectors: dict[str, np.ndarray], songs: np.ndarray | None, *, seed: int
) -> dict[Key, Estimate]:
    """Compares every row with the dataset, and the second half of the dataset's songs with the first.

    The Fréchet distance of samples is too large, the more so the fewer phrases there are for its many components
    (Bińkowski et al. 2018). It is therefore taken between equal numbers of phrases, and twice: `FD` to the whole
    dataset, and `FD_half` to the first half of its songs with no more phrases than the second half has. Only
    `FD_half` may be compared with the row `FLOOR`, which is that second half.

    Intervals are of a jackknife that leaves out a tenth of all sets at a time, of neighbouring songs (Shao and Tu
    1995, section 2.3). A bootstrap's phrases repeat, which moves both measures. No song is cut in two. A generated
    phrase is a song of its own.

    Args:
        ratios: of each row, by (name, definition) of a measure; those of `COMPARED` are compared.
        vectors: of each row, float64 [phrase, component], see `music.features`.
        songs: [phrase] of the dataset, any name for each song, its phrases one after another. The floor needs
            at least two songs. None: each phrase is a song of its own, without a floor.
        seed: of the draw of pairs.

    Returns:
        `OA_<metric>` for each track and `OA`, their mean, with the mean over tracks; `FD` and `FD_half`. A single
        `OA_<metric>` has no interval: the draw of pairs alone would widen it. Intervals need `2 * GROUPS` phrases of
        each row, and `GROUPS` songs in each half of the dataset.

    Raises:
        ValueError: if there are not as many names of songs as phrases of the dataset.
    """
    real = vectors[DATASET]
    scale = np.maximum(real.std(axis=0), SMALLEST_DEVIATION)
    sets = {row: _Set(ratios[row], (each - real.mean(axis=0)) / scale) for row, each in vectors.items()}
    index, _ = numbered(len(real), songs)
    half = middle(songs) if songs is not None else None
    values, without, groups = _compare(sets, half, seed), [], _groups(index, half)
    if groups is not None and min(len(each.vectors) for each in sets.values()) >= 2 * GROUPS:
        without = [_compare(*_without(sets, groups, half, group), seed) for group in range(GROUPS)]
    return {
        key: Estimate(
            value, *interval(value, [] if key.metric.startswith("OA_") else [w[key] for w in without])
        )
        for key, value in values.items()
    }


@dataclasses.dataclass(frozen=True)
class _Set:
    """A row: its counts, and its scaled vectors [phrase, component]."""

    ratios: Ratios
    vectors: np.ndarray

    def where(self, kept) -> "_Set":
        """Returns some of the phrases: a mask or a slice."""
        ratios = {
            name: Ratio(each.numerator[kept], each.denominator[kept]) for name, each in self.ratios.items()
        }
        return _Set(ratios, self.vectors[kept])


def _compare(sets: dict[str, _Set], half: int | None, seed: int) -> dict[Key, float]:
    real = sets[DATASET]
    found: dict[Key, float] = {}
    others = [row for row in sets if row != DATASET]
    for row in others:
        found |= overlaps(row, real.ratios, sets[row].ratios, seed)
        found[Key(row, "FD", "correct", ALL)] = _equal_frechet(real.vectors, sets[row].vectors)
    if half is None:
        return found
    first, second = real.where(slice(half)), real.where(slice(half, None))
    found |= overlaps(FLOOR, first.ratios, second.ratios, seed)
    for row in (*others, FLOOR):
        # Restored phrases give their second half, too: the first half is not independent of the reference.
        compared = second.vectors if row == FLOOR else sets[row].vectors[-len(second.vectors) :]
        found[Key(row, "FD_half", "correct", ALL)] = _equal_frechet(first.vectors, compared)
    return found


def _without(
    sets: dict[str, _Set], groups: np.ndarray, half: int | None, group: int
) -> tuple[dict[str, _Set], int | None]:
    """Leaves a group out of every set; returns also where the second half of the dataset then begins.

    A set of as many phrases as the dataset may be its restoration: it loses the same phrases. Other sets lose
    neighbours, in equal numbers.
    """
    kept = {}
    for row, each in sets.items():
        size = len(each.vectors)
        kept[row] = (groups if size == len(groups) else np.arange(size) * GROUPS // size) != group
    begin = None if half is None else int(kept[DATASET][:half].sum())
    return {row: each.where(kept[row]) for row, each in sets.items()}, begin


def _groups(songs: np.ndarray, half: int | None) -> np.ndarray | None:
    """Returns the group of each phrase of the dataset, int [phrase], 0 .. GROUPS - 1; None if songs are too few.

    A group has whole songs, neighbours, in equal numbers. Each half is grouped by itself, so that both lose as much.
    """
    parts = []
    for part in (songs[:half], songs[half:]) if half else (songs,):
        place = np.cumsum(np.append(False, part[1:] != part[:-1]))  # of the song
        if place[-1] + 1 < GROUPS:
            return None
        parts.append(place * GROUPS // (place[-1] + 1))
    return np.concatenate(parts)


def interval(value: float, without: list[float]) -> tuple[float, float]:
    """Returns the jackknife's 95 % interval of a value that is not below 0; NaN without values.

    Args:
        value: of all.
        without: the values without each group; none: there is no interval.
    """
    if not without:
        return np.nan, np.nan
    error = np.sqrt((len(without) - 1) * np.var(without))
    reach = stats.t.ppf(0.975, len(without) - 1) * error
    return value - min(reach, value), value + reach


def middle(songs: np.ndarray) -> int | None:
    """Returns where a song begins that has as nearly as possible as many phrases before it as from it on.

    Args:
        songs: [phrase], any name for each song.

    Returns:
        A position, or None if there is only one song.
    """
    starts = np.flatnonzero(songs[1:] != songs[:-1]) + 1
    return int(starts[np.abs(2 * starts - len(songs)).argmin()]) if len(starts) else None


def overlapping_area(real: np.ndarray, other: np.ndarray, *, seed: int) -> float:
    """OA: overlap of the distances within the real set, and those from it to another set.

    Every phrase has one value of a metric; the distance of two phrases is the difference of their values. In a set
    like the real one, phrases are as far from real phrases as real phrases are from one another. Then OA is near 1.
    Source: Yang and Lerch 2018, absolute distances between values; of larger sets `PAIRS` pairs are drawn.

    Args:
        real: float64 [phrase], values.
        other: float64 [phrase], any number.
        seed: of the draw.

    Returns:
        0..1; NaN where there are fewer than two real values, or no other.
    """
    if len(real) < 2 or not len(other):
        return np.nan
    rng = np.random.default_rng(seed)
    if len(real) * (len(real) - 1) // 2 <= PAIRS:
        first, second = np.triu_indices(len(real), 1)
    else:
        first = rng.integers(len(real), size=PAIRS)
        second = (first + rng.integers(1, len(real), PAIRS)) % len(real)
    if len(real) * len(other) <= PAIRS:
        inter = np.subtract.outer(real, other).ravel()
    else:
        inter = real[rng.integers(len(real), size=PAIRS)] - other[rng.integers(len(other), size=PAIRS)]
    return overlap(np.abs(real[first] - real[second]), np.abs(inter))


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Returns the area under the lower of two densities, each a Gaussian KDE with Scott's bandwidth.

    It is taken over the whole line, where Yang and Lerch's code stops at the smallest and largest value: so the same
    sample twice has 1. A sample of one value has no density: then the overlap is the share of the other sample that
    has this value too.

    Args:
        first: float64 [sample], at least one.
        second: likewise.

    Returns:
        0..1.
    """
    size = max(np.abs(first).max(), np.abs(second).max())
    for sample, other in ((first, second), (second, first)):
        if np.ptp(sample) <= 1e-9 * size:
            return float(np.mean(np.abs(other - sample[0]) <= 1e-9 * size))
    bandwidths = [sample.std(ddof=1) * len(sample) ** -0.2 for sample in (first, second)]
    margin = 5 * max(bandwidths)
    low = min(first.min(), second.min()) - margin
    step = (max(first.max(), second.max()) + margin - low) / (POINTS - 1)
    densities = [
        _density((sample - low) / step, bandwidth / step)
        for sample, bandwidth in zip((first, second), bandwidths, strict=True)
    ]
    return float(np.minimum(*densities).sum())


def _density(sample: np.ndarray, bandwidth: float) -> np.ndarray:
    """Returns a KDE's mass at positions 0 .. POINTS - 1, of a sample in steps between them.

    The sample is binned linearly and convolved by FFT (Silverman 1982), so that its size costs nothing.
    """
    left = sample.astype(np.int64)
    weight = sample - left
    bins = np.bincount(left, 1 - weight, POINTS) + np.bincount(left + 1, weight, POINTS + 1)[:POINTS]
    kernel = np.exp(-2 * (np.pi * bandwidth * np.fft.rfftfreq(POINTS)) ** 2)
    return np.maximum(np.fft.irfft(np.fft.rfft(bins) * kernel, POINTS), 0) / len(sample)


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Squared Fréchet distance of the Gaussians fitted to two samples (Heusel et al. 2017).

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)). The trace of the root comes from the eigenvalues of the symmetric
    C1^(1/2) C2 C1^(1/2), which are the same. So covariances without full rank need no care.

    Args:
        first: float64 [sample, component].
        second: of the same components.

    Returns:
        0 for the same sample, without bound; NaN where either has fewer than two rows.
    """
    if min(len(first), len(second)) < 2:
        return np.nan
    above, below = (np.atleast_2d(np.cov(each, rowvar=False)) for each in (first, second))
    values, axes = np.linalg.eigh(above)
    root = (axes * np.sqrt(np.maximum(values, 0))) @ axes.T
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ below @ root), 0)).sum()
    apart = ((first.mean(axis=0) - second.mean(axis=0)) ** 2).sum()
    return float(max(apart + np.trace(above) + np.trace(below) - 2 * shared, 0))


def _equal_frechet(first: np.ndarray, second: np.ndarray) -> float:
    """The distance between as many rows of both, spread evenly over the longer one."""
    size = min(len(first), len(second))
    return frechet_distance(evenly(first, size), evenly(second, size))


def evenly(rows: np.ndarray, size: int) -> np.ndarray:
    """Returns `size` rows, spread evenly over all."""
    return rows[np.arange(size) * len(rows) // size]


def overlaps(row: str, real: Ratios, other: Ratios, seed: int) -> dict[Key, float]:
    """Returns the overlapping areas of a row with the real set.

    Args:
        row: its name, for the keys.
        real: counts of the real set, by (name, definition) of a measure.
        other: counts of the row.
        seed: of the draw of pairs.

    Returns:
        `OA_<metric>` for each track and `OA`, their mean, with the mean over tracks.
    """
    found: dict[Key, float] = {}
    columns: dict[str, list[float]] = {track: [] for track in TRACK_NAMES}
    for measure in COMPARED:
        name = measure.name, measure.definition
        for column, track in enumerate(measure.columns):
            area = overlapping_area(_values(real[name], column), _values(other[name], column), seed=seed)
            found[Key(row, f"OA_{measure.name}", "correct", track)] = area
            columns[track].append(area)
    means = {track: mean_of_known(areas) for track, areas in columns.items()}
    means[MEAN] = mean_of_known(means.values())
    return {Key(row, "OA", "correct", track): mean for track, mean in means.items()} | found


def _values(ratio: Ratio, column: int) -> np.ndarray:
    """The metric of every phrase that has a value, float64 [phrase]."""
    above, below = ratio.numerator[:, column], ratio.denominator[:, column]
    return above[below > 0] / below[below > 0]
