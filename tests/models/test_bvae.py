import dataclasses

import numpy as np
import pytest

from msw2.config import PAPER, RELEASED, SMOKE, TUNED
from msw2.kernels import compiled
from msw2.models.sandwich import Sandwich, build_parts, track_vae
from msw2.models.vrae import beat_position


@pytest.mark.parametrize(
    ("preset", "unit", "encoder", "decoder"),
    [
        # LSTM: 4 x 128 x (84 + 128 + 1); two Dense: 2 x 64 x (128 + 1)
        (PAPER, "bar", 109056 + 16512, 98816 + 71568),
        (PAPER, "phrase", 109056 + 16512, 98816 + 71568),  # a recurrence is as large over more steps
        # Dense on all states, 48 or 192. The decoder's position: 12 steps a beat, and 4 or 16 beats.
        (TUNED, "bar", 109056 + 128 * (48 * 128 + 1), 4 * 128 * (64 + 12 + 4 + 128 + 1) + 129 * 84),
        (TUNED, "phrase", 109056 + 128 * (192 * 128 + 1), 4 * 128 * (64 + 12 + 16 + 128 + 1) + 129 * 84),
        (RELEASED, "bar", 349184 + 131584, 525312 + 114576),
    ],
)
def test_parameters_and_shapes(preset, unit, encoder, decoder):
    config = dataclasses.replace(preset, unit=unit)
    models = build_parts(config, ["bass"]).models
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


def test_a_sandwich_of_phrases():
    config = dataclasses.replace(TUNED, **SMALL)
    sandwich = Sandwich(build_parts(config))
    units = np.where(np.random.default_rng(0).random((2, 24, 6, 5)) < 0.3, 1.0, -1.0).astype(np.float32)
    assert sandwich.moments(units).shape == (2, 5, 6)
    assert sandwich.encode(units).shape == (2, 7)
    assert sandwich.restore(units).shape == (2, 24, 6, 5)
    changed = units.copy()
    changed[0, 1, 2, 3] *= -1  # in the first bar; every bar of what is restored may hear of it
    before, after = (np.asarray(sandwich.restore(each, refined=False)) for each in (units, changed))
    assert (np.abs(before - after)[0].reshape(3, 8, -1).max(axis=(1, 2)) > 0).all()
    assert np.array_equal(before[1], after[1])


def test_the_loss_of_a_phrase_is_summed_over_its_cells():
    config = dataclasses.replace(TUNED, **SMALL, epsilon_std=0.0, bvae_kl=0.0)
    vae = track_vae(build_parts(config, ["bass"]), "bass")
    units = np.where(np.random.default_rng(0).random((2, 24, 6)) < 0.3, 1.0, -1.0).astype(np.float32)
    made = vae(units)
    expected = np.log1p(np.exp(-units * np.asarray(made["output"], np.float64))).sum() / 2
    assert float(vae.compute_loss(units, units, made)) == pytest.approx(expected, rel=1e-5)


def test_the_position_of_a_step_is_its_place_in_the_beat_and_its_beat():
    # 7 steps of 3 a beat: place in the beat (3) | beat (3), of which the last is cut short.
    expected = [
        [1, 0, 0, 1, 0, 0],
        [0, 1, 0, 1, 0, 0],
        [0, 0, 1, 1, 0, 0],
        [1, 0, 0, 0, 1, 0],
        [0, 1, 0, 0, 1, 0],
        [0, 0, 1, 0, 1, 0],
        [1, 0, 0, 0, 0, 1],
    ]
    found = beat_position(7, 3)
    assert found.dtype == np.float32
    assert found.tolist() == expected


@pytest.mark.parametrize("position", [True, False])
def test_the_lstms_of_a_bvae_know_silence_and_the_position(position):
    config = dataclasses.replace(
        SMOKE, bars=1, steps=8, beat_resolution=2, pitches=12, position=position, encoder_states="all"
    )
    models = build_parts(config, ["bass"]).models
    encoder, decoder = (models[f"bass_{kind}"].get_layer("lstm") for kind in ("encoder", "decoder"))
    assert (encoder.background, encoder.repeat, encoder.return_sequences) == (-1.0, None, True)
    assert (decoder.background, decoder.repeat, decoder.return_sequences) == (None, 8, True)
    if position:
        assert np.array_equal(decoder.step_features, beat_position(8, 2))
    else:
        assert decoder.step_features is None


@pytest.mark.parametrize("portable", [True, False])
def test_a_portable_model_has_no_call_of_python(portable):
    if not compiled.library():
        pytest.skip("nothing is compiled")
    config = dataclasses.replace(SMOKE, bars=1, steps=8, beat_resolution=2, pitches=12)
    models = build_parts(config, portable=portable).models
    recurrent = [layer for model in models.values() for layer in model.layers if layer.name == "lstm"]
    assert len(recurrent) == 12
    assert {layer.portable for layer in recurrent} == {portable}
    assert {layer.implementation(False) for layer in recurrent} == {"block" if portable else "compiled"}
