import dataclasses

import numpy as np
import tensorflow as tf

from msw2.config import SMOKE
from msw2.training.prior import MIN_PER_COMPONENT, fit_prior

MIXTURE = dataclasses.replace(SMOKE, prior="mixture", prior_components=2, seed=0)


def draw(prior, phrases):
    sample = tf.function(prior.sample)
    return np.asarray(sample(tf.range(phrases, dtype=tf.int64), tf.ones(phrases)))


def planted(phrases=600):
    """Two clouds in eight dimensions (4 units x 2), the first with three quarters of the phrases."""
    rng = np.random.default_rng(0)
    centres = np.array([[3.0, 0, 0, 0, 0, 0, 0, 1], [-3.0, 2, 0, 0, 0, 0, 0, -1]])
    chosen = np.repeat([0, 1], [phrases * 3 // 4, phrases // 4])
    spread = np.array([0.1, 0.5, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2])
    points = centres[chosen] + rng.normal(0, 1, (phrases, 8)) * spread
    points[chosen == 0, 1] += 2 * (points[chosen == 0, 0] - 3)  # correlated in the first cloud only
    return centres, points.reshape(phrases, 4, 2).astype(np.float32)


def test_a_planted_mixture_is_found():
    centres, latents = planted()
    prior = fit_prior(MIXTURE, latents)
    assert (prior.units, prior.latent, len(prior.weights)) == (4, 2, 2)
    order = np.argsort(-prior.weights)
    np.testing.assert_allclose(prior.weights[order], [0.75, 0.25], atol=0.01)
    found = prior.centre + prior.means @ prior.basis
    np.testing.assert_allclose(found[order], centres, atol=0.15)
    flat = latents.reshape(-1, 8)
    for component, cloud in zip(order, (flat[:450], flat[450:]), strict=True):
        covariance = prior.basis.T @ prior.roots[component] @ prior.roots[component].T @ prior.basis
        np.testing.assert_allclose(covariance, np.cov(cloud.T), atol=0.03)


def test_samples_look_like_what_was_fitted():
    _, latents = planted()
    prior = fit_prior(MIXTURE, latents)
    samples = draw(prior, 3000).reshape(-1, 8)
    flat = latents.reshape(-1, 8)
    np.testing.assert_allclose(samples.mean(axis=0), flat.mean(axis=0), atol=0.25)
    np.testing.assert_allclose(np.cov(samples.T), np.cov(flat.T), atol=0.4)
    assert abs((samples[:, 0] > 0).mean() - 0.75) < 0.04
    assert (np.abs(samples[:, 0]) > 1.5).all()  # nothing between the clouds


def test_the_same_latents_give_the_same_prior():
    _, latents = planted(100)
    one, two = fit_prior(MIXTURE, latents), fit_prior(MIXTURE, latents)
    for field in dataclasses.fields(one):
        assert np.array_equal(getattr(one, field.name), getattr(two, field.name))


def test_more_directions_than_are_kept_go_into_the_residual():
    rng = np.random.default_rng(1)
    scales = np.linspace(3, 0.5, 100)
    latents = (rng.normal(0, 1, (400, 100)) * scales).reshape(400, 4, 25).astype(np.float32)
    prior = fit_prior(dataclasses.replace(MIXTURE, prior_components=1), latents)
    samples = draw(prior, 2000).reshape(-1, 100)
    assert prior.basis.shape == (64, 100)
    np.testing.assert_allclose(prior.basis @ prior.basis.T, np.eye(64), atol=1e-5)
    variance = latents.reshape(400, 100).var(axis=0)
    np.testing.assert_allclose(samples.var(axis=0), variance, rtol=0.2)


def test_few_phrases_get_few_components():
    rng = np.random.default_rng(2)
    config = dataclasses.replace(MIXTURE, prior_components=16)
    for phrases, components in ((3, 1), (2 * MIN_PER_COMPONENT, 2), (2 * MIN_PER_COMPONENT - 1, 1)):
        prior = fit_prior(config, rng.normal(0, 1, (phrases, 4, 3)).astype(np.float32))
        assert len(prior.weights) == components
        assert np.isfinite(draw(prior, 5)).all()


def test_unused_units_stay_where_they_are():
    _, latents = planted(100)
    latents[:, 2] = 7.0  # a unit that never changes
    samples = draw(fit_prior(MIXTURE, latents), 50)
    np.testing.assert_allclose(samples[:, 2], 7.0, atol=1e-3)


def test_a_gaussian_prior_looks_at_no_latents():
    config = dataclasses.replace(SMOKE, prior="gaussian", prior_std=0.01)
    prior = fit_prior(config, np.full((30, 4, 3), 100.0, np.float32))
    samples = draw(prior, 2000)
    assert samples.shape == (2000, 4, 3)
    np.testing.assert_allclose(samples.std(), 0.01, rtol=0.03)
    assert abs(samples.mean()) < 0.001
