"""Statistics of a listening test: intervals, paired tests, agreement, and how many listeners are needed."""

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

LEVEL = 0.95
ALPHA = 0.05
POWER = 0.8
# Efficiency of Wilcoxon's test beside the t test on normal differences, as their number grows (Hodges, Lehmann 1956).
WILCOXON_EFFICIENCY = 3 / math.pi
MOST_LISTENERS = 100_000  # where the search for a number of listeners ends
_DIGITS = 9  # differences of means that agree to so many decimals are ties


def mean_interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the mean over the first axis, and half of its 95 % interval by Student's t.

    Args:
        values: float [listener, ...]; one mean a listener, so that rows are independent of each other.

    Returns:
        Mean and half width, float [...]. The half width is NaN for one listener.
    """
    count = len(values)
    mean = values.mean(axis=0)
    if count < 2:
        return mean, np.full_like(mean, math.nan)
    error = values.std(axis=0, ddof=1) / math.sqrt(count)
    return mean, stats.t.ppf(0.5 + LEVEL / 2, count - 1) * error


def signed_rank(differences: np.ndarray) -> float:
    """Returns the two-sided p of Wilcoxon's signed-rank test (1945), exact with ties, too.

    Zeros are left out, as Wilcoxon did. Equal sizes share the mean of their ranks. The p is the share of all
    sign patterns whose rank sum is at least as far from the middle as the observed one.

    Args:
        differences: float [listener].

    Returns:
        0..1; 1 where all differences are zero.
    """
    differences = np.round(np.asarray(differences, float), _DIGITS)
    differences = differences[differences != 0]
    if not len(differences):
        return 1.0
    doubled = np.rint(2 * stats.rankdata(abs(differences))).astype(int)  # whole numbers, ties included
    share = np.ones(1)  # probability of each sum of the doubled ranks with a positive sign
    for rank in doubled:
        share = (np.pad(share, (0, rank)) + np.pad(share, (rank, 0))) / 2
    sums, middle = np.arange(len(share)), doubled.sum() / 2
    observed = abs(doubled[differences > 0].sum() - middle)
    return min(1.0, float(share[abs(sums - middle) >= observed].sum()))


def holm(p: Sequence[float]) -> np.ndarray:
    """Returns p values adjusted for their number by Holm's step-down method (1979), in the order given.

    Args:
        p: of each test, 0..1.
    """
    p = np.asarray(p, float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def ordinal_alpha(scores: np.ndarray) -> float:
    """Returns Krippendorff's alpha for ordinal scores: agreement between listeners beyond chance.

    It suits scores from 1 to 5, which are ordered but need not be equally far apart, and any number of listeners.
    An intraclass correlation would take the distances for equal. Kendall's W has no allowance for chance.
    Source: K. Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011.

    Args:
        scores: float [listener, clip]; NaN where a listener did not score a clip.

    Returns:
        1 for full agreement, 0 for what chance gives, below 0 for less. NaN where no clip has two scores, or all
        scores are the same.
    """
    scores = np.asarray(scores, float)
    values = np.unique(scores[~np.isnan(scores)])
    counts = (scores[..., None] == values).sum(axis=0)  # [clip, value]
    counts = counts[counts.sum(axis=1) >= 2]
    if not len(counts):
        return math.nan
    pairs = counts[:, :, None] * (counts[:, None, :] - np.eye(len(values)))
    coincidences = (pairs / (counts.sum(axis=1) - 1)[:, None, None]).sum(axis=0)
    totals = coincidences.sum(axis=1)
    middles = np.cumsum(totals) - totals / 2  # ranks; ordinal distance is their difference, squared
    distances = (middles[:, None] - middles) ** 2
    expected = (totals[:, None] * totals * distances).sum() / (totals.sum() - 1)
    return float(1 - (coincidences * distances).sum() / expected) if expected else math.nan


def listeners_needed(difference: float, deviation: float, alpha: float = ALPHA) -> float:
    """Returns how many listeners show a difference with a power of 0.8 in Wilcoxon's test, two-sided.

    The power is that of the paired t test (noncentral t) with the listeners reduced by Wilcoxon's efficiency on
    normal differences, 3 / pi. So few listeners that not even the smallest p reaches `alpha` are not enough.

    Args:
        difference: to be found between two systems' means, above 0.
        deviation: standard deviation of the listeners' differences, at least 0.
        alpha: level of the test, 0..1.

    Returns:
        A whole number; NaN for an unknown deviation; infinity above 100,000.
    """
    if math.isnan(deviation):
        return math.nan
    low = math.ceil(math.log2(2 / alpha))  # the smallest p of n listeners is 2 / 2 ** n
    high = MOST_LISTENERS
    if not _suffices(high, difference, deviation, alpha):
        return math.inf
    while low < high:  # the power grows with the listeners
        middle = (low + high) // 2
        if _suffices(middle, difference, deviation, alpha):
            high = middle
        else:
            low = middle + 1
    return low


def _suffices(listeners: int, difference: float, deviation: float, alpha: float) -> bool:
    """Returns whether so many listeners give the power."""
    effective = listeners * WILCOXON_EFFICIENCY
    critical = stats.t.ppf(1 - alpha / 2, effective - 1)
    # Beyond this the power is 1, and SciPy's noncentral t not a number.
    shift = min(difference * math.sqrt(effective) / max(deviation, 1e-9), 30.0)
    # The other tail has no power worth counting, and SciPy's noncentral t is unsure of it.
    return stats.nct.sf(critical, effective - 1, shift) >= POWER
