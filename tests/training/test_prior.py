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
    assert prior.points[:, 5].tolist() == line.tolist()
    assert not prior.points[:, :5].any()
    assert [set(row) for row in prior.neighbours.tolist()] == [{1, 2}, {0, 2}, {1, 3}, {1, 2}, {2, 3}]


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
    assert prior.points.shape == (30, 8)
    assert prior.neighbours.max() < 30
    assert {row.tobytes() for row in prior.points} <= {row.tobytes() for row in latents}
    assert np.array_equal(prior.points, again.points)


def test_fewer_phrases_than_neighbours():
    for phrases in (1, 2, 3):
        prior = fit_prior(PARZEN, clouds(40)[:phrases])
        assert prior.neighbours.shape == (phrases, phrases - 1)
        assert np.isfinite(draw(prior, 5)).all()


def test_the_papers_prior_ignores_the_latents():
    config = dataclasses.replace(PAPER, prior_std=0.5)
    prior = fit_prior(config, clouds())
    assert (prior.units, prior.latent, prior.noise) == (4, 2, 0.5)
    assert not prior.points.any()
