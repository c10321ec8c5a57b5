"""What a trained sandwich does with phrases, and that it does it to each by itself."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from msw2.config import SMOKE
from msw2.inference import sampling
from msw2.inference.sampling import CHUNK, PhraseFunctions, Sampler, SilenceError, in_chunks
from msw2.models.prior import Prior
from msw2.models.sandwich import build_sandwich, decoding_view


@pytest.fixture(scope="module")
def trained(smoke_run, smoke_sandwich):
    """What functions and samplers are made of: the sandwich, its config, its prior."""
    sandwich, prior = smoke_sandwich
    return sandwich, smoke_run.config, prior


@pytest.fixture(scope="module")
def sampler(trained):
    return Sampler(*trained)


def test_chunks_are_of_one_size_and_the_padding_is_cut_off():
    seen = []

    def double(first, second):
        seen.append((first.shape, second.shape))
        return 2.0 * first + tf.cast(second, tf.float32)[:, None]

    first, second = np.arange(14, dtype=np.float32).reshape(7, 2), np.arange(7)
    found = tf.function(lambda a, b: in_chunks(double, a, b, size=3, dtype=tf.float32))(first, second)
    np.testing.assert_array_equal(found, 2 * first + second[:, None])
    assert set(seen) == {((3, 2), (3,))}


@pytest.mark.parametrize("rows", [0, 1, 3, 4])
def test_any_number_of_rows_goes_through(rows):
    values = tf.reshape(tf.range(2 * rows), [rows, 2])
    found = tf.function(lambda x: in_chunks(lambda y: y + 1, x, size=3, dtype=tf.int32))(values)
    np.testing.assert_array_equal(found, values + 1)


def test_a_seed_gives_the_same_phrase_alone_and_in_any_batch(sampler):
    phrases = 2 * CHUNK + 5
    together = sampler.generate(phrases, seed=100, temperature=1.0)
    assert together.dtype == bool
    assert together.shape == (phrases, 4, 48, 84, 5)
    alone = [sampler.generate(1, seed=100 + i, temperature=1.0)[0] for i in (0, 7, CHUNK, phrases - 1)]
    np.testing.assert_array_equal(together[[0, 7, CHUNK, -1]], alone)
    np.testing.assert_array_equal(together[3:10], sampler.generate(7, seed=103, temperature=1.0))
    assert len({phrase.tobytes() for phrase in together}) > phrases // 2  # and another seed another phrase


def test_without_temperature_only_the_middles_of_the_prior_are_played(sampler, trained):
    prior = trained[2]
    made = sampler.generate(40, seed=0, temperature=0.0)
    latents = prior.points.reshape(-1, prior.units, prior.latent)
    middles = tf.function(PhraseFunctions(*trained).decode)(latents).numpy()
    assert {phrase.tobytes() for phrase in made} <= {phrase.tobytes() for phrase in middles}


def test_restoring_depends_on_no_neighbour(sampler, tiny_store):
    phrases = np.concatenate([tiny_store.load("train"), tiny_store.load("validation")])
    phrases = np.concatenate([phrases, phrases[::-1]])[: CHUNK + 3]
    restored = sampler.restore(phrases)
    for row in (0, 5, CHUNK, CHUNK + 2):
        np.testing.assert_array_equal(restored[row], sampler.restore(phrases[row : row + 1])[0])
    assert sampler.restore(phrases[:0]).shape == (0, 4, 48, 84, 5)


def test_restoring_is_the_sandwich_by_its_posterior_means(smoke_sandwich, sampler, tiny_store):
    sandwich, _ = smoke_sandwich
    phrases = tiny_store.load("test")
    for refined, name in ((True, "pianoroll"), (False, "unrefined")):
        probability = np.asarray(sandwich(phrases)[name])
        sure = np.abs(probability - 0.5) > 1e-4
        restored = sampler.restore(phrases, refined=refined)
        np.testing.assert_array_equal(restored[sure], (probability >= 0.5)[sure])
    assert restored.any()


def test_a_restored_phrase_is_its_latents_decoded(sampler, tiny_store):
    phrases = next(tiny_store.songs("train")).phrases
    latents = sampler.encode(phrases)
    assert (latents.dtype, latents.shape) == (np.float32, (len(phrases), *sampler.latent_shape))
    np.testing.assert_array_equal(sampler.decode(latents), sampler.restore(phrases))


def test_no_phrases_come_back_as_no_phrases(sampler):
    none = np.zeros((0, 4, 48, 84, 5), bool)
    assert sampler.encode(none).shape == (0, *sampler.latent_shape)
    for made in (sampler.restore(none), sampler.decode(sampler.encode(none))):
        assert (made.dtype, made.shape) == (bool, none.shape)


def test_a_trained_model_restores_most_of_what_it_was_trained_on(sampler, tiny_store):
    phrases = tiny_store.load("train")
    restored = sampler.restore(phrases)
    assert (restored & phrases).sum() / phrases.sum() > 0.6


def test_songs_are_phrases_without_a_silent_bar_in_the_order_of_their_seeds(sampler, monkeypatch):
    def generate(self, phrases, *, seed, temperature, refined, progress):
        made = np.zeros((phrases, 4, 48, 84, 5), bool)
        for i in range(phrases):
            made[i, :, 0, (seed + i) % 84, 2] = True
            made[i, (seed + i) % 4] &= bool((seed + i) % 3)  # every third seed has a silent bar
        return made if refined else ~made

    monkeypatch.setattr(Sampler, "generate", generate)
    songs, seeds = sampler.compose(3, 5, seed=10, temperature=1.0)
    assert seeds.tolist() == [[10, 11, 13, 14, 16], [17, 19, 20, 22, 23], [25, 26, 28, 29, 31]]
    assert songs.shape == (3, 5, 4, 48, 84, 5)
    assert songs[1, 2, :, 0, 20, 2].all()
    assert songs.any(axis=(3, 4, 5)).all()


def test_a_model_that_makes_silence_is_given_up(sampler, monkeypatch):
    def silence(self, phrases, *, seed, temperature, refined, progress):
        return np.zeros((phrases, 4, 48, 84, 5), bool)

    monkeypatch.setattr(Sampler, "generate", silence)
    with pytest.raises(SilenceError, match="only 0 of 32 generated phrases have no silent bar, 4 are needed"):
        sampler.compose(2, 2, seed=0, temperature=1.0)


def test_more_phrases_than_fit_in_memory_go_through_in_turn(sampler, monkeypatch):
    whole = sampler.generate(40, seed=0, temperature=1.0)
    monkeypatch.setattr(sampling, "BATCH", 16)
    np.testing.assert_array_equal(sampler.generate(40, seed=0, temperature=1.0), whole)
    latents = sampler.encode(whole)
    assert latents.shape == (40, *sampler.latent_shape)
    np.testing.assert_array_equal(latents[16:32], sampler.encode(whole[16:32]))


def test_a_phrase_has_its_own_place_in_the_random_stream():
    """The i-th phrase of seed s is the first of seed s + i, in the prior too."""
    prior = Prior.isotropic(4, 8, 1.0)
    draw = tf.function(lambda seeds: prior.sample(seeds, tf.ones(tf.shape(seeds))))
    np.testing.assert_array_equal(draw(tf.constant([5, 6], tf.int64))[1], draw(tf.constant([6], tf.int64))[0])


def test_where_a_phrase_is_one_unit_it_has_one_latent_vector():
    sizes = {"bars": 3, "steps": 4, "beat_resolution": 1, "pitches": 6, "lowest_pitch": 40}
    config = dataclasses.replace(SMOKE, unit="phrase", encoder_states="last", **sizes)
    sandwich, prior = build_sandwich(config), Prior.isotropic(1, config.mfg_latent, 3.0)
    functions = PhraseFunctions(sandwich, config, prior)
    assert functions.latent_shape == (1, 8)
    phrases = np.random.default_rng(0).random((CHUNK + 2, 3, 4, 6, 5)) < 0.2
    latent = functions.encode(tf.constant(phrases)).numpy()
    assert latent.shape == (CHUNK + 2, 1, 8)
    np.testing.assert_allclose(latent, sandwich(phrases)["latent"], atol=1e-5)
    decoded = functions.decode(tf.constant(latent)).numpy()
    probability = np.asarray(decoding_view(sandwich)(latent[:, 0])["pianoroll"])
    sure = np.abs(probability - 0.5) > 1e-4
    assert sure.any()
    np.testing.assert_array_equal(decoded[sure], (probability >= 0.5)[sure])
    sampler = Sampler(sandwich, config, prior)
    np.testing.assert_array_equal(sampler.restore(phrases), decoded)
    np.testing.assert_array_equal(sampler.restore(phrases[-1:])[0], decoded[-1])
    together = sampler.generate(CHUNK + 2, seed=5, temperature=1.0)
    assert together.shape == (CHUNK + 2, 3, 4, 6, 5)
    np.testing.assert_array_equal(sampler.generate(1, seed=5 + CHUNK, temperature=1.0)[0], together[CHUNK])
    assert len({phrase.tobytes() for phrase in together}) > 1
