"""BVAEs that read a phrase as one sequence, through all stages."""

import dataclasses

import numpy as np
import pytest

from msw2.data.augmentation import transpose_phrases as transpose
from msw2.models.prior_file import load_prior
from msw2.models.sandwich import PARTS, encoding_view, stage1_parts
from msw2.training import fit, refining, stage1, stage2
from msw2.training.runs import Run

CHANGES = {"unit": "phrase", "encoder_states": "last", "bvae_epochs": 1, "refine_epochs": 1, "mfg_epochs": 1}


@pytest.fixture(scope="module")
def phrase(config):
    return dataclasses.replace(config, **CHANGES)


def test_an_epoch_of_stage_1_and_of_a_refiner_is_of_phrases(tmp_path, monkeypatch, phrase, store):
    run, found = Run.create(tmp_path / "run", dataclasses.replace(phrase, train_bars=13)), []

    def look(model, feed, resume, *, epochs, **kwargs):
        found.append((feed.steps, [unit.shape for unit, _ in feed.batches(0, epochs)]))
        return fit.fit(model, feed, resume, epochs=epochs, **kwargs)

    for module in (stage1, refining):
        monkeypatch.setattr(module, "fit", look)
    assert stage1.train_bvae(run, store, "bass")
    assert refining.train_refiner(run, store, "bass")
    # 13 bars are seven phrases of two, in batches of five
    assert [(steps, shapes) for steps, shapes in found] == [(2, [(5, 16, 6), (2, 16, 6)])] * 2
    assert run.has("bass_encoder", "bass_decoder", "bass_refiner")


def test_the_memory_of_a_refiners_training_is_counted_in_bars(  # noqa: PLR0917 - fixtures
    tmp_path, monkeypatch, phrase, store, fresh, give, instead_of_fit
):
    config = dataclasses.replace(phrase, transpose=0, mixed_bars=0.0, silent_bars=1.0)
    run, names = Run.create(tmp_path / "run", config), []
    give(run, fresh(config), *stage1_parts("bass"))
    instead_of_fit(lambda model, feed, **kwargs: names.append(model.name))
    for most in (20, 19):  # there are 10 phrases of two bars
        monkeypatch.setattr(refining, "MAX_MADE_BARS", most)
        refining.train_refiner(run, store, "bass")
        run.weights("bass_refiner").unlink()
    assert names == ["bass_refiner", "bass_refine"]


def test_stage_2_has_one_band_and_one_latent_vector_a_phrase(tmp_path, phrase, store, fresh, give):
    run, sandwich = Run.create(tmp_path / "run", phrase), fresh(phrase)
    give(run, sandwich, *(name for name in PARTS if not name.startswith("mfg")))
    file, own_key = stage2.encode_moments(sandwich, phrase, store, "train", copies=2)
    assert (file.shape, own_key) == ((20, 5, 3), 10)
    moments = file.read(np.arange(20)).reshape(2, 10, 1, 5, 3)
    moved = transpose(store.load("train"), 1).numpy()
    np.testing.assert_allclose(moments[1, :, 0], encoding_view(sandwich)(moved), atol=1e-5)
    units = np.where(np.concatenate([moved[:, 0], moved[:, 1]], axis=1), 1.0, -1.0).astype(np.float32)
    drums = sandwich.get_layer("drums_encoder")(units[..., 0])[:, :3]
    np.testing.assert_allclose(moments[1, :, 0, 0], drums, atol=1e-5)
    assert stage2.train_fusion(run, store)
    prior = load_prior(run.prior)
    assert (prior.units, prior.latent, prior.points.shape[2]) == (1, 4, 4)
