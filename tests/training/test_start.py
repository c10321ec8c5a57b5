"""Trainings that begin with trained weights."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from msw2.models.prior import Prior
from msw2.models.sandwich import PARTS
from msw2.training import refining, stage1, stage2
from msw2.training.prior import blended
from msw2.training.runs import Run, RunError
from msw2.training.sharing import take_over


@pytest.fixture
def learnt(config, fresh):
    """A sandwich whose weights are none that a training would begin with by itself, and those weights by part."""
    sandwich, rng = fresh(config), np.random.default_rng(7)
    for variable in sandwich.variables:
        if variable.dtype == "float32":
            variable.assign(rng.uniform(0.1, 0.4, variable.shape))
    return sandwich, {name: sandwich.get_layer(name).get_weights() for name in PARTS}


def before(config):
    """A prior of the weights before: one Gaussian, far from where any phrase of the store lies."""
    ends = np.full((1, 1 + 2, config.units * config.mfg_latent), 1000.0, np.float32)
    return Prior(config.units, config.mfg_latent, ends, np.array([[[1, 2]]], np.int32), 1.0, 0.0)


@pytest.fixture
def run(tmp_path, config, learnt):
    return Run.create(tmp_path / "run", config, preset="smoke", start=("learnt", learnt[0], before(config)))


def test_each_stage_begins_with_the_weights_that_it_was_given(run, store, learnt, recorded):
    expected = learnt[1]

    def began(*parts):
        for name in parts:
            for value, start in zip(recorded["before"][name], expected[name], strict=True):
                np.testing.assert_array_equal(value, start, err_msg=name)

    assert stage1.train_bvae(run, store, "bass")
    began("bass_encoder", "bass_decoder")  # not the bias that the store would give the decoder
    for track in ("drums", "piano", "guitar", "strings"):
        stage1.train_bvae(run, store, track)
    assert refining.train_refiner(run, store, "guitar")
    began("guitar_refiner")
    assert recorded["moved"]() == {"guitar_refiner"}
    assert stage2.train_fusion(run, store)
    began("mfg_encoder", "mfg_decoder")  # nor the scale that the store's moments have


def test_without_them_a_training_begins_afresh(tmp_path, config, store, recorded, learnt):
    run = Run.create(tmp_path / "fresh", config)
    stage1.train_bvae(run, store, "bass")
    assert not (run.path / "start").exists()
    assert not np.array_equal(recorded["before"]["bass_encoder"][0], learnt[1]["bass_encoder"][0])


def test_a_damaged_start_is_refused(run, store):
    run.start("bass_decoder").write_bytes(b"no weights")
    with pytest.raises(RunError, match=r"bass_decoder\.weights\.h5 is damaged or of another model$"):
        stage1.train_bvae(run, store, "bass")


def test_a_run_is_there_only_with_all_its_start(tmp_path, config, learnt, monkeypatch):
    def killed(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "_write", killed)
    with pytest.raises(KeyboardInterrupt):
        Run.create(tmp_path / "run", config, start=("learnt", learnt[0], before(config)))
    with pytest.raises(RunError, match="no run at"):
        Run.open(tmp_path / "run")


def test_what_begins_elsewhere_is_not_shared(run, tmp_path, config, fresh, give):
    other = Run.create(tmp_path / "other", dataclasses.replace(config))
    for each in (run, other):
        each.data.write_text('{"store": "s", "digest": "d"}')
    give(run, fresh(config), "bass_encoder", "bass_decoder")
    assert take_over(other, run) == []
    assert take_over(run, other) == []


def test_of_what_is_generated_a_quarter_is_as_before(tmp_path, config, store, learnt):
    """`before` lies at 1000, where no phrase of the store does."""
    config = dataclasses.replace(config, prior="mixture", prior_std=1.0, prior_neighbours=2)
    run = Run.create(tmp_path / "run", config, start=("learnt", learnt[0], before(config)))
    latents = np.random.default_rng(0).normal(size=(10, config.units, config.mfg_latent)).astype(np.float32)
    prior = stage2.fit_run_prior(run, latents)
    drawn = np.asarray(prior.sample(tf.range(400, dtype=tf.int64), tf.ones(400)))
    far = (drawn > 900).all(axis=(1, 2))
    assert abs(far.mean() - 1 / 4) < 0.06
    assert np.abs(drawn[~far]).max() < 50
    np.testing.assert_array_equal(drawn[far], 1000.0)


def test_gaussians_of_another_kind_are_left_out(config):
    own = Prior.isotropic(config.units, config.mfg_latent, 0.5)
    assert blended(own, before(config)) is own
