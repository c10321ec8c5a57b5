import io

import numpy as np
import pytest
import tensorflow as tf

from msw2.models.prior import Prior
from msw2.models.prior_file import load_prior, read_prior

UNITS, LATENT = 2, 3  # six numbers a phrase
POINTS = np.array([[0, 0, 0, 0, 0, 0], [0, 3, 0, 0, 0, 4], [-50, 0, 0, 0, 0, 0]], np.float32)
NEIGHBOURS = np.array([[1, 2], [0, 0], [2, 2]], np.int32)


def windows(spread=0.5, noise=0.0):
    """Three points; the first has both others as neighbours, the second the first twice, the third itself."""
    return Prior(UNITS, LATENT, POINTS[None], NEIGHBOURS[None], spread, noise)


# Two units of two groups of one number: a phrase's latents are (a0, b0), (a1, b1).
TWO_GROUPS = np.array([[[1, 2], [3, 4]], [[-1, -2], [-3, -4]]], np.float32)


def two_groups(points=TWO_GROUPS, spread=0.5, noise=0.0):
    """Two groups of two points, neighbours of each other."""
    return Prior(UNITS, 2, points, np.array([[[1], [0]]] * 2, np.int32), spread, noise)


def draw(prior, seeds, temperature=1.0):
    seeds = np.asarray(seeds, np.int64)
    temperatures = np.full(len(seeds), temperature, np.float32)
    sample = tf.function(prior.sample) if len(seeds) > 100 else prior.sample  # one by one they take long
    return np.asarray(sample(tf.constant(seeds), tf.constant(temperatures)))


def test_shape_and_type():
    found = windows().sample(tf.constant([5, 6, 7, 8], tf.int64), tf.ones(4))
    assert found.shape == (4, UNITS, LATENT)
    assert found.dtype == tf.float32


def test_the_same_seed_gives_the_same_latents_alone_and_in_any_batch():
    prior = windows(noise=0.1)
    together = draw(prior, [11, 3, 11, 2**40, -7])
    assert np.array_equal(together[0], together[2])
    for index, seed in enumerate([11, 3, 11, 2**40, -7]):
        assert np.array_equal(draw(prior, [seed])[0], together[index])
    assert len({row.tobytes() for row in together}) == 4


def test_in_a_graph_as_outside_one():
    prior = windows(noise=0.1)
    signature = [tf.TensorSpec([None], tf.int64), tf.TensorSpec([None])]
    sample = tf.function(prior.sample, input_signature=signature)
    found = sample(tf.constant([4, 9], tf.int64), tf.constant([1.0, 0.5]))
    np.testing.assert_allclose(found[0], draw(prior, [4])[0], atol=1e-6)
    np.testing.assert_allclose(found[1], draw(prior, [9], 0.5)[0], atol=1e-6)


@pytest.fixture(scope="module")
def many():
    """6,000 draws as (the middle of each one's Gaussian, how far it is from there)."""
    middles = draw(windows(), np.arange(6000), 0.0).reshape(-1, 6)
    return middles, draw(windows(), np.arange(6000)).reshape(-1, 6) - middles


def test_each_point_comes_as_often_as_any_other(many):
    middles, _ = many
    for point in POINTS:
        assert (middles == point).all(axis=1).mean() == pytest.approx(
            1 / 3, abs=0.025
        )  # four standard errors


def test_the_neighbours_shape_the_gaussians(many):
    middles, moved = many
    # Second point: to the first it is (0, -3, 0, 0, 0, -4), twice: 0.5 / sqrt(2) * sqrt(2) of that, on a line.
    second = moved[(middles == POINTS[1]).all(axis=1)]
    np.testing.assert_allclose(second[:, 1].std(), 1.5, rtol=0.05)
    np.testing.assert_allclose(second[:, 5], second[:, 1] * 4 / 3, atol=1e-4)
    assert not second[:, [0, 2, 3, 4]].any()
    # Third point: its neighbours are itself.
    assert not moved[(middles == POINTS[2]).all(axis=1)].any()
    # First point: towards the second and, independently, the third.
    first = moved[(middles == POINTS[0]).all(axis=1)]
    np.testing.assert_allclose(first[:, 0].std(), 0.5 / 2**0.5 * 50, rtol=0.05)
    np.testing.assert_allclose(first[:, 5].std(), 0.5 / 2**0.5 * 4, rtol=0.05)
    assert abs(np.corrcoef(first[:, 0], first[:, 5])[0, 1]) < 0.08
    np.testing.assert_allclose(first.mean(axis=0), 0, atol=1.6)


def test_the_distance_from_the_middle_is_in_proportion_to_the_temperature():
    prior = windows(noise=0.3)
    still, half, whole = (draw(prior, np.arange(50), t) for t in (0.0, 0.5, 1.0))
    assert np.abs(whole - still).max() > 1
    np.testing.assert_allclose(half - still, 0.5 * (whole - still), atol=1e-5)


def test_each_phrase_has_its_own_temperature():
    prior, seeds = windows(noise=0.2), tf.constant([8, 8], tf.int64)
    found = np.asarray(prior.sample(seeds, tf.constant([0.0, 1.0])))
    assert np.array_equal(found[:1], draw(prior, [8], 0.0))
    assert np.array_equal(found[1:], draw(prior, [8], 1.0))


def test_the_isotropic_prior_is_the_papers():
    prior = Prior.isotropic(4, 5, 0.25)
    points = draw(prior, np.arange(3000))
    assert points.shape == (3000, 4, 5)
    np.testing.assert_allclose(points.std(axis=0), 0.25, rtol=0.07)
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=0.02)
    assert not draw(prior, [1, 2], 0.0).any()


def test_a_group_is_its_share_of_every_bars_latents():
    found = draw(two_groups(), np.arange(200), 0.0)
    assert found.shape == (200, 2, 2)
    for group in (0, 1):
        drawn = {tuple(phrase) for phrase in found[..., group].tolist()}
        assert drawn == {tuple(point) for point in TWO_GROUPS[group].tolist()}


def test_groups_are_drawn_independently():
    middles = draw(two_groups(), np.arange(4000), 0.0)
    moved = draw(two_groups(), np.arange(4000)) - middles
    chosen = middles[:, 0] == TWO_GROUPS[:, 0, 0]
    # point, weight of the neighbour: of one group no more than chance tells about the other (four standard errors)
    assert abs(np.corrcoef(chosen.T)[0, 1]) < 0.064
    assert abs(np.corrcoef(moved[:, 0].T)[0, 1]) < 0.064
    np.testing.assert_allclose(moved.std(axis=0), 1.0, rtol=0.05)  # 0.5 of a distance of 2
    noise = draw(two_groups(spread=0.0, noise=0.3), np.arange(4000)) - middles
    np.testing.assert_allclose(noise.std(axis=0), 0.3, rtol=0.05)
    assert np.abs(np.corrcoef(noise.reshape(-1, 4).T) - np.eye(4)).max() < 0.064


def test_other_points_of_a_group_change_that_group_alone():
    before, points = draw(two_groups(), np.arange(20)), TWO_GROUPS.copy()
    points[1] += 7
    after = draw(two_groups(points), np.arange(20))
    assert np.array_equal(before[..., 0], after[..., 0])
    np.testing.assert_allclose(after[..., 1], before[..., 1] + 7, atol=1e-5)


def test_groups_too_are_the_same_alone_and_in_any_batch():
    together = draw(two_groups(noise=0.1), [5, 2**40, -3])
    for index, seed in enumerate([5, 2**40, -3]):
        assert np.array_equal(draw(two_groups(noise=0.1), [seed])[0], together[index])


def test_the_first_group_draws_what_a_single_one_does():
    prior = two_groups(noise=0.1)
    alone = Prior(UNITS, 1, prior.points[:1], prior.neighbours[:1], prior.spread, prior.noise)
    np.testing.assert_allclose(draw(prior, [1, 2, 3])[..., :1], draw(alone, [1, 2, 3]), atol=1e-6)


def test_save_and_load(tmp_path):
    for prior in (windows(noise=0.1), Prior.isotropic(3, 2, 0.5), two_groups()):
        prior.save(tmp_path / "prior.npz")
        again = load_prior(tmp_path / "prior.npz")
        assert (again.units, again.latent, again.spread) == (prior.units, prior.latent, prior.spread)
        assert type(again.units) is int
        assert np.array_equal(draw(prior, [1, 2, 3]), draw(again, [1, 2, 3]))
    assert [path.name for path in tmp_path.iterdir()] == ["prior.npz"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": np.float64(3)}, r"units is float64 \[\], not whole numbers of 0 axes"),
        ({"units": np.int64(0)}, "do not make 0 units of 1"),
        ({"units": np.int64(5)}, r"points of shape \[1, 4, 2\] do not make 5 units of 1"),
        (
            {"points": np.zeros((4, 2), np.float32)},
            r"points is float32 \[4, 2\], not finite numbers of 3 axes",
        ),
        ({"points": np.zeros((1, 0, 2), np.float32)}, r"points of shape \[1, 0, 2\] do not make"),
        ({"points": np.full((1, 4, 2), np.nan, np.float32)}, "points is .* not finite"),
        ({"neighbours": np.full((1, 4, 1), 4, np.int32)}, r"neighbours 4\.\.4 are not of 4 points"),
        ({"neighbours": np.full((1, 4, 1), -1, np.int32)}, r"neighbours -1\.\.-1 are not of 4 points"),
        ({"neighbours": np.zeros((1, 5, 1), np.int32)}, "of 1 groups of 5 points are not of 1 of 4"),
        ({"neighbours": np.zeros((2, 4, 1), np.int32)}, "of 2 groups of 4 points are not of 1 of 4"),
        ({"neighbours": np.zeros((1, 4, 1), np.float32)}, "neighbours is float32"),
        ({"spread": np.float64(np.inf)}, "spread is float64"),
        ({"noise": np.float64(-1)}, "below 0"),
        ({"noise": None}, "no noise.npy in the .npz file"),
    ],
)
def test_a_damaged_prior_is_refused_with_the_reason(changes, message):
    good = {
        "units": np.int64(2),
        "latent": np.int64(1),
        "points": np.arange(8, dtype=np.float32).reshape(1, 4, 2),
        "neighbours": np.zeros((1, 4, 1), np.int32),
        "spread": np.float64(0.5),
        "noise": np.float64(0),
    }

    def read(arrays):
        file = io.BytesIO()
        np.savez(file, **arrays)
        return read_prior(io.BytesIO(file.getvalue()))

    assert read(good).points.shape == (1, 4, 2)
    with pytest.raises(ValueError, match=message):
        read({name: value for name, value in (good | changes).items() if value is not None})
