"""The notes prior at work with a sandwich: places in a song, what it draws, and the latents of what it drew."""

import numpy as np
import pytest
import tensorflow as tf

from msw2.models.notes_prior import places
from msw2.models.sandwich import latent_view

UNITS, TRACKS, STEPS, PITCHES = 2, 5, 8, 6


@pytest.fixture(scope="module")
def draws(tiny_prior, tiny_sandwich):
    return tiny_prior.on(tiny_sandwich)


@pytest.fixture
def cells():
    """Two songs of three phrases: bool [song, unit, track, cell]."""
    rng = np.random.default_rng(0)
    return rng.random((2, 3 * UNITS, TRACKS, STEPS * PITCHES)) < 0.2


def test_places_are_1_at_the_ends_and_fade_in_eight_bars():
    found = np.asarray(places(np.float32([[0, 8, 24]]), np.float32([[16, 8, 0]])))
    assert found.shape == (1, 3, 2)
    e = np.exp(-1)
    np.testing.assert_allclose(found[0], [[1, e**2], [e, e], [e**3, 1]], rtol=1e-5)


def test_latents_are_those_of_the_sandwich_for_the_same_phrases(draws, tiny_sandwich, cells):
    rolls = cells.reshape(2, 3, UNITS, TRACKS, STEPS, PITCHES)
    phrases = np.moveaxis(rolls, 3, -1).reshape(6, UNITS, STEPS, PITCHES, TRACKS)
    expected = np.asarray(latent_view(tiny_sandwich)(phrases)).reshape(2, 3 * UNITS, 4)
    found = draws.latents(tf.constant(cells))
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.std(expected, axis=(0, 1)).min() > 0.01


def test_what_is_given_stays_and_the_rest_is_that_of_the_seed(draws, cells):
    given = np.random.default_rng(1).random(cells.shape[:3]) < 0.5
    place = np.zeros((2, 3 * UNITS, 2), np.float32)
    first, again, other = (
        draws.complete(cells, given, place, np.int64(seeds), np.ones(2, np.float32)).numpy()
        for seeds in ([1, 2], [1, 2], [3, 2])
    )
    assert np.array_equal(first[given], cells[given])
    assert np.array_equal(first, again)
    assert np.array_equal(first[1], other[1])
    assert not np.array_equal(first[0], other[0])


def test_a_sample_is_a_phrase_far_from_both_ends_of_its_song(draws):
    seeds, heat = tf.constant([3, 9, 3], tf.int64), tf.ones(3)
    found = draws.sample(seeds, heat)
    assert found.shape == (3, UNITS, 4)
    assert found.dtype == tf.float32
    nothing = np.zeros((3, UNITS, TRACKS, STEPS * PITCHES), bool)
    far = tf.fill([3, UNITS, 2], np.float32(np.exp(-2)))  # 16 bars
    drawn = draws.complete(nothing, nothing[..., 0], far, seeds, heat)
    np.testing.assert_allclose(found, draws.latents(drawn), atol=1e-5)
    np.testing.assert_allclose(found[0], found[2], atol=1e-6)
    assert np.abs(found[0] - found[1]).max() > 1e-3


def test_what_draws_stands_where_a_prior_does(draws, tiny_sandwich):
    assert draws.on(tiny_sandwich) is draws
