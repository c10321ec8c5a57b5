"""Statistics of the listening test against hand counts, published values and other formulas."""

import itertools
import math

import numpy as np
import pytest
from scipy import integrate, stats

from msw2.evaluation.listener_statistics import (
    holm,
    listeners_needed,
    mean_interval,
    ordinal_alpha,
    signed_rank,
)

NAN = math.nan


def test_the_interval_of_three_listeners_by_hand():
    # Means 2 and 5; deviations 1 and sqrt(7); Student's t of two degrees of freedom is 4.302653.
    mean, half = mean_interval(np.array([[1.0, 3.0], [2.0, 4.0], [3.0, 8.0]]))
    np.testing.assert_allclose(mean, [2, 5])
    np.testing.assert_allclose(half, [4.302653 / math.sqrt(3), 4.302653 * math.sqrt(7 / 3)], rtol=1e-6)


def test_the_interval_is_scipys():
    values = np.random.default_rng(3).normal(size=13)
    mean, half = mean_interval(values)
    low, high = stats.t.interval(0.95, 12, values.mean(), stats.sem(values))
    np.testing.assert_allclose([mean - half, mean + half], [low, high])


def test_one_listener_has_no_interval():
    mean, half = mean_interval(np.array([[1.0, 3.0, 4.0]]))
    np.testing.assert_array_equal(mean, [1, 3, 4])
    assert np.isnan(half).all()


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([1, 2, 3], 2 / 8),  # all of one sign: two of the eight patterns are as far out
        ([-1, 2, 3], 4 / 8),  # rank sums 5 and 6, and their mirror images 1 and 0
        ([0.5, 0.5, -0.5], 8 / 8),  # three equal ranks: sums 4 of 2, 2, 2; one step from the middle
        ([0.1 + 0.2, -0.3, 1.0], 6 / 8),  # equal but for the last bit: ranks 1.5, 1.5, 3 sum to 4.5 of 6
        ([0, 0, 1, 2, 3], 2 / 8),  # zeros are left out
        ([0, 0], 1),
        ([], 1),
        ([2], 1),
    ],
)
def test_the_signed_rank_test_by_hand(differences, p):
    assert signed_rank(np.array(differences, float)) == pytest.approx(p)


@pytest.mark.parametrize("count", [5, 9, 13])
def test_the_signed_rank_test_is_scipys_without_ties(count):
    differences = np.random.default_rng(count).normal(0.4, 1, count)
    assert signed_rank(differences) == pytest.approx(stats.wilcoxon(differences, mode="exact").pvalue)


def test_the_signed_rank_test_counts_every_pattern_of_signs_with_ties():
    differences = np.array([0.5, 0.5, -0.5, 1, 1, -2, 2, 2, 3])
    ranks = stats.rankdata(abs(differences))
    observed = abs((ranks * np.sign(differences)).sum())
    sums = [abs((ranks * signs).sum()) for signs in itertools.product([-1, 1], repeat=len(ranks))]
    assert signed_rank(differences) == pytest.approx(np.mean(np.array(sums) >= observed))
    assert signed_rank(-differences) == signed_rank(differences)


def test_holm_by_hand():
    # Sorted: 0.005 x 4, 0.01 x 3, 0.03 x 2, 0.04 x 1, which may not fall below the 0.06 before it.
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.5, 0.9, 0.4]), [1, 1, 1])
    np.testing.assert_allclose(holm([0.2]), [0.2])


def test_alpha_of_krippendorffs_own_example():
    # Krippendorff 2011, section E: four observers, twelve units, ordinal alpha 0.815.
    observers = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
    assert ordinal_alpha(np.array(observers)) == pytest.approx(0.815, abs=5e-4)


def test_alpha_by_hand():
    # Two listeners, two clips: 1 and 2, then 2 and 3. Ordinal distances: of 1, 2 and 2, 3 (n1/2 + n2/2)^2 = 2.25,
    # of 1, 3 (1/2 + 2 + 1/2)^2 = 9. Observed: 4 x 2.25 = 9. Expected: (8 x 2.25 + 2 x 9) / 3 = 12.
    assert ordinal_alpha(np.array([[1.0, 2.0], [2.0, 3.0]])) == pytest.approx(1 - 9 / 12)


def test_alpha_at_its_ends():
    ranked = np.tile([1.0, 3.0, 4.0, 5.0], (6, 1))
    assert ordinal_alpha(ranked) == pytest.approx(1)
    assert ordinal_alpha(np.array([[1.0, 5.0], [5.0, 1.0]])) < 0
    chance = np.random.default_rng(0).integers(1, 6, (40, 200)).astype(float)
    assert abs(ordinal_alpha(chance)) < 0.01
    assert math.isnan(ordinal_alpha(np.full((3, 4), 2.0)))
    assert math.isnan(ordinal_alpha(np.array([[1.0, 2.0, 3.0]])))


def power_of_t(count, effect, alpha):
    """Power of the two-sided paired t test by integrating over the deviation: no noncentral t."""
    freedom = count - 1
    critical = stats.t.ppf(1 - alpha / 2, freedom)

    def rejected(q):
        return stats.norm.sf(critical * math.sqrt(q / freedom) - effect * math.sqrt(count))

    value, _ = integrate.quad(
        lambda q: stats.chi2.pdf(q, freedom) * rejected(q), 0, 20 * freedom + 200, limit=500
    )
    return value


@pytest.mark.parametrize(("deviation", "alpha"), [(0.6, 0.05), (0.6, 0.005), (0.45, 0.05), (1.0, 0.05 / 15)])
def test_the_listeners_needed_are_the_fewest_with_the_power(deviation, alpha):
    needed = listeners_needed(0.3, deviation, alpha)
    efficiency = 3 / math.pi
    assert power_of_t(needed * efficiency, 0.3 / deviation, alpha) >= 0.8
    assert power_of_t((needed - 1) * efficiency, 0.3 / deviation, alpha) < 0.8


def test_the_listeners_needed_give_wilcoxons_test_its_power():
    # A simulation with normal differences: 35 listeners for half a deviation.
    assert listeners_needed(0.5, 1.0) == 35
    draws = np.random.default_rng(1).normal(0.5, 1, (2000, 35))
    share = np.mean([signed_rank(row) < 0.05 for row in draws])
    assert share == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(
    ("deviation", "alpha", "needed"),
    [
        (0.0, 0.05, 6),  # 2 / 2 ** 6 is the first p below 0.05
        (1e-12, 0.005, 9),
        (100.0, 0.05, math.inf),
    ],
)
def test_the_ends_of_the_listeners_needed(deviation, alpha, needed):
    assert listeners_needed(0.3, deviation, alpha) == needed


def test_without_a_deviation_the_listeners_needed_are_not_known():
    assert math.isnan(listeners_needed(0.3, NAN))
