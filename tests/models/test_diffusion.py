"""Draws of the diffusion prior, held to what a network would make that knows the data, and to NumPy."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from msw2.models.diffusion import SIGMAS, STEPS, SongDraws, noise_levels, noisy_inputs, places

TRACKS, CODE, CELLS, UNITS = 5, 3, 48, 2


@pytest.fixture(scope="module")
def draws(tiny_prior, tiny_sandwich):
    return tiny_prior.on(tiny_sandwich)


@pytest.fixture
def drawn_with(tiny_prior, tiny_sandwich, monkeypatch):
    """Returns a function (network: inputs -> logits) -> draws with it in place of the prior's own."""

    def put(network):
        made = SongDraws(tiny_prior, tiny_sandwich)
        monkeypatch.setattr(made, "_network", network)
        return made

    return put


def nothing(songs, units=UNITS):
    """Codes, given and places of songs of which nothing is given."""
    return (
        tf.zeros([songs, units, TRACKS, CODE]),
        tf.zeros([songs, units, TRACKS]),
        tf.zeros([songs, units, 2]),
    )


def seeds(count, first=0):
    return tf.range(first, first + count, dtype=tf.int64)


def test_the_noise_falls_as_karras_has_it():
    found = np.asarray(noise_levels(), np.float64)
    share = np.arange(24) / 23
    expected = (15 ** (1 / 7) + share * (0.3 ** (1 / 7) - 15 ** (1 / 7))) ** 7
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    both = np.asarray(noise_levels(tf.constant([15.0, 2.5])))
    assert both.shape == (24, 2)
    np.testing.assert_allclose(both[:, 0], expected, rtol=1e-4)
    np.testing.assert_allclose(both[[0, -1], 1], [2.5, 0.3], rtol=1e-4)
    assert (np.diff(both, axis=0) < 0).all()


def test_places_are_1_at_the_ends_and_fade_in_eight_bars():
    found = np.asarray(places(np.float32([[0, 8, 24]]), np.float32([[16, 8, 0]])))
    assert found.shape == (1, 3, 2)
    e = np.exp(-1)
    np.testing.assert_allclose(found[0], [[1, e**2], [e, e], [e**3, 1]], rtol=1e-5)


def test_what_the_network_reads_against_numpy(tiny_prior):
    space, rng = tiny_prior.codes, np.random.default_rng(0)
    noisy, clean = rng.normal(0, 3, (2, 4, 7, TRACKS, CODE)).astype(np.float32)
    sigma = rng.uniform(0.3, 9, (4, 7)).astype(np.float32)
    given = (rng.random((4, 7, TRACKS)) < 0.4).astype(np.float32)
    draft = rng.normal(size=(TRACKS, CODE, CELLS)), rng.normal(size=(TRACKS, CELLS))
    draft = tuple(each.astype(np.float32) for each in draft)
    found = noisy_inputs(space, draft, noisy, clean, sigma=sigma, given=given)
    assert found.keys() == {"codes", "draft", "log_sigma"}
    for song, unit, track in np.ndindex(given.shape):
        variance, noise = space.variance[track].astype(np.float64), float(sigma[song, unit]) ** 2
        if given[song, unit, track]:
            expected = clean[song, unit, track]
            scaled = expected / np.sqrt(variance)
        else:
            expected = noisy[song, unit, track] * variance / (variance + noise)
            scaled = noisy[song, unit, track] / np.sqrt(variance + noise)
        where = song, unit, track
        np.testing.assert_allclose(np.asarray(found["codes"])[where], scaled, rtol=1e-4)
        logits = expected @ draft[0][track] + draft[1][track]
        np.testing.assert_allclose(np.asarray(found["draft"])[where], logits, atol=1e-3)
    np.testing.assert_allclose(found["log_sigma"], np.log(sigma), rtol=1e-5)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_a_draw_is_dpm_solver_2m_step_by_step(tiny_prior, drawn_with):
    """Lu et al. 2022, Algorithm 2, for noise that is added to unchanged data; one song after another."""
    space, rng = tiny_prior.codes, np.random.default_rng(1)
    kernel = rng.normal(0, 0.5, (CODE, CELLS)).astype(np.float32)
    draws = drawn_with(lambda read: read["codes"] @ kernel + 0.1 * read["log_sigma"][..., None, None])
    codes, given, place = nothing(3)
    found = draws.complete(codes, given, place, seeds(3, 70), tf.constant([1.0, 0.5, 1.0]))

    def clean(x, sigma):
        logits = x / np.sqrt(space.variance + sigma**2) @ kernel + 0.1 * np.log(sigma)
        return np.einsum("utc,tcn->utn", sigmoid(logits), space.kernel) + space.offset

    levels = (15 ** (1 / 7) + np.arange(24) / 23 * (0.3 ** (1 / 7) - 15 ** (1 / 7))) ** 7
    for song, temperature in enumerate((1.0, 0.5, 1.0)):
        noise = tf.random.stateless_normal([UNITS, TRACKS, CODE], [70 + song, 0])
        x, before, last_step = levels[0] * temperature * np.asarray(noise, np.float64), None, None
        for sigma, after in itertools.pairwise(levels):
            made, step = clean(x, sigma), np.log(sigma / after)
            ratio = last_step / step if before is not None else None
            ahead = made if before is None else made + (made - before) / (2 * ratio)
            x = after / sigma * x - (np.exp(-step) - 1) * ahead
            before, last_step = made, step
        np.testing.assert_allclose(found[song], clean(x, levels[-1]), atol=2e-3)


class TwoSongs:
    """A network that knows the data: of all units and tracks together one of two songs, the first in 7 of 10 cases."""

    SHARES = (0.7, 0.3)

    def __init__(self, space):
        cells = np.random.default_rng(8).random((2, UNITS, TRACKS, CELLS)) < 0.3
        self.cells = cells.astype(np.float32)
        self.codes = np.asarray(space.of_cells(self.cells))
        self.space = space

    def __call__(self, read):
        sigma = tf.exp(read["log_sigma"])[..., None, None]
        noisy = read["codes"] * tf.sqrt(self.space.variance + sigma**2)
        distances = tf.reduce_sum(((noisy[:, None] - self.codes) / sigma[:, None]) ** 2, axis=[2, 3, 4])
        chances = tf.nn.softmax(np.log(self.SHARES, dtype=np.float32) - distances / 2)
        expected = tf.einsum("sk,kutc->sutc", chances, self.cells)
        expected = tf.clip_by_value(expected, 1e-7, 1 - 1e-7)
        return tf.math.log(expected / (1 - expected))


def which(found, two):
    """Which of the two songs each draw is, -1 for neither."""
    away = np.abs(np.asarray(found)[:, None] - two.codes).max(axis=(2, 3, 4))
    return np.where(away.min(axis=1) < 0.01, away.argmin(axis=1), -1)


def test_with_a_network_that_knows_the_songs_they_are_drawn_in_their_proportions(tiny_prior, drawn_with):
    two = TwoSongs(tiny_prior.codes)
    draws = drawn_with(two)
    count = 1500
    found = which(draws.complete(*nothing(count), seeds(count), tf.ones(count)), two)
    assert (found >= 0).mean() > 0.98
    assert (found == 1).mean() == pytest.approx(0.3, abs=0.05)  # four standard errors


def test_a_variation_is_the_song_itself_with_little_noise_and_any_song_with_much(tiny_prior, drawn_with):
    two = TwoSongs(tiny_prior.codes)
    draws, count = drawn_with(two), 300
    codes = tf.repeat(two.codes[1:], count, axis=0)
    _, _, place = nothing(count)
    little = draws.vary(codes, tf.fill([count], 0.5), place, seeds(count))
    assert (which(little, two) == 1).all()
    much = which(draws.vary(codes, tf.fill([count], SIGMAS[0]), place, seeds(count)), two)
    assert 0.4 < (much == 0).mean() < 0.9


def test_given_codes_stay_and_the_network_sees_them_without_noise(tiny_prior, drawn_with):
    seen, rng = [], np.random.default_rng(3)

    def network(read):
        tf.py_function(lambda *each: seen.append([np.array(one) for one in each]), [read["codes"]], [])
        return read["draft"]

    draws = drawn_with(network)
    codes = rng.normal(size=(2, 4, TRACKS, CODE)).astype(np.float32)
    given = (rng.random((2, 4, TRACKS)) < 0.5).astype(np.float32)
    known = given > 0
    _, _, place = nothing(2, 4)
    found = np.asarray(draws.complete(codes, given, place, seeds(2), tf.ones(2)))
    assert np.array_equal(found[known], codes[known])
    assert not np.isclose(found[~known], codes[~known]).any()
    assert len(seen) == STEPS
    scaled = (codes / np.sqrt(tiny_prior.codes.variance))[known]
    for (read,) in seen:
        np.testing.assert_allclose(read[known], scaled, rtol=1e-5)
    # What the codes are where nothing is given does not matter.
    other = np.where(known[..., None], codes, 99).astype(np.float32)
    assert np.array_equal(draws.complete(other, given, place, seeds(2), tf.ones(2)), found)


def test_a_song_is_that_of_its_seed_alone_and_in_any_batch(draws):
    together = np.asarray(draws.complete(*nothing(3), tf.constant([5, 2**40, 5], tf.int64), tf.ones(3)))
    np.testing.assert_allclose(together[0], together[2], atol=1e-4)
    assert np.abs(together[0] - together[1]).max() > 0.01
    alone = draws.complete(*nothing(1), tf.constant([2**40], tf.int64), tf.ones(1))
    np.testing.assert_allclose(alone[0], together[1], atol=1e-4)
    again = draws.complete(*nothing(3), tf.constant([5, 2**40, 5], tf.int64), tf.ones(3))
    assert np.array_equal(again, together)


def test_without_temperature_all_seeds_draw_alike(draws):
    found = np.asarray(
        draws.complete(*nothing(3), tf.constant([1, 2, 1], tf.int64), tf.constant([0.0, 0, 1]))
    )
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)
    assert np.abs(found[2] - found[0]).max() > 0.01


def test_latents_are_the_mfg_vaes_means_of_the_codes(draws, tiny_prior, tiny_sandwich):
    codes = np.random.default_rng(2).normal(size=(3, UNITS, TRACKS, CODE)).astype(np.float32)
    means = np.asarray(tiny_prior.codes.to_means(codes)).reshape(-1, TRACKS, CODE)
    expected = np.asarray(tiny_sandwich.get_layer("mfg_encoder")(means))[:, :4].reshape(3, UNITS, 4)
    found = draws.latents(tf.constant(codes))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(draws.codes_of(means[None])[0], codes.reshape(-1, TRACKS, CODE), atol=1e-4)


def test_a_sample_is_a_phrase_far_from_both_ends_of_its_song(draws):
    found = draws.sample(seeds(3), tf.ones(3))
    assert found.shape == (3, UNITS, 4)
    assert found.dtype == tf.float32
    codes, given, _ = nothing(3)
    far = tf.fill([3, UNITS, 2], np.float32(np.exp(-2)))  # 16 bars
    expected = draws.latents(draws.complete(codes, given, far, seeds(3), tf.ones(3)))
    np.testing.assert_allclose(found, expected, atol=1e-4)
