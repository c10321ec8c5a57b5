"""Decoders that draft: against NumPy, for the steps of a unit and for the tracks of a band."""

import dataclasses

import keras
import numpy as np
import pytest

from msw2.config import DEMO
from msw2.models import bvae, mfg_vae

# A different size on every axis.
ROWS, BARS, STEPS, PITCHES, LATENT, HIDDEN, MFG_LATENT, MFG_HIDDEN = 2, 3, 8, 6, 4, 9, 7, 11
CONFIG = dataclasses.replace(
    DEMO,  # TUNED's maths
    bars=BARS,
    steps=STEPS,
    pitches=PITCHES,
    lowest_pitch=40,
    beat_resolution=2,
    bvae_hidden=HIDDEN,
    bvae_latent=LATENT,
    mfg_hidden=MFG_HIDDEN,
    mfg_latent=MFG_LATENT,
)
# How many numbers of a track the MFG-VAE reads and makes.
WIDTHS = {"moments": 8, "means": 4}
GATES = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "hard_sigmoid": lambda x: np.clip(x / 5 + 0.5, 0, 1),
}


def weighed(model):
    """The model with random weights and biases: those of zero, at the start, would hide what is not added."""
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if not layer.name.endswith("standardise"):
            layer.set_weights([rng.normal(0, 0.7, weight.shape) for weight in layer.get_weights()])
    return model


def random_rows(*shape):
    return np.random.default_rng(2).normal(0, 1, (ROWS, *shape)).astype(np.float32)


def weights(model, name):
    return [np.asarray(weight, np.float64) for weight in model.get_layer(name).get_weights()]


def dense(model, name, x):
    kernel, bias = weights(model, name)
    return x @ kernel + bias


def recurrence(model, sequences, gates="sigmoid"):
    """The states of an LSTM, [row, step, unit]; its gates lie in the order input, forget, cell, output."""
    kernel, recurrent, bias = weights(model, "lstm")
    hidden = cell = np.zeros((len(sequences), len(recurrent)))
    states = []
    for step in range(sequences.shape[1]):
        parts = np.split(sequences[:, step] @ kernel + hidden @ recurrent + bias, 4, axis=1)
        let_in, forget, let_out = (GATES[gates](parts[index]) for index in (0, 1, 3))
        cell = forget * cell + let_in * np.tanh(parts[2])
        hidden = let_out * np.tanh(cell)
        states.append(hidden)
    return np.stack(states, axis=1)


def drafted(model, latent, steps, gates="sigmoid"):
    draft = dense(model, "draft", latent).reshape(ROWS, steps, -1)
    return draft + dense(model, "output", recurrence(model, draft, gates))


@pytest.mark.parametrize("portable", [False, True])
@pytest.mark.parametrize("gates", GATES)
@pytest.mark.parametrize(("unit", "steps"), [("bar", STEPS), ("phrase", BARS * STEPS)])
def test_a_bvae_drafts_all_steps_and_adds_what_an_lstm_says_of_the_draft(unit, steps, gates, portable):
    config = dataclasses.replace(CONFIG, unit=unit, gates=gates)
    decoder = weighed(bvae.build_decoder(config, "bass", portable=portable))
    latent = random_rows(LATENT)
    made = decoder(latent)
    assert made.dtype == "float32"
    np.testing.assert_allclose(made, drafted(decoder, latent, steps, gates), atol=2e-4)


def test_the_lstm_reads_the_draft_up_to_its_step_and_no_further():
    decoder, latent = weighed(bvae.build_decoder(CONFIG, "bass")), random_rows(LATENT)
    before = np.asarray(decoder(latent))
    kernel, bias = decoder.get_layer("draft").get_weights()
    bias[5 * PITCHES + 2] += 3  # step 5, pitch 2
    decoder.get_layer("draft").set_weights([kernel, bias])
    moved = np.abs(np.asarray(decoder(latent)) - before).max(axis=0) > 1e-4
    assert moved.all(axis=1).tolist() == [False] * 5 + [True] * 3  # all pitches hear of it
    assert not moved[:5].any()


@pytest.mark.parametrize("output", ["tanh", "linear"])  # of no meaning to a draft: it is not cut off at -1..1
@pytest.mark.parametrize("target", WIDTHS)
def test_the_mfg_vae_drafts_its_tracks(target, output):
    config, shape = dataclasses.replace(CONFIG, mfg_target=target, mfg_output=output), (5, WIDTHS[target])
    decoder = weighed(mfg_vae.build_decoder(config))
    encoder, latent = mfg_vae.build_encoder(config), random_rows(MFG_LATENT)
    rng = np.random.default_rng(3)
    mean, deviation = rng.normal(0, 1, shape), rng.uniform(0.5, 2, shape)
    mfg_vae.set_statistics(encoder, decoder, mean, deviation)
    made, scaled = decoder(latent), drafted(decoder, latent, 5)
    assert made.shape == (ROWS, *shape)
    assert np.abs(scaled).max() > 1
    np.testing.assert_allclose(made, scaled * deviation + mean, atol=2e-4)


@pytest.mark.parametrize("target", WIDTHS)
def test_beside_a_draft_the_mfg_vaes_encoder_hands_on_its_states_of_all_tracks(target):
    config = dataclasses.replace(CONFIG, mfg_target=target)
    encoder, band = weighed(mfg_vae.build_encoder(config)), random_rows(5, WIDTHS[target])
    states = recurrence(encoder, band.astype(np.float64)).reshape(ROWS, 5 * MFG_HIDDEN)
    expected = np.concatenate([dense(encoder, name, states) for name in ("mean", "s")], axis=1)
    np.testing.assert_allclose(encoder(band), expected, atol=2e-4)


@pytest.mark.parametrize(
    ("target", "decoding", "encoder", "decoder"),
    [
        # LSTM: 4 x 11 x (8 + 11 + 1); two Dense, on one state or on five: 2 x 7 x (11 + 1), 2 x 7 x (55 + 1)
        ("moments", "latent", 880 + 168, 4 * 11 * (7 + 11 + 1) + 12 * 8),
        ("moments", "draft", 880 + 784, 8 * 5 * 8 + 880 + 12 * 8),
        # 4 x 11 x (4 + 11 + 1)
        ("means", "latent", 704 + 168, 4 * 11 * (7 + 11 + 1) + 12 * 4),
        ("means", "draft", 704 + 784, 8 * 5 * 4 + 704 + 12 * 4),
    ],
)
def test_parameters_of_the_mfg_vae(target, decoding, encoder, decoder):
    config = dataclasses.replace(
        CONFIG, mfg_target=target, decoding=decoding, mfg_output="linear", standardise=False
    )
    found = [build(config).count_params() for build in (mfg_vae.build_encoder, mfg_vae.build_decoder)]
    assert found == [encoder, decoder]


@pytest.mark.parametrize("portable", [False, True])
def test_a_decoder_is_rebuilt_from_its_config(portable):
    decoder = weighed(bvae.build_decoder(CONFIG, "bass", portable=portable))
    again = keras.Model.from_config(decoder.get_config())
    again.set_weights(decoder.get_weights())
    assert np.array_equal(again(random_rows(LATENT)), decoder(random_rows(LATENT)))
