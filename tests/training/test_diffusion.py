"""Training of the diffusion prior, alone and as the end of stage 2 and of finetuning."""

import csv
import dataclasses
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from msw2.inference.sampling import PhraseFunctions
from msw2.models.codes import Codes
from msw2.models.denoiser import build_denoiser
from msw2.models.diffusion import DiffusionPrior
from msw2.models.prior import Prior
from msw2.models.prior_file import load_prior
from msw2.models.sandwich import FUSION_PARTS, PARTS, encoding_view
from msw2.training import diffusion, finetune, stage2
from msw2.training.diffusion import cells_loss, denoiser_of, denoising_view, fit_codes, train_prior
from msw2.training.finetune import train_all
from msw2.training.fit import Resume
from msw2.training.runs import Run

EPOCHS = 3


@pytest.fixture(scope="module")
def own(config):
    """Two batches an epoch."""
    return dataclasses.replace(
        config,
        prior="diffusion",
        prior_width=64,
        prior_layers=1,
        prior_epochs=EPOCHS,
        prior_learning_rate=3e-3,
        epoch_bars=512,
        mfg_epochs=1,
        finetune_epochs=1,
    )


@pytest.fixture(scope="module")
def begun(tmp_path_factory, own, fresh, give):
    """A run of BVAEs and refiners as they start."""
    run = Run.create(tmp_path_factory.mktemp("runs") / "begun", own)
    give(run, fresh(own), *(name for name in PARTS if name not in FUSION_PARTS))
    return run


@pytest.fixture(scope="module")
def staged(tmp_path_factory, begun, store, fresh):
    """The same run after stage 2."""
    run = copied(begun, tmp_path_factory.mktemp("runs") / "staged")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage2, "build_sandwich", fresh)
        assert stage2.train_fusion(run, store)
    return run


@pytest.fixture(scope="module")
def codes(own, store, fresh):
    return fit_codes(fresh(own), own, store)


def copied(run, path):
    shutil.copytree(run.path, path)
    return Run.open(path)


@pytest.fixture
def looked(monkeypatch):
    """The arguments of the fit that takes the place of the diffusion's own: (model, feed, epochs, label)."""
    seen = []

    def look(model, feed, resume, *, epochs, label):
        seen.append((model, feed, epochs, label))
        return resume

    monkeypatch.setattr(diffusion, "fit", look)
    return seen


def same_arrays(prior, other, names):
    return all(np.array_equal(getattr(prior.codes, name), getattr(other.codes, name)) for name in names)


def same_weights(prior, weights):
    return all(np.array_equal(a, b) for a, b in zip(prior.weights, weights, strict=True))


def test_the_loss_is_the_cross_entropy_of_a_units_cells_in_50_nats():
    rng = np.random.default_rng(0)
    cells, logits = rng.random((2, 3, 5, 7)) < 0.3, rng.normal(0, 3, (2, 3, 5, 7))
    chance = 1 / (1 + np.exp(-logits))
    expected = -np.where(cells, np.log(chance), np.log(1 - chance)).sum(axis=-1) / 50
    np.testing.assert_allclose(cells_loss(cells.astype(np.uint8), logits), expected, rtol=1e-5)


def test_the_learning_rate_rises_and_falls_along_a_cosine(own):
    rate = diffusion._rate(own, 200)
    found = [float(rate(step)) for step in (0, 2, 4, 102, 200)]
    assert found == pytest.approx([0, 1.5e-3, 3e-3, 0.525 * 3e-3, 0.05 * 3e-3], rel=1e-3, abs=1e-9)
    assert float(diffusion._rate(own, 7)(0)) == pytest.approx(3e-3)  # too few steps to rise in


def test_the_space_is_fitted_to_the_encoders_means_of_all_phrases(own, store, fresh, codes, monkeypatch):
    phrases = store.load("train")
    means = np.asarray(encoding_view(fresh(own))(phrases)).reshape(20, 5, 3)
    cells = (phrases[..., track].reshape(20, 48) for track in range(5))
    expected = Codes.fit(means, cells)
    for field in ("middle", "scale", "variance", "residual"):
        np.testing.assert_allclose(getattr(codes, field), getattr(expected, field), rtol=2e-3, atol=1e-4)
    monkeypatch.setattr(diffusion, "FITTED_PHRASES", 5)
    some = fit_codes(fresh(own), own, store)
    every_second = means.reshape(10, 2, 5, 3)[1::2].reshape(10, 5, 3)
    np.testing.assert_allclose(some.middle, every_second.mean(axis=0), atol=1e-5)


def test_codes_get_the_noise_they_are_told_and_given_ones_what_their_sums_leave_out(codes):
    rng = np.random.default_rng(1)
    cells = (rng.random((4, 64, 5, 48)) < 0.2).astype(np.uint8)
    given = (rng.random((4, 64, 5)) < 0.5).astype(np.float32)
    log_sigma = np.full((4, 64), np.log(3), np.float32)
    nothing = np.zeros((5, 3, 48), np.float32), np.zeros((5, 48), np.float32)
    read = diffusion.Noisy(codes, nothing, 7)([cells, log_sigma, given])
    clean = np.einsum("sutc,tcn->sutn", cells, codes.kernel) + codes.offset
    noise = np.asarray(read["codes"]) * np.sqrt(codes.variance + 9) - clean
    left = np.asarray(read["codes"]) * np.sqrt(codes.variance) - clean
    for track in range(5):
        known = given[..., track] > 0
        assert noise[:, :, track][~known].std() == pytest.approx(3, rel=0.1)
        assert left[:, :, track][known].std() == pytest.approx(codes.residual[track], rel=0.15)
    assert abs(noise[given == 0].mean()) < 0.3
    np.testing.assert_allclose(read["log_sigma"], log_sigma, rtol=1e-6)


def test_without_noise_it_learns_a_batch_by_heart(own, codes, fresh):
    config = dataclasses.replace(own, prior_layers=2)
    rng = np.random.default_rng(2)
    numbers = np.tile(np.arange(6, dtype=np.int32), (2, 1))
    batch = {
        "cells": (rng.random((2, 6, 5, 48)) < 0.15).astype(np.uint8),
        "log_sigma": np.full((2, 6), -9, np.float32),
        "given": np.zeros((2, 6, 5), np.float32),
        "place": rng.random((2, 6, 2)).astype(np.float32),
        "position": numbers,
        "segment": np.zeros_like(numbers),
    }
    view = denoising_view(config, denoiser_of(config, codes), codes, codes.decoding(fresh(config)))
    view.compile(keras.optimizers.Adam(3e-3), loss=cells_loss, jit_compile=False)
    losses = [view.train_on_batch(batch, batch["cells"]) for _ in range(120)]
    assert losses[-1] < 0.1 * losses[0]


def test_stage_2_trains_the_fusion_and_then_a_prior_that_is_loaded_and_draws(staged, own, store, history):
    sandwich, prior = staged.load_sandwich()
    assert isinstance(prior, DiffusionPrior)
    assert (prior.units, prior.latent, prior.width, prior.layers) == (2, 4, 64, 1)
    assert [row["epoch"] for row in history(staged, "prior")] == ["1", "2", "3"]
    assert len(history(staged, "mfg_vae")) == 1
    assert not staged.checkpoint("prior").exists()
    fresh_weights = denoiser_of(own, prior.codes).get_weights()
    moved = [not np.array_equal(a, b) for a, b in zip(prior.weights, fresh_weights, strict=True)]
    assert all(moved)
    functions = PhraseFunctions(sandwich, own, prior)
    found = functions.generate(tf.constant([3, 9, 3], tf.int64), tf.ones(3))
    assert found.shape == (3, 2, 8, 6, 5)
    assert np.array_equal(found[0], found[2])
    assert stage2.train_fusion(staged, store) is False


def test_if_the_prior_alone_is_missing_it_alone_is_trained(tmp_path, staged, store, monkeypatch):
    run = copied(staged, tmp_path / "run")
    run.prior.unlink()
    before = {part: run.weights(part).read_bytes() for part in PARTS}
    monkeypatch.setattr(stage2, "encode_moments", None)  # nothing is encoded for the MFG-VAE
    monkeypatch.setattr(stage2, "fit", None)
    assert stage2.train_fusion(run, store)
    assert {part: run.weights(part).read_bytes() for part in PARTS} == before
    assert run.prior.read_bytes() == staged.prior.read_bytes()


def test_killed_and_started_again_it_gives_the_same_bytes(tmp_path, staged, store, killed, history):
    run = copied(staged, tmp_path / "run")
    run.prior.unlink()
    killed(2, stage2.train_fusion, run, store)
    assert len(history(run, "prior")) == 2
    assert run.checkpoint("prior").exists()
    assert not run.prior.exists()
    assert stage2.train_fusion(run, store)
    assert run.prior.read_bytes() == staged.prior.read_bytes()
    rows = [[{**row, "seconds": ""} for row in history(each, "prior")] for each in (run, staged)]
    assert rows[0] == rows[1]
    assert not run.checkpoint("prior").exists()


def test_the_prior_is_written_before_its_checkpoint_is_forgotten(  # noqa: PLR0917 - fixtures
    tmp_path, own, store, fresh, looked, monkeypatch
):
    run, path, finished = Run.create(tmp_path / "run", own), tmp_path / "prior.npz", []
    monkeypatch.setattr(Resume, "finish", lambda self: finished.append(path.exists()))
    train_prior(run, store, fresh(own), None, path=path)
    assert finished == [True]
    ((model, feed, epochs, label),) = looked
    assert (feed.steps, epochs, label) == (2, EPOCHS, "prior")
    assert same_weights(load_prior(path), model.get_layer("denoiser").get_weights())


def test_it_begins_with_the_weights_and_the_axes_of_a_prior_before(tmp_path, own, store, fresh, looked):
    """Encoders of other weights have other axes; what the network has learnt is of the old ones."""
    rng, sandwich = np.random.default_rng(3), fresh(own)
    weights = [
        rng.normal(size=weight.shape) for weight in denoiser_of(own, fit_codes(sandwich, own, store)).weights
    ]
    turned = np.stack([np.linalg.qr(rng.normal(size=(3, 3)))[0] for _ in range(5)]).astype(np.float32)
    codes = dataclasses.replace(fit_codes(sandwich, own, store), axes=turned)
    before = DiffusionPrior(2, 4, 64, 1, codes, [weight.astype(np.float32) for weight in weights])
    run = Run.create(tmp_path / "run", own, start=("learnt", sandwich, before))
    train_prior(run, store, sandwich, run.prior_before(), path=run.prior)
    found = load_prior(run.prior)
    assert same_weights(found, before.weights)
    assert same_arrays(found, before, ("axes", "scale", "middle"))
    assert not same_arrays(found, before, ("kernel",))


@pytest.mark.parametrize("kind", ["none", "gaussians", "another width"])
def test_else_it_begins_afresh(  # noqa: PLR0917 - fixtures
    tmp_path, own, store, fresh, looked, codes, kind
):
    wide = build_denoiser(tracks=5, code=3, cells=48, width=128, layers=1)
    before = {
        "none": None,
        "gaussians": Prior.isotropic(2, 4, 1.0),
        "another width": DiffusionPrior(2, 4, 128, 1, codes, wide.get_weights()),
    }[kind]
    run = Run.create(tmp_path / "run", own)
    train_prior(run, store, fresh(own), before, path=run.prior)
    assert same_weights(load_prior(run.prior), denoiser_of(own, codes).get_weights())


def test_gaussians_are_not_blended_with_a_diffusion_before(tmp_path, own, fresh, codes):
    config = dataclasses.replace(own, prior="mixture", prior_neighbours=2)
    network = build_denoiser(tracks=5, code=3, cells=48, width=64, layers=1)
    before = DiffusionPrior.of(own, codes, network)
    run = Run.create(tmp_path / "run", config, start=("learnt", fresh(own), before))
    latents = np.random.default_rng(0).normal(size=(40, 2, 4)).astype(np.float32)
    found = stage2.fit_run_prior(run, latents)
    assert isinstance(found, Prior)
    assert np.abs(found.points).max() < 20


def test_finetuning_trains_the_prior_on_from_that_of_stage_2(tmp_path, staged, store, fresh, monkeypatch):
    run, began = copied(staged, tmp_path / "run"), []
    monkeypatch.setattr(finetune, "build_sandwich", fresh)
    fit = diffusion.fit

    def look(model, *arguments, **options):
        began.extend(np.array(weight) for weight in model.get_layer("denoiser").get_weights())
        return fit(model, *arguments, **options)

    monkeypatch.setattr(diffusion, "fit", look)
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    assert train_all(run, store)
    assert {path: path.read_bytes() for path in before} == before  # what the stages wrote stays
    assert same_weights(run.stage_prior(), began)
    _, found = run.load_sandwich()
    assert not same_weights(found, began)
    assert same_arrays(found, run.stage_prior(), ("axes", "scale", "middle"))
    with open(run.history("finetuned_prior"), newline="") as file:
        assert len(list(csv.DictReader(file))) == EPOCHS
    assert not any(run.path.glob("checkpoints/*"))
    assert train_all(run, store) is False


def test_the_draws_of_batches_and_noise_are_those_of_the_runs_seed(tmp_path, own, store, fresh, looked):
    weights = []
    for seed in (0, 0, 1):
        run = Run.create(tmp_path / f"run{len(weights)}", dataclasses.replace(own, seed=seed))
        train_prior(run, store, fresh(run.config), None, path=run.prior)
        weights.append(load_prior(run.prior).weights)
    assert np.array_equal(weights[0][0], weights[1][0])
    assert not np.array_equal(weights[0][0], weights[2][0])
