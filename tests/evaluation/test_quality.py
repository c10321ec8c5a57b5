import numpy as np
import pytest
from scipy import stats

from msw2.evaluation import quality
from msw2.evaluation.results import Estimate
from msw2.music.metrics import Ratio

RNG = np.random.default_rng(3)
FIRST, SECOND = RNG.gamma(2, 1, 60), RNG.normal(3, 0.7, 45)


def integral(first, second):
    ends = np.concatenate([first, second])
    points = np.linspace(ends.min() - 8, ends.max() + 8, 50_000)
    return np.trapezoid(np.minimum(*(stats.gaussian_kde(each)(points) for each in (first, second))), points)


def test_overlap_is_the_integral_of_the_lower_density():
    assert 0.2 < integral(FIRST, SECOND) < 0.8
    assert quality.overlap(FIRST, SECOND) == pytest.approx(integral(FIRST, SECOND), abs=1e-4)
    assert quality.overlap(SECOND, FIRST) == pytest.approx(quality.overlap(FIRST, SECOND))
    narrow = 2 + SECOND / 100  # other bandwidths
    assert quality.overlap(FIRST, narrow) == pytest.approx(integral(FIRST, narrow), abs=1e-3)


def test_overlap_of_a_sample_with_itself_is_all_and_of_far_ones_nothing():
    assert quality.overlap(FIRST, FIRST) == pytest.approx(1)
    assert quality.overlap(FIRST, FIRST + 100) == pytest.approx(0, abs=1e-6)
    assert quality.overlap(1e6 + FIRST, 1e6 + FIRST) == pytest.approx(1)


def test_overlap_with_a_constant_is_the_share_of_its_value():
    zeros, mixed = np.zeros(5), np.array([0, 0, 0, 1.0])
    assert quality.overlap(zeros, zeros) == 1
    assert quality.overlap(zeros, zeros + 2) == 0
    assert quality.overlap(zeros, mixed) == quality.overlap(mixed, zeros) == 0.75
    assert quality.overlap(np.full(3, 0.3), np.full(2, 0.1 + 0.2)) == 1  # the same but for rounding


def test_overlapping_area_is_of_distances_within_and_between():
    real, other = np.array([0, 1, 3.5, 4]), np.array([0.5, 9])
    within = [1, 3.5, 4, 2.5, 3, 0.5]
    between = [0.5, 9, 0.5, 8, 3, 5.5, 3.5, 5]
    found = quality.overlapping_area(real, other, seed=1)
    assert found == pytest.approx(integral(np.array(within), np.array(between)), abs=1e-4)
    assert np.isnan(quality.overlapping_area(real[:1], other, seed=1))
    assert np.isnan(quality.overlapping_area(real, other[:0], seed=1))
    assert quality.overlapping_area(np.ones(2), np.ones(1), seed=1) == 1


def test_drawn_pairs_stand_for_all(monkeypatch):
    real, other = RNG.normal(0, 1, 300), RNG.normal(1, 2, 200)
    drawn = quality.overlapping_area(real, other, seed=1)
    assert drawn == quality.overlapping_area(real, other, seed=1)
    assert drawn != quality.overlapping_area(real, other, seed=2)
    monkeypatch.setattr(quality, "PAIRS", 10**6)
    assert drawn == pytest.approx(quality.overlapping_area(real, other, seed=1), abs=0.03)


def test_a_drawn_pair_is_of_two_phrases(monkeypatch):
    monkeypatch.setattr(quality, "PAIRS", 4)  # of five values that are all different no distance is 0
    seen = []
    monkeypatch.setattr(quality, "overlap", lambda within, _: seen.extend(within))
    for seed in range(30):
        quality.overlapping_area(np.arange(5.0), np.arange(5.0), seed=seed)
    assert len(seen) == 120
    assert set(seen) == {1, 2, 3, 4}


def test_frechet_distance_is_that_of_the_gaussians():
    first, second = RNG.normal(0, 1, 40), RNG.normal(2, 3, 70)
    expected = (first.mean() - second.mean()) ** 2 + (first.std(ddof=1) - second.std(ddof=1)) ** 2
    assert quality.frechet_distance(first[:, None], second[:, None]) == pytest.approx(expected)


def test_frechet_distance_in_two_dimensions_whose_axes_turn():
    # The root of a 2 x 2 matrix M has the trace sqrt(tr M + 2 sqrt(det M)).
    first = RNG.normal(size=(50, 2)) @ [[2, 1.5], [0, 0.5]]
    second = RNG.normal(size=(30, 2)) @ [[1, -0.7], [0.2, 3]] + [1, -2]
    above, below = np.cov(first.T), np.cov(second.T)
    product = above @ below
    shared = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
    mean = ((first.mean(0) - second.mean(0)) ** 2).sum()
    expected = mean + np.trace(above) + np.trace(below) - 2 * shared
    assert quality.frechet_distance(first, second) == pytest.approx(expected)


def test_frechet_distance_without_full_rank():
    few = RNG.normal(size=(5, 40))
    assert quality.frechet_distance(few, few) == pytest.approx(0, abs=1e-5)
    assert quality.frechet_distance(few, few + 1) == pytest.approx(40)
    assert quality.frechet_distance(np.zeros((3, 4)), np.ones((2, 4))) == 4
    assert np.isnan(quality.frechet_distance(few[:1], few))


def test_the_middle_is_where_a_song_begins():
    assert quality.middle(np.array(list("aabbbccccc"))) == 5
    assert quality.middle(np.array(list("abbbbbbcc"))) == 7
    assert quality.middle(np.array(list("aaa"))) is None


def ratios(values):
    """The same value of every measure and track for each phrase; NaN where nothing defines it."""
    values = np.repeat(np.array(values, float)[:, None], 5, axis=1)
    ratio = Ratio(np.nan_to_num(2 * values), np.where(np.isnan(values), 0.0, 2))
    return {
        (m.name, m.definition): Ratio(*(c[:, : len(m.columns)] for c in ratio[:2])) for m in quality.COMPARED
    }


REAL, MADE = [0, 1, np.nan, 3, 1, 7, 2], [1, 2, np.nan, 4, 4.5]
SONGS = np.array(list("aaaabbb"))


def test_rows_are_compared_with_the_dataset_and_its_halves_with_each_other():
    vectors = {"dataset": RNG.normal(size=(7, 2)) * [1, 0], "MSG2": RNG.normal(size=(5, 2))}
    found = quality.compare({"dataset": ratios(REAL), "MSG2": ratios(MADE)}, vectors, SONGS, seed=0)
    area = quality.overlapping_area(np.array([0, 1, 3, 1, 7, 2.0]), np.array([1, 2, 4, 4.5]), seed=0)
    floor = quality.overlapping_area(np.array([0, 1, 3.0]), np.array([1, 7, 2.0]), seed=0)
    assert 0 < area < 1
    assert area != floor
    for row, expected in (("MSG2", area), ("floor", floor)):
        for metric, column in (("OA_EB", "strings"), ("OA_DP", "drums"), ("OA", "piano"), ("OA", "mean")):
            estimate = found[row, metric, "correct", column]
            assert estimate == pytest.approx((expected, np.nan, np.nan), nan_ok=True)
    assert ("MSG2", "OA_QN", "correct", "drums") not in found
    mean = vectors["dataset"].mean(0)
    scale = [vectors["dataset"][:, 0].std(), 0.05]  # the dataset does not vary in the second component
    real, made = ((vectors[row] - mean) / scale for row in ("dataset", "MSG2"))
    expected = {
        ("MSG2", "FD"): quality.frechet_distance(real[[0, 1, 2, 4, 5]], made),
        ("MSG2", "FD_half"): quality.frechet_distance(real[[0, 1, 2]], made[2:]),
        ("floor", "FD_half"): quality.frechet_distance(real[[0, 1, 2]], real[4:]),
    }
    assert {key[:2]: e.mean for key, e in found.items() if key[3] == "all"} == pytest.approx(expected)
    assert {key[0] for key in found} == {"MSG2", "floor"}


@pytest.mark.parametrize("songs", [None, np.array(list("aaaaaaa"))])
def test_one_song_has_no_floor(songs):
    vectors = {"dataset": np.zeros((7, 2)), "MSR": np.zeros((7, 2))}
    found = quality.compare({"dataset": ratios(REAL), "MSR": ratios(REAL)}, vectors, songs, seed=0)
    assert {key[0] for key in found} == {"MSR"}
    assert {key[1] for key in found if key[3] == "all"} == {"FD"}


def test_what_is_nowhere_defined_has_no_area():
    nothing = ratios([np.nan] * 7)
    vectors = {"dataset": np.zeros((7, 2)), "MSG2": np.zeros((5, 2))}
    found = quality.compare({"dataset": nothing, "MSG2": ratios(MADE)}, vectors, SONGS, seed=0)
    for key in (("MSG2", "OA", "correct", "mean"), ("floor", "OA_EB", "correct", "drums")):
        assert found[key] == pytest.approx(Estimate(np.nan, np.nan, np.nan), nan_ok=True)
    assert found["MSG2", "FD", "correct", "all"].mean == 0


def test_the_interval_is_as_wide_as_the_spread_of_many_samples():
    # Independent oracle: the deviation of the distances of 300 pairs of samples.
    rng = np.random.default_rng(0)
    turn = np.array([[1, 0.5, 0], [0, 1, 0.3], [0, 0, 2]])

    def draw():
        return {"dataset": rng.normal(size=(200, 3)), "MSG2": rng.normal(size=(200, 3)) @ turn + [1, 0, 0]}

    def found(vectors):
        nothing = {row: ratios(np.arange(200) % 7.0) for row in vectors}
        return quality.compare(nothing, vectors, None, seed=0)["MSG2", "FD", "correct", "all"]

    spread = np.std([quality.frechet_distance(*draw().values()) for _ in range(300)])
    estimates = [found(draw()) for _ in range(12)]
    halves = [(each.high - each.low) / 2 for each in estimates]
    assert np.mean(halves) == pytest.approx(stats.t.ppf(0.975, 9) * spread, rel=0.25)
    assert all(each.low < each.mean < each.high for each in estimates)


def test_what_is_left_out_is_left_out_of_both_halves_and_of_restored_phrases_too():
    sizes = [1, 3] * 6 + [2] * 11 + [4]  # halves of 24 and 26 phrases, each of twelve songs
    songs = np.repeat(np.arange(24), sizes)
    sets = {
        row: quality._Set(ratios(np.arange(float(size))), np.arange(float(size))[:, None])
        for row, size in (("dataset", 50), ("MSR", 50), ("MSG2", 30))
    }
    half = quality.middle(songs)
    assert half == 24
    groups = quality._groups(songs, half)
    seen = {row: [] for row in sets}
    for group in range(quality.GROUPS):
        kept, begin = quality._without(sets, groups, half, group)
        left = {
            row: np.setdiff1d(np.arange(len(sets[row].vectors)), each.vectors) for row, each in kept.items()
        }
        assert left["dataset"].tolist() == left["MSR"].tolist()
        assert begin == half - (left["dataset"] < half).sum()
        assert set(np.diff(left["MSG2"])) <= {1}  # neighbours
        # Of each half one whole song or two go, and of no song a part.
        lost = [songs[left["dataset"][part]] for part in (left["dataset"] < half, left["dataset"] >= half)]
        assert {len(set(part)) for part in lost} <= {1, 2}
        assert sum((songs == song).sum() for song in set(np.concatenate(lost))) == len(left["dataset"])
        assert (
            kept["MSG2"].ratios["cells", "correct"].numerator[:, 0].tolist()
            == (2 * kept["MSG2"].vectors[:, 0]).tolist()
        )
        for row, each in left.items():
            seen[row] += each.tolist()
    assert {row: sorted(each) for row, each in seen.items()} == {
        row: list(range(len(each.vectors))) for row, each in sets.items()
    }


@pytest.mark.parametrize(
    ("sizes", "half", "known"),
    [
        ([2] * 20, True, True),
        ([3] * 9 + [1] * 13, True, False),
        ([40], False, False),
        ([5] * 9, False, False),
    ],
)
def test_too_few_songs_have_no_interval(sizes, half, known):
    """Ten songs are needed in each half; the second case has nine in the first half."""
    songs = np.repeat(np.arange(len(sizes)), sizes)
    assert (quality._groups(songs, quality.middle(songs) if half else None) is not None) == known
    values, vectors = RNG.integers(0, 5, len(songs)).astype(float), RNG.normal(size=(len(songs), 3))
    rows = ("dataset", "MSR")
    found = quality.compare(
        {row: ratios(values) for row in rows}, dict.fromkeys(rows, vectors), songs, seed=0
    )
    assert np.isnan(found["MSR", "FD", "correct", "all"].high) != known


def test_every_phrase_needs_its_song():
    vectors = {"dataset": np.zeros((7, 2))}
    with pytest.raises(ValueError, match="songs of 6 phrases are given for 7 phrases"):
        quality.compare({"dataset": ratios(REAL)}, vectors, SONGS[:6], seed=0)


def test_a_restoration_that_is_exact_has_an_interval_of_nothing():
    values, vectors = RNG.integers(0, 5, 80).astype(float), RNG.normal(size=(80, 3))
    found = quality.compare(
        {row: ratios(values) for row in ("dataset", "MSR")},
        dict.fromkeys(("dataset", "MSR"), vectors),
        None,
        seed=0,
    )
    assert found["MSR", "FD", "correct", "all"] == pytest.approx((0, 0, 0), abs=1e-6)
    low, high = found["MSR", "OA", "correct", "mean"][1:]
    assert 0 < low < found["MSR", "OA", "correct", "mean"].mean < high
    assert np.isnan(found["MSR", "OA_EB", "correct", "piano"].high)
