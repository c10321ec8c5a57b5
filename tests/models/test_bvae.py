import dataclasses

import numpy as np
import pytest

from msw2.config import DEMO, PAPER, RELEASED, TUNED
from msw2.models import bvae
from msw2.models.refine import build_refiner
from msw2.models.sandwich import build_sandwich, encoding_view

# All that a decoder which repeats the latent vector can have.
REPEATING = dataclasses.replace(
    PAPER, likelihood="bernoulli", encoder_states="all", position=True, gates="hard_sigmoid"
)


@pytest.mark.parametrize(
    ("preset", "unit", "encoder", "decoder"),
    [
        # LSTM: 4 x 128 x (84 + 128 + 1); two Dense: 2 x 64 x (128 + 1)
        (PAPER, "bar", 109056 + 16512, 98816 + 71568),
        (PAPER, "phrase", 109056 + 16512, 98816 + 71568),  # a recurrence is as large over more steps
        # Dense on all states, 48 or 192. The decoder's position: 12 steps a beat, and 4 or 16 beats.
        (REPEATING, "bar", 109056 + 128 * (48 * 128 + 1), 4 * 128 * (64 + 12 + 4 + 128 + 1) + 129 * 84),
        (REPEATING, "phrase", 109056 + 128 * (192 * 128 + 1), 4 * 128 * (64 + 12 + 16 + 128 + 1) + 129 * 84),
        # Encoder: an LSTM of 64 units, two Dense on all its states. Decoder: a Dense to all cells, an LSTM that reads
        # them, a Dense on its states.
        (TUNED, "bar", 38144 + 512 * (48 * 64 + 1), 257 * 48 * 84 + 38144 + 65 * 84),
        (TUNED, "phrase", 38144 + 512 * (192 * 64 + 1), 257 * 192 * 84 + 38144 + 65 * 84),
        (RELEASED, "bar", 349184 + 131584, 525312 + 114576),
    ],
)
def test_parameters_and_shapes(preset, unit, encoder, decoder):
    config = dataclasses.replace(preset, unit=unit)
    models = {
        "bass_encoder": bvae.build_encoder(config, "bass"),
        "bass_decoder": bvae.build_decoder(config, "bass"),
        "bass_refiner": build_refiner(config, "bass"),
    }
    assert models["bass_encoder"].count_params() == encoder
    assert models["bass_decoder"].count_params() == decoder
    steps = {"bar": 48, "phrase": 192}[unit]
    assert models["bass_encoder"].input_shape == (None, steps, 84)
    assert models["bass_decoder"].output_shape == (None, steps, 84)
    assert models["bass_refiner"].output_shape == (None, steps, 84)
    assert models["bass_refiner"].count_params() == 524884  # step by step


SMALL = {
    **{"bars": 3, "steps": 8, "beat_resolution": 2, "pitches": 6, "lowest_pitch": 40, "unit": "phrase"},
    **{"bvae_hidden": 4, "bvae_latent": 3, "mfg_hidden": 5, "mfg_latent": 7},
}


@pytest.mark.parametrize(("target", "width"), [("means", 3), ("moments", 6)])
def test_a_sandwich_of_phrases(target, width):
    config = dataclasses.replace(DEMO, **SMALL, mfg_target=target)
    sandwich, phrases = build_sandwich(config), np.random.default_rng(0).random((2, 3, 8, 6, 5)) < 0.3
    assert encoding_view(sandwich)(phrases).shape == (2, 5, width)
    # The bars of a phrase are read one after another.
    units = np.where(np.concatenate([phrases[:, bar] for bar in range(3)], axis=1), 1.0, -1.0)
    moments = sandwich.get_layer("strings_encoder")(units[..., 4].astype(np.float32))
    np.testing.assert_allclose(encoding_view(sandwich)(phrases)[:, 4], moments[:, :width], atol=1e-6)
    assert sandwich(phrases)["latent"].shape == (2, 1, 7)
    assert sandwich(phrases)["pianoroll"].shape == (2, 3, 8, 6, 5)
    changed = phrases.copy()
    changed[0, 0, 1, 2, 3] ^= True  # in the first bar; every bar of what is restored may hear of it
    before, after = (np.asarray(sandwich(each)["unrefined"]) for each in (phrases, changed))
    assert (np.abs(before - after)[0].reshape(3, -1).max(axis=1) > 0).all()
    assert np.array_equal(before[1], after[1])


def test_the_loss_of_a_phrase_is_summed_over_its_cells():
    config = dataclasses.replace(TUNED, **SMALL, epsilon_std=0.0, bvae_kl=0.0)
    encoder, decoder = bvae.build_encoder(config, "bass"), bvae.build_decoder(config, "bass")
    vae = bvae.build_bvae(config, encoder, decoder, seed=0)
    units = np.where(np.random.default_rng(0).random((2, 24, 6)) < 0.3, 1.0, -1.0).astype(np.float32)
    made = vae(units)
    expected = np.log1p(np.exp(-units * np.asarray(made["output"], np.float64))).sum() / 2
    assert float(vae.compute_loss(units, units, made)) == pytest.approx(expected, rel=1e-5)
