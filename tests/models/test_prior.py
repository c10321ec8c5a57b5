import numpy as np
import pytest
import tensorflow as tf

from msw2.models.prior import Prior

UNITS, LATENT = 2, 3  # six numbers a phrase


def mixture():
    """Three components in two directions of six; the second has nearly half of the weight."""
    basis = np.zeros((2, 6), np.float32)
    basis[0, 1] = 1
    basis[1, [3, 5]] = 0.6, 0.8
    return Prior(
        units=UNITS,
        latent=LATENT,
        weights=np.array([0.2, 0.5, 0.3], np.float32),
        means=np.array([[-10.0, 0.0], [0.0, 5.0], [10.0, -3.0]], np.float32),
        roots=np.array([[[0.5, 0], [0, 0.5]], [[1.0, 0], [0.8, 0.6]], [[0.2, 0], [0, 0.1]]], np.float32),
        basis=basis,
        centre=np.array([1, 2, 3, 4, 5, 6], np.float32),
        residual=np.array([0.1, 0, 0.2, 0, 0.3, 0], np.float32),
    )


def draw(prior, seeds, temperature=1.0):
    seeds = np.asarray(seeds, np.int64)
    temperatures = np.full(len(seeds), temperature, np.float32)
    sample = tf.function(prior.sample) if len(seeds) > 100 else prior.sample  # one by one they take long
    return np.asarray(sample(tf.constant(seeds), tf.constant(temperatures)))


@pytest.fixture(scope="module")
def many():
    prior = mixture()
    return draw(prior, np.arange(6000)).reshape(-1, 6) - prior.centre


def components(points):
    return np.array([np.searchsorted([-5, 5], x) for x in points[:, 1]])


def test_shape_and_type():
    found = mixture().sample(tf.constant([5, 6, 7, 8], tf.int64), tf.ones(4))
    assert found.shape == (4, UNITS, LATENT)
    assert found.dtype == tf.float32


def test_the_same_seed_gives_the_same_latents_alone_and_in_any_batch():
    prior = mixture()
    together = draw(prior, [11, 3, 11, 2**40, -7])
    assert np.array_equal(together[0], together[2])
    for index, seed in enumerate([11, 3, 11, 2**40, -7]):
        assert np.array_equal(draw(prior, [seed])[0], together[index])
    assert len({row.tobytes() for row in together}) == 4


def test_in_a_graph_as_outside_one():
    prior = mixture()
    sample = tf.function(
        prior.sample, input_signature=[tf.TensorSpec([None], tf.int64), tf.TensorSpec([None])]
    )
    found = sample(tf.constant([4, 9], tf.int64), tf.constant([1.0, 0.5]))
    np.testing.assert_allclose(found[0], draw(prior, [4])[0], atol=1e-6)
    np.testing.assert_allclose(found[1], draw(prior, [9], 0.5)[0], atol=1e-6)


def test_components_come_as_often_as_they_weigh(many):
    shares = np.bincount(components(many)) / len(many)
    np.testing.assert_allclose(shares, [0.2, 0.5, 0.3], atol=0.025)  # four standard errors


def test_each_component_has_its_mean_and_covariance(many):
    prior, chosen = mixture(), components(many)
    inside = many @ prior.basis.T
    for k in range(3):
        points = inside[chosen == k]
        np.testing.assert_allclose(points.mean(axis=0), prior.means[k], atol=0.1)
        np.testing.assert_allclose(np.cov(points.T), prior.roots[k] @ prior.roots[k].T, atol=0.1)


def test_outside_the_basis_is_the_residual(many):
    np.testing.assert_allclose(many[:, [0, 2, 4]].std(axis=0), [0.1, 0.2, 0.3], rtol=0.05)
    np.testing.assert_allclose(many[:, [0, 2, 4]].mean(axis=0), 0, atol=0.02)
    assert np.abs(np.corrcoef(many[:, [0, 1, 2, 4]].T) - np.eye(4)).max() < 0.06


def test_at_temperature_zero_only_the_centres_of_the_components_are_left():
    prior = mixture()
    points = draw(prior, np.arange(50), 0.0).reshape(-1, 6)
    centres = prior.centre + prior.means @ prior.basis
    distances = np.abs(points[:, None] - centres).max(axis=-1)
    assert distances.min(axis=1).max() < 1e-5
    assert set(distances.argmin(axis=1)) == {0, 1, 2}
    # The component is the same at every temperature, and the distance from its centre is in proportion.
    whole, half = (draw(prior, np.arange(50), t).reshape(-1, 6) - points for t in (1.0, 0.5))
    np.testing.assert_allclose(half, 0.5 * whole, atol=1e-5)


def test_each_phrase_has_its_own_temperature():
    prior = mixture()
    seeds = tf.constant([8, 8], tf.int64)
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


def test_save_and_load(tmp_path):
    for prior in (mixture(), Prior.isotropic(3, 2, 0.5)):
        prior.save(tmp_path / "prior.npz")
        again = Prior.load(tmp_path / "prior.npz")
        assert (again.units, again.latent) == (prior.units, prior.latent)
        assert type(again.units) is int
        assert np.array_equal(draw(prior, [1, 2, 3]), draw(again, [1, 2, 3]))
    assert [path.name for path in tmp_path.iterdir()] == ["prior.npz"]
