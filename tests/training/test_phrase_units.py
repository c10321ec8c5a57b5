"""BVAEs that read a phrase as one sequence, through all stages."""

import dataclasses

import numpy as np
import pytest

from msw2.data.augmentation import transpose_phrases
from msw2.models.prior import Prior
from msw2.models.sandwich import Sandwich, build_parts
from msw2.training import refining, stage1, stage2, stages
from msw2.training.runs import Run

CHANGES = {"unit": "phrase", "encoder_states": "last", "bvae_epochs": 1, "refine_epochs": 1, "mfg_epochs": 1}


@pytest.fixture(scope="module")
def phrase(config):
    return dataclasses.replace(config, **CHANGES)


def test_an_epoch_of_stage_1_and_of_a_refiner_is_of_phrases(tmp_path, monkeypatch, phrase, store):
    run, found = Run.create(tmp_path / "run", dataclasses.replace(phrase, train_bars=13)), []
    fit = stages.fit

    def look(model, batches, *, steps, **kwargs):
        found.append((steps, [unit.shape for unit, _ in batches(0)]))
        fit(model, batches, steps=steps, **kwargs)

    monkeypatch.setattr(stages, "fit", look)
    assert stage1.train_bvae(run, store, "bass")
    assert refining.train_refiner(run, store, "bass")
    # 13 bars are seven phrases of two, in batches of five
    assert [(steps, shapes) for steps, shapes in found] == [(2, [(5, 16, 6), (2, 16, 6)])] * 2
    assert run.has("bass_encoder", "bass_decoder", "bass_refiner")


def test_the_memory_of_a_refiners_training_is_counted_in_bars(tmp_path, monkeypatch, phrase, store):
    config = dataclasses.replace(phrase, transpose=0, mixed_bars=0.0, silent_bars=1.0)
    run, names = Run.create(tmp_path / "run", config), []
    for name, part in build_parts(config, ["bass"]).models.items():
        if name != "bass_refiner":
            run.save_weights(part, name)
    monkeypatch.setattr(stages, "fit", lambda model, *args, **kwargs: names.append(model.name))
    for most in (20, 19):  # there are 10 phrases of two bars
        monkeypatch.setattr(refining, "MAX_MADE_BARS", most)
        refining.train_refiner(run, store, "bass")
        run.weights("bass_refiner").unlink()
    assert names == ["bass_refiner", "bass_refine"]


def test_stage_2_has_one_band_and_one_latent_vector_a_phrase(tmp_path, phrase, store):
    run, parts = Run.create(tmp_path / "run", phrase), build_parts(phrase)
    for name, model in parts.models.items():
        if not name.startswith("mfg"):
            run.save_weights(model, name)
    sandwich = Sandwich(parts)
    moments = stage2.encode_moments(sandwich, store, "train", copies=2)
    assert moments.shape == (2, 10, 1, 5, 6)
    moved = transpose_phrases(store.load("train"), 1)
    units = np.where(np.concatenate([moved[:, 0], moved[:, 1]], axis=1), 1.0, -1.0).astype(np.float32)
    np.testing.assert_allclose(moments[1, :, 0], sandwich.moments(units), atol=1e-5)
    assert stage2.train_fusion(run, store)
    prior = Prior.load(run.prior)
    assert (prior.units, prior.latent, prior.points.shape[2]) == (1, 4, 4)
