import dataclasses

import numpy as np
import tensorflow as tf

from msw2.config import PAPER, SMOKE
from msw2.training import prior as module
from msw2.training.prior import fit_prior

PARZEN = dataclasses.replace(SMOKE, prior="parzen", prior_neighbours=3, prior_std=0.75, seed=0)


def draw(prior, phrases):
    sample = tf.function(prior.sample)
    return np.asarray(sample(tf.range(phrases, dtype=tf.int64), tf.ones(phrases))).reshape(phrases, -1)


def clouds(phrases=400):
    """Two clouds in eight dimensions (4 units x 2), the first with three quarters of the phrases."""
    rng = np.random.default_rng(0)
    centres = np.array([[3.0, 0, 0, 0, 0, 0, 0, 1], [-3.0, 2, 0, 0, 0, 0, 0, -1]])
    chosen = np.repeat([0, 1], [phrases * 3 // 4, phrases // 4])
    points = centres[chosen] + rng.normal(0, 0.3, (phrases, 8))
    return points.reshape(phrases, 4, 2).astype(np.float32)


def test_the_points_are_the_latents_and_the_neighbours_the_nearest_others():
    line = np.array([0.0, 1.0, 3.0, 3.5, 10.0], np.float32)
    latents = np.zeros((5, 2, 3), np.float32)
    latents[:, 1, 2] = line
    prior = fit_prior(dataclasses.replace(PARZEN, prior_neighbours=2), latents)
    assert (prior.units, prior.latent, prior.spread, prior.noise) == (2, 3, 0.75, 0.0)
    assert prior.points.shape == (1, 5, 6)
    assert prior.points[0, :, 5].tolist() == line.tolist()
    assert not prior.points[..., :5].any()
    assert [set(row) for row in prior.neighbours[0].tolist()] == [{1, 2}, {0, 2}, {1, 3}, {1, 2}, {2, 3}]


def test_samples_look_like_what_was_fitted():
    latents = clouds()
    samples, flat = draw(fit_prior(PARZEN, latents), 3000), latents.reshape(-1, 8)
    np.testing.assert_allclose(samples.mean(axis=0), flat.mean(axis=0), atol=0.25)
    assert abs((samples[:, 0] > 0).mean() - 0.75) < 0.04
    assert (np.abs(samples[:, 0]) > 1.0).all()  # nothing between the clouds
    inside = samples[samples[:, 0] > 0]
    assert 0.3 < inside[:, 3].std() < 0.5  # as wide as the cloud, and some more
    nearest = np.abs(inside[:100, None] - flat).max(axis=-1).min(axis=1)
    assert nearest.min() > 1e-3  # and no copies


def test_a_repeated_phrase_counts_once():
    latents = clouds(40)
    repeated = np.concatenate([latents, latents[:1].repeat(10, axis=0)])
    one, two = fit_prior(PARZEN, latents), fit_prior(PARZEN, repeated)
    assert np.array_equal(one.points, two.points)
    assert np.array_equal(one.neighbours, two.neighbours)


def test_of_many_phrases_a_sample_is_kept(monkeypatch):
    monkeypatch.setattr(module, "MAX_POINTS", 30)
    latents = clouds(100)
    prior, again = fit_prior(PARZEN, latents), fit_prior(PARZEN, latents)
    assert prior.points.shape == (1, 30, 8)
    assert prior.neighbours.max() < 30
    assert {row.tobytes() for row in prior.points[0]} <= {row.tobytes() for row in latents}
    assert np.array_equal(prior.points, again.points)


def test_fewer_phrases_than_neighbours():
    for phrases in (1, 2, 3):
        prior = fit_prior(PARZEN, clouds(40)[:phrases])
        assert prior.neighbours.shape == (1, phrases, phrases - 1)
        assert np.isfinite(draw(prior, 5)).all()


def test_the_papers_prior_ignores_the_latents():
    config = dataclasses.replace(PAPER, prior_std=0.5)
    prior = fit_prior(config, clouds())
    assert (prior.units, prior.latent, prior.noise) == (4, 2, 0.5)
    assert not prior.points.any()


UNFUSED = dataclasses.replace(PARZEN, fusion="none", prior_neighbours=2)


def band(*values):
    """Phrases of one unit, five tracks of one number, which counts up but for the first two tracks'."""
    values = np.asarray(values, np.float32)
    others = np.arange(len(values), dtype=np.float32)[:, None] * [1, 2, 4]
    return np.concatenate([values, others], axis=1, dtype=np.float32)[:, None]


def test_without_fusion_each_track_has_its_own_points_and_neighbours():
    prior = fit_prior(UNFUSED, band([0, 9], [1, 0], [5, 8], [6, 1]))
    assert (prior.units, prior.latent, prior.spread, prior.noise) == (1, 5, 0.75, 0.0)
    assert prior.points.shape == (5, 4, 1)
    assert prior.points[:, :, 0].tolist() == [
        [0, 1, 5, 6],
        [9, 0, 8, 1],
        [0, 1, 2, 3],
        [0, 2, 4, 6],
        [0, 4, 8, 12],
    ]
    nearest = prior.neighbours[:, :, 0].tolist()
    assert nearest[0] == [1, 0, 3, 2]
    assert nearest[1] == [2, 3, 0, 1]
    assert prior.neighbours.dtype == np.int32


def test_the_units_of_a_track_stay_together():
    latents = np.arange(3 * 2 * 10, dtype=np.float32).reshape(
        3, 2, 10
    )  # two bars, five tracks of two numbers
    points = fit_prior(UNFUSED, latents).points
    for track in range(5):
        assert np.array_equal(points[track], latents[:, :, 2 * track : 2 * track + 2].reshape(3, 4))


def test_a_track_is_drawn_as_often_as_it_comes_and_is_no_neighbour_of_its_equals():
    prior = fit_prior(UNFUSED, band([0, 0], [0, 1], [0, 2], [3, 3], [7, 4]))
    assert prior.points[0, :, 0].tolist() == [0, 0, 0, 3, 7]
    for point, others in enumerate(prior.points[0, prior.neighbours[0], 0].tolist()):
        assert set(others) == [{3, 7}, {3, 7}, {3, 7}, {0, 7}, {0, 3}][point]


def test_a_track_that_never_changes_is_drawn_as_it_is():
    prior = fit_prior(UNFUSED, band([4, 0], [4, 1], [4, 5]))
    samples = draw(prior, 30)
    assert (samples[:, 0] == 4).all()
    assert (samples[:, 1:].std(axis=0) > 0.3).all()


def test_of_equally_near_points_the_first_is_the_neighbour(monkeypatch):
    monkeypatch.setattr(module, "_ROWS", 2)  # three points do not fill whole blocks
    line = np.array([0.0, 1.0, 2.0], np.float32)
    latents = np.concatenate([line[:, None]] * 4, axis=1).reshape(3, 2, 2)
    prior = fit_prior(dataclasses.replace(PARZEN, prior_neighbours=1), latents)
    assert prior.neighbours[0, :, 0].tolist() == [1, 0, 1]


MIXTURE = dataclasses.replace(PARZEN, prior="mixture", prior_std=1.0)


def test_a_mixture_has_the_means_and_directions_of_clusters_of_equal_size(monkeypatch):
    monkeypatch.setattr(module, "FEWEST", 3)
    # Four clusters of three on a line in the last of six numbers; in each, the fifth varies less than the sixth.
    last = np.array([0, 1, 2, 10, 11, 12, 40, 41, 42, 90, 91, 92], np.float32)
    fifth = np.tile(np.array([0.1, -0.2, 0.1], np.float32), 4)
    latents = np.zeros((12, 2, 3), np.float32)
    latents[:, 1, 2], latents[:, 1, 1] = last, fifth
    latents = latents[np.random.default_rng(1).permutation(12)]
    prior = fit_prior(dataclasses.replace(MIXTURE, prior_neighbours=1), latents)
    assert (prior.units, prior.latent, prior.spread, prior.noise) == (2, 3, 1.0, 0.0)
    assert prior.neighbours.shape == (1, 4, 1)
    assert prior.points.shape == (1, 4 + 4, 6)
    means = prior.points[0, :4]
    np.testing.assert_allclose(sorted(means[:, 5]), [1, 11, 41, 91], atol=1e-5)
    np.testing.assert_allclose(means[:, 4], 0, atol=1e-6)
    ends = prior.points[0, prior.neighbours[0, :, 0]] - means
    # Along the sixth number alone, but as long as the deviations of both: 1 and 0.03, variances with n - 1.
    np.testing.assert_allclose(np.abs(ends[:, 5]), np.sqrt(1 + 0.03), rtol=1e-5)
    np.testing.assert_allclose(ends[:, :5], 0, atol=1e-5)


def test_a_mixture_looks_like_what_was_fitted_and_stores_no_phrase(monkeypatch):
    monkeypatch.setattr(module, "FEWEST", 50)
    latents = clouds(800)
    flat, prior = latents.reshape(-1, 8), fit_prior(MIXTURE, latents)
    assert prior.neighbours.shape == (1, 16, 3)
    samples = draw(prior, 4000)
    np.testing.assert_allclose(samples.mean(axis=0), flat.mean(axis=0), atol=0.2)
    np.testing.assert_allclose(samples.std(axis=0), flat.std(axis=0), rtol=0.15, atol=0.02)
    assert abs((samples[:, 0] > 0).mean() - 0.75) < 0.04
    nearest = np.abs(prior.points[0][:, None] - flat).max(axis=-1).min(axis=1)
    assert nearest.min() > 1e-3


def test_a_mixture_of_few_phrases_is_one_gaussian_and_of_one_phrase_a_point():
    latents = clouds(20)
    prior = fit_prior(MIXTURE, latents)
    assert prior.neighbours.shape == (1, 1, 3)
    np.testing.assert_allclose(prior.points[0, 0], latents.reshape(20, 8).mean(axis=0), atol=1e-5)
    one = fit_prior(MIXTURE, latents[:1].repeat(3, axis=0))
    assert (one.neighbours.shape, one.spread) == ((1, 1, 0), 0.0)
    np.testing.assert_allclose(draw(one, 2), latents[:1].reshape(1, 8).repeat(2, axis=0), atol=1e-6)


def test_a_mixture_without_fusion_is_one_of_each_track():
    config = dataclasses.replace(MIXTURE, fusion="none", bvae_latent=2)
    latents = np.random.default_rng(3).normal(size=(40, 4, 10)).astype(np.float32)
    prior = fit_prior(config, latents)
    assert prior.points.shape == (5, 2 + 2 * 3, 8)
    by_track = latents.reshape(40, 4, 5, 2)
    for track in range(5):
        means = prior.points[track, :2].mean(axis=0)
        np.testing.assert_allclose(means, by_track[:, :, track].reshape(40, 8).mean(axis=0), atol=1e-5)


def test_the_same_latents_give_the_same_mixture():
    one, two = (fit_prior(MIXTURE, clouds(100)) for _ in range(2))
    assert np.array_equal(one.points, two.points)
