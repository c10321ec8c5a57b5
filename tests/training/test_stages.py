import csv
import dataclasses
import json
import math
import shutil

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from msw2.config import PAPER, TUNED
from msw2.data import stored_units
from msw2.data.augmentation import transpose_phrases
from msw2.models import native, refine
from msw2.models.binary_neurons import BinaryNeurons
from msw2.models.prior import Prior
from msw2.models.sandwich import Sandwich, build_parts, track_vae
from msw2.training import fit, refining, stage1, stage2, stages, store_check, unit_counts
from msw2.training.annealing import SlopeAnnealing
from msw2.training.optimizers import build_optimizer
from msw2.training.runs import Run, RunError


class Killed(BaseException):
    """What a kill is to the code that is killed: nothing that it can handle."""


def file_content(path):
    """All arrays of a weight file by name."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
        )
    return found


def assert_same(a, b):
    assert a.keys() == b.keys()
    assert a
    for name, value in a.items():
        assert np.array_equal(value, b[name]), name


def history(run, stage):
    with open(run.history(stage), newline="") as file:
        return list(csv.DictReader(file))


def kill_in_the_middle_of_epoch(monkeypatch, epoch):
    """Checkpoints every epoch, and dies in the second batch of one (0-based)."""
    monkeypatch.setattr(fit, "CHECKPOINT_EVERY", 0.0)

    def begin(self, index, logs=None):
        self.epoch = index
        if self._first is None:
            self._first, self._start = index, 0.0

    def batch_end(self, batch, logs=None):
        if batch == 1 and self.epoch == epoch:
            raise Killed

    monkeypatch.setattr(fit.Progress, "on_epoch_begin", begin)
    monkeypatch.setattr(fit.Progress, "on_train_batch_end", batch_end, raising=False)


@pytest.fixture
def recorded(monkeypatch):
    """The parts that a stage built, and their weights when `fit` began."""
    record = {}

    def build(*args, **kwargs):
        record["parts"] = build_parts(*args, **kwargs)
        return record["parts"]

    def fit_and_look(model, batches, **kwargs):
        record["before"] = {name: part.get_weights() for name, part in record["parts"].models.items()}
        record["steps"] = kwargs["steps"]
        return fit.fit(model, batches, **kwargs)

    for stage in (stage1, refining, stage2):
        monkeypatch.setattr(stage, "build_parts", build)
    monkeypatch.setattr(stages, "fit", fit_and_look)
    return record


def moved(record):
    """Names of the parts of which a weight is not what it was, bit for bit."""
    return {
        name
        for name, part in record["parts"].models.items()
        for before, after in zip(record["before"][name], part.get_weights(), strict=True)
        if not np.array_equal(before, after)
    }


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, config, store):
    """A run whose bass has gone through stage 1 without a break."""
    run = Run.create(tmp_path_factory.mktemp("runs") / "unbroken", config)
    assert stage1.train_bvae(run, store, "bass")
    return run


def test_stage_1_writes_its_parts_and_its_history(unbroken, config):
    files = {str(path.relative_to(unbroken.path)) for path in unbroken.path.rglob("*") if path.is_file()}
    assert files == {
        *("config.json", "flags.txt", "data.json", "history/bass_bvae.csv"),
        *("weights/bass_encoder.weights.h5", "weights/bass_decoder.weights.h5"),
    }
    rows = history(unbroken, "bass_bvae")
    assert [float(row["epoch"]) for row in rows] == [1, 2, 3, 4]
    for row in rows:
        for prefix in ("", "val_"):
            loss, nll, kl = (float(row[prefix + name]) for name in ("loss", "nll", "kl"))
            assert loss == pytest.approx(nll + config.bvae_kl * kl, rel=1e-4)
    parts = build_parts(config, ["bass"])
    fresh = {name: part.get_weights() for name, part in parts.models.items()}
    unbroken.load_weights(parts, "bass_encoder", "bass_decoder")
    for name in ("bass_encoder", "bass_decoder"):
        for before, after in zip(fresh[name], parts.models[name].get_weights(), strict=True):
            assert not np.array_equal(before, after)


def test_killed_in_the_middle_of_an_epoch_and_started_again_gives_the_same_bits(
    tmp_path, monkeypatch, config, store, unbroken
):
    run = Run.create(tmp_path / "run", config)
    with monkeypatch.context() as patch:
        kill_in_the_middle_of_epoch(patch, 2)
        with pytest.raises(Killed):
            stage1.train_bvae(run, store, "bass")
    assert run.checkpoint("bass_bvae").exists()
    assert not run.has("bass_encoder")
    assert len(history(run, "bass_bvae")) == 2
    assert stage1.train_bvae(run, store, "bass")
    for part in ("bass_encoder", "bass_decoder"):
        assert_same(file_content(run.weights(part)), file_content(unbroken.weights(part)))
    own, whole = history(run, "bass_bvae"), history(unbroken, "bass_bvae")
    for row in (*own, *whole):
        del row["seconds"]
    assert own == whole
    assert not run.checkpoint("bass_bvae").exists()


def test_killed_between_training_and_writing_it_does_not_train_again(
    tmp_path, monkeypatch, config, store, unbroken
):
    run = Run.create(tmp_path / "run", dataclasses.replace(config, bvae_epochs=2))

    def killed(*args):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(fit, "CHECKPOINT_EVERY", 0.0)
        patch.setattr(Run, "save_weights", killed)
        with pytest.raises(Killed):
            stage1.train_bvae(run, store, "bass")
    with np.load(run.checkpoint("bass_bvae")) as state:
        assert state["rows"].shape[0] == 2
    monkeypatch.setattr(keras.Model, "fit", killed)
    assert stage1.train_bvae(run, store, "bass")
    assert run.has("bass_encoder", "bass_decoder")


def test_a_finished_stage_is_not_trained_again(monkeypatch, unbroken, store):
    before = {path: path.stat().st_mtime_ns for path in unbroken.path.rglob("*")}
    monkeypatch.setattr(stages, "fit", None)
    assert stage1.train_bvae(unbroken, store, "bass") is False
    assert {path: path.stat().st_mtime_ns for path in unbroken.path.rglob("*")} == before


def test_a_checkpoint_belongs_to_its_config_and_store(unbroken, config, store, make_store):
    other = dataclasses.replace(unbroken, config=dataclasses.replace(config, bvae_kl=9.0))
    same = stages.resume_of(unbroken, store, "bass_bvae")._identity
    assert stages.resume_of(unbroken, store, "bass_bvae")._identity == same
    assert stages.resume_of(other, store, "bass_bvae")._identity != same
    assert stages.resume_of(unbroken, make_store(config, seed=5), "bass_bvae")._identity != same


def test_every_track_gets_the_same_number_of_steps(tmp_path, monkeypatch, config, store):
    run, found = Run.create(tmp_path / "run", dataclasses.replace(config, silent_bars=0.0)), {}

    def look(model, batches, *, steps, **kwargs):
        found[model.name] = steps, sum(1 for _ in batches(3))

    monkeypatch.setattr(stages, "fit", look)
    for track in ("drums", "bass"):
        stage1.train_bvae(run, store, track)
    # 10 phrases of two bars in batches of five, however many are silent; one epoch of four is left
    assert found == {"drums_bvae": (4, 4), "bass_bvae": (4, 4)}


def test_epochs_may_be_shorter_than_the_bars_that_are_trained_on(tmp_path, monkeypatch, config, store):
    run, found = Run.create(tmp_path / "run", dataclasses.replace(config, epoch_bars=12)), {}

    def look(model, batches, *, steps, **kwargs):
        found[model.name] = steps, sum(1 for _ in batches(2))

    monkeypatch.setattr(stages, "fit", look)
    stage1.train_bvae(run, store, "drums")
    assert found == {"drums_bvae": (3, 6)}  # twelve bars in batches of five; two epochs of four are left


def test_the_logits_start_at_the_log_odds_of_the_bars_that_are_trained_on(
    tmp_path, monkeypatch, config, store
):
    config = dataclasses.replace(config, silent_bars=0.0, train_bars=9)
    run, found = Run.create(tmp_path / "run", config), {}

    def look(model, batches, *, steps, **kwargs):
        found["bias"] = model.decoder.get_layer("output").bias.numpy()
        found["steps"] = steps

    monkeypatch.setattr(stages, "fit", look)
    stage1.train_bvae(run, store, "bass")
    bars = store.load("train")[..., 3].reshape(-1, 8, 6)
    share = bars[bars.any(axis=(1, 2))][:9].mean(axis=(0, 1))
    assert share.min() > 0
    np.testing.assert_allclose(found["bias"], np.log(share / (1 - share)), atol=1e-5)
    assert found["steps"] == 2  # nine bars in batches of five


def test_the_refiner_trains_on_a_bvae_that_stays_as_it_is(  # noqa: PLR0917 - fixtures
    tmp_path, monkeypatch, config, store, unbroken, recorded
):
    # From nothing, so that there is something to learn in a few steps.
    config = dataclasses.replace(config, refine_residual=False)
    run = Run.create(tmp_path / "run", config)
    for part in ("bass_encoder", "bass_decoder"):
        run.weights(part).parent.mkdir(exist_ok=True)
        run.weights(part).write_bytes(unbroken.weights(part).read_bytes())
    assert refining.train_refiner(run, store, "bass")
    assert moved(recorded) == {"bass_refiner"}
    for before, after in zip(
        recorded["before"]["bass_refiner"],
        recorded["parts"].models["bass_refiner"].get_weights(),
        strict=True,
    ):
        assert not np.array_equal(before, after)
    fresh = build_parts(config, ["bass"])
    run.load_weights(fresh, "bass_encoder", "bass_refiner")
    for name in ("bass_encoder", "bass_refiner"):
        for a, b in zip(
            fresh.models[name].get_weights(), recorded["parts"].models[name].get_weights(), strict=True
        ):
            assert np.array_equal(a, b)
    rows = history(run, "bass_refiner")
    assert len(rows) == config.refine_epochs
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    monkeypatch.setattr(stages, "fit", None)
    assert refining.train_refiner(run, store, "bass") is False


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_a_refiner_trains_behind_a_bvae_of_either_likelihood(  # noqa: PLR0917 - fixtures
    tmp_path, monkeypatch, config, store, likelihood, compiled
):
    track = "drums"
    if not compiled:
        monkeypatch.setattr(native, "library", lambda: None)
    config = dataclasses.replace(config, likelihood=likelihood)
    run, parts = Run.create(tmp_path / "run", config), build_parts(config, [track])
    for part in (f"{track}_encoder", f"{track}_decoder"):
        run.save_weights(parts.models[part], part)
    assert refining.train_refiner(run, store, track)
    assert len(history(run, f"{track}_refiner")) == config.refine_epochs


def test_without_augmentation_the_bvae_decodes_once_and_the_refiner_reads_just_that(
    tmp_path, monkeypatch, config, store, unbroken
):
    config = dataclasses.replace(config, transpose=0, mixed_bars=0.0, epsilon_std=0.0, refine_residual=False)
    run, found = Run.create(tmp_path / "run", config), {}
    for part in ("bass_encoder", "bass_decoder"):
        run.weights(part).parent.mkdir(exist_ok=True)
        run.weights(part).write_bytes(unbroken.weights(part).read_bytes())

    def look(model, batches, *, steps, validation, epochs, **kwargs):
        found.update(model=model, steps=steps, epochs=[list(batches(first)) for first in (0, 1)])

    monkeypatch.setattr(stages, "fit", look)
    assert refining.train_refiner(run, store, "bass")
    assert found["model"].name == "bass_refiner"
    whole, second = found["epochs"]
    assert len(whole) == config.refine_epochs * found["steps"]
    assert len(second) == (config.refine_epochs - 1) * found["steps"]
    parts = build_parts(config, ["bass"])
    run.load_weights(parts, "bass_encoder", "bass_decoder")
    for made, bar in (whole[0], second[-1]):
        assert set(np.unique(bar)) == {-1.0, 1.0}
        mean = parts.models["bass_encoder"](bar)[:, : config.bvae_latent]
        expected = np.tanh(0.5 * np.asarray(parts.models["bass_decoder"](mean)))
        np.testing.assert_allclose(made, expected, atol=1e-5)
    first = np.concatenate([bar for _, bar in whole[: found["steps"]]])
    second = np.concatenate([bar for _, bar in second[: found["steps"]]])
    assert not np.array_equal(first, second)  # another order
    assert np.array_equal(np.sort(first.sum(axis=(1, 2))), np.sort(second.sum(axis=(1, 2))))


def test_the_refiners_loss_is_the_mean_cross_entropy_of_what_sounds():
    target, probability = np.array([[[1.0, -1.0]]]), np.array([[[0.8, 0.4]]])
    expected = -(math.log(0.8) + math.log(0.6)) / 2
    assert float(refining.refine_loss(1.0)(target, probability)) == pytest.approx(expected, rel=1e-5)
    expected = -(3 * math.log(0.8) + math.log(0.6)) / 2
    assert float(refining.refine_loss(3.0)(target, probability)) == pytest.approx(expected, rel=1e-5)

    bar = np.array([[[1.0, -1.0]]])
    for output in ("released", "deterministic", "stochastic"):
        expected = (3 * 0.2**2 + 0.4**2) / 2
        assert float(refining.refine_loss(3.0, output)(bar, probability)) == pytest.approx(expected, rel=1e-5)


def test_the_accuracy_is_the_share_of_cells_that_are_right_also_with_an_uneven_last_batch():
    accuracy = refining.refine_accuracy()
    bars = np.array([[[1.0, -1.0], [-1.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]], [[-1.0] * 2] * 2], np.float32)
    made = np.array([[[0.5, 0.49], [0.5, 0.6]], [[0.4, 0.4], [0.4, 0.9]], [[0.1] * 2] * 2], np.float32)
    accuracy.update_state(bars[:2], made[:2])
    accuracy.update_state(bars[2:], made[2:])
    assert float(accuracy.result()) == pytest.approx((0.75 + 0.25 + 1) / 3)


def with_stage_1_of(run, other):
    """Gives a run the bass's BVAE of another."""
    for part in ("bass_encoder", "bass_decoder"):
        run.weights(part).parent.mkdir(exist_ok=True)
        run.weights(part).write_bytes(other.weights(part).read_bytes())
    return run


@pytest.mark.parametrize("network", ["notes", "bars"])
def test_a_refiner_with_binary_neurons_killed_and_started_again(  # noqa: PLR0917 - fixtures
    tmp_path, monkeypatch, config, store, unbroken, recorded, network
):
    # Moving statistics, the slope, and the generator of the draws have to come back.
    monkeypatch.setattr(refine, "UNITS", 1)
    fields = {"refine": network, "refine_output": "stochastic", "refine_epochs": 4}
    if network == "notes":  # and the other way to train it: the BVAE decodes once
        fields |= {"transpose": 0, "mixed_bars": 0.0, "epsilon_std": 0.0}
    config = dataclasses.replace(config, **fields, refine_residual=False)
    runs = [with_stage_1_of(Run.create(tmp_path / name, config), unbroken) for name in ("whole", "halves")]
    assert refining.train_refiner(runs[0], store, "bass")
    assert moved(recorded) == {"bass_refiner"}
    with monkeypatch.context() as patch:
        kill_in_the_middle_of_epoch(patch, 2)
        with pytest.raises(Killed):
            refining.train_refiner(runs[1], store, "bass")
    assert len(history(runs[1], "bass_refiner")) == 2
    assert refining.train_refiner(runs[1], store, "bass")
    whole, halves = (file_content(run.weights("bass_refiner")) for run in runs)
    assert_same(whole, halves)
    rows = [[{**row, "seconds": ""} for row in history(run, "bass_refiner")] for run in runs]
    assert rows[0] == rows[1]
    columns = {"epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"}
    assert set(rows[0][0]) == columns
    refiner = recorded["parts"].models["bass_refiner"]
    assert float(refiner.get_layer("neurons").slope) == pytest.approx(1.1**3, rel=1e-6)
    assert 0 < float(rows[0][-1]["accuracy"]) < 1
    if network == "notes":
        return
    unit = refiner.get_layer("unit_0")
    for statistics in (unit.moving_mean, unit.normalise.moving_mean, refiner.get_layer("output").moving_mean):
        assert np.abs(statistics).min() > 0


def test_the_slope_follows_the_number_of_the_epoch():
    bar = keras.Input((2, 3))
    model = keras.Model(bar, BinaryNeurons(True, 1, name="neurons")(bar))
    annealing = SlopeAnnealing(model)
    for epoch, slope in ((0, 1.0), (1, 1.1), (5, 1.61051), (2, 1.21)):
        annealing.on_epoch_begin(epoch)
        assert float(model.get_layer("neurons").slope) == pytest.approx(slope, rel=1e-6)


def test_where_the_bvae_has_the_last_word_nothing_is_trained(tmp_path, monkeypatch, config, store, unbroken):
    run = with_stage_1_of(Run.create(tmp_path / "run", dataclasses.replace(config, refine="none")), unbroken)
    monkeypatch.setattr(stages, "fit", None)
    assert refining.train_refiner(run, store, "bass")
    assert run.has("bass_refiner")
    assert not run.history("bass_refiner").exists()
    assert refining.train_refiner(run, store, "bass") is False
    run.load_weights(build_parts(run.config, ["bass"]), "bass_refiner")


def test_frozen_a_refiner_in_bars_keeps_its_statistics(monkeypatch, config):
    monkeypatch.setattr(refine, "UNITS", 1)
    parts = build_parts(dataclasses.replace(config, refine="bars"), ["bass"])
    refiner = parts.models["bass_refiner"]
    stages.compile_stage(
        track_vae(parts, "bass"), build_optimizer(config, 100), parts, ["bass_encoder", "bass_decoder"]
    )
    before = refiner.get_weights()
    assert refiner.trainable_weights == []
    refiner(np.random.default_rng(0).uniform(-1, 1, (2, 8, 6)), training=True)
    for a, b in zip(before, refiner.get_weights(), strict=True):
        assert np.array_equal(a, b)


@pytest.fixture(scope="module")
def fused(tmp_path_factory, config, store):
    """A run through stage 2 without a break, over BVAEs as they start."""
    run = Run.create(tmp_path_factory.mktemp("runs") / "fused", config)
    for name, model in build_parts(config).models.items():
        if name.endswith(("encoder", "decoder")) and not name.startswith("mfg"):
            run.save_weights(model, name)
    assert stage2.train_fusion(run, store)
    return run


@pytest.fixture(scope="module")
def sandwich(config, fused):
    """The sandwich of `fused`, but for its refiners."""
    parts = build_parts(config)
    fused.load_weights(parts, *(name for name in parts.models if not name.endswith("refiner")))
    return Sandwich(parts)


@pytest.fixture(scope="module")
def moments(sandwich, store):
    return {
        split: stage2.encode_moments(sandwich, store, split, copies=copies)
        for split, copies in (("train", 3), ("validation", 1))
    }


def test_stage_2_killed_and_started_again_gives_the_same_bits(  # noqa: PLR0917 - fixtures
    tmp_path, monkeypatch, config, store, fused, moments, recorded
):
    shutil.copytree(fused.path, tmp_path / "run")
    run = Run.open(tmp_path / "run")
    for path in (run.weights("mfg_encoder"), run.weights("mfg_decoder"), run.prior, run.history("mfg_vae")):
        path.unlink()
    monkeypatch.setattr(stage2, "encode_moments", lambda sandwich, store, split, copies: moments[split])
    with monkeypatch.context() as patch:
        kill_in_the_middle_of_epoch(patch, 2)
        with pytest.raises(Killed):
            stage2.train_fusion(run, store)
    assert moved(recorded) == {"mfg_encoder", "mfg_decoder"}
    assert len(history(run, "mfg_vae")) == 2
    assert not run.prior.exists()
    assert stage2.train_fusion(run, store)
    for part in ("mfg_encoder", "mfg_decoder"):
        assert_same(file_content(run.weights(part)), file_content(fused.weights(part)))
    mine, whole = Prior.load(run.prior), Prior.load(fused.prior)
    for field in dataclasses.fields(Prior):
        assert np.array_equal(getattr(mine, field.name), getattr(whole, field.name))
    assert recorded["steps"] == 12  # 10 phrases x 2 bars x 3 transpositions in batches of 5
    monkeypatch.setattr(stages, "fit", None)
    assert stage2.train_fusion(run, store) is False


def test_stage_2_keeps_the_scale_of_the_moments_and_the_prior_that_of_the_latents(fused, sandwich, moments):
    models, flat = sandwich.parts.models, moments["train"].reshape(-1, 5, 6)
    for name, layer in (("mfg_encoder", "standardise"), ("mfg_decoder", "unstandardise")):
        scale = models[name].get_layer(layer)
        np.testing.assert_allclose(scale.mean.numpy(), flat.mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(scale.deviation.numpy(), np.maximum(flat.std(axis=0), 0.01), atol=1e-5)
    own_key = moments["train"][0].reshape(-1, 5, 6)
    means = np.asarray(models["mfg_encoder"](own_key))[:, :4].reshape(10, 8)
    prior = Prior.load(fused.prior)
    assert (prior.units, prior.latent) == (2, 4)
    order = np.lexsort(means.T[::-1])  # the prior keeps its points sorted
    np.testing.assert_allclose(prior.points[0], means[order], atol=1e-4)


def test_moments_are_those_of_every_transposition_of_every_phrase(monkeypatch, sandwich, store):
    monkeypatch.setattr(stage2, "ENCODE_PHRASES", 4)
    found = stage2.encode_moments(sandwich, store, "train", copies=4)
    assert found.shape == (4, 10, 2, 5, 6)
    phrases, copies = store.load("train"), []
    for shift in (0, 1, -1, 2):
        bars = np.where(transpose_phrases(phrases, shift), 1.0, -1.0).astype(np.float32).reshape(-1, 8, 6, 5)
        copies.append(np.asarray(sandwich.moments(bars)).reshape(10, 2, 5, 6))
    np.testing.assert_allclose(found, np.stack(copies), atol=1e-5)
    assert np.abs(found[:, :, 0] - found[:, :, 1]).max() > 1e-3


def test_fewer_transpositions_rather_than_more_memory(monkeypatch, sandwich, store):
    monkeypatch.setattr(stage2, "MAX_FUSION_UNITS", 50)  # 20 bars: two copies fit
    assert stage2.encode_moments(sandwich, store, "train", copies=9).shape[:2] == (2, 10)


def test_then_fewer_phrases_and_no_more_than_are_trained_on(monkeypatch, config, sandwich, store):
    whole = stage2.encode_moments(sandwich, store, "train", copies=1)
    monkeypatch.setattr(stage2, "MAX_FUSION_UNITS", 7)  # of two bars a phrase
    found = stage2.encode_moments(sandwich, store, "train", copies=3)
    assert found.shape[:2] == (1, 4)
    np.testing.assert_allclose(found[0], whole[0, :4], atol=1e-5)
    few = Sandwich(dataclasses.replace(sandwich.parts, config=dataclasses.replace(config, train_bars=3)))
    monkeypatch.setattr(stage2, "MAX_FUSION_UNITS", 50)
    assert stage2.encode_moments(few, store, "train", copies=1).shape[:2] == (1, 2)
    monkeypatch.setattr(unit_counts, "MAX_VALIDATION_UNITS", 2)
    assert stage2.encode_moments(sandwich, store, "validation", copies=1).shape[:2] == (1, 1)


def test_an_empty_split_has_no_moments(config, sandwich, make_store):
    moments = stage2.encode_moments(sandwich, make_store(config, validation=0), "validation", copies=2)
    assert moments.shape == (2, 0, 2, 5, 6)


def test_frozen_parts_stay_and_trained_parts_move_also_after_a_change_of_stage(config):
    config = dataclasses.replace(config, encoder_states="last")
    parts = build_parts(config, ["bass"])
    vae, bars = track_vae(parts, "bass"), np.where(np.arange(96).reshape(2, 8, 6) % 5, -1.0, 1.0)
    for trained, frozen in (("bass_encoder", "bass_decoder"), ("bass_decoder", "bass_encoder")):
        stages.compile_stage(vae, build_optimizer(config, 100), parts, [trained])
        assert {id(v) for v in vae.trainable_variables} == {
            id(v) for v in parts.models[trained].trainable_weights
        }
        before = {name: part.get_weights() for name, part in parts.models.items()}
        vae.train_on_batch(bars, bars)
        for a, b in zip(before[frozen], parts.models[frozen].get_weights(), strict=True):
            assert np.array_equal(a, b)
        for a, b in zip(before[trained], parts.models[trained].get_weights(), strict=True):
            assert not np.array_equal(a, b)


def test_the_maths_of_tuned_learns_a_handful_of_bars_by_heart():
    sizes = {"steps": 4, "beat_resolution": 1, "pitches": 6, "lowest_pitch": 40}
    config = dataclasses.replace(
        TUNED,
        **sizes,
        bvae_hidden=32,
        bvae_latent=16,
        bvae_kl=0.01,
        learning_rate=0.01,
        schedule="constant",
        seed=1,
    )
    sounding = np.random.default_rng(0).random((6, 4, 6)) < 0.25
    bars = tf.constant(np.where(sounding, 1.0, -1.0), tf.float32)
    parts = build_parts(config, ["piano"])
    vae = track_vae(parts, "piano")
    stages.compile_stage(vae, build_optimizer(config, 100), parts, ["piano_encoder", "piano_decoder"])
    vae.fit(tf.data.Dataset.from_tensors((bars, bars)).repeat(250), epochs=1, shuffle=False, verbose=0)
    mean = parts.models["piano_encoder"](bars)[:, :16]
    made = np.asarray(parts.models["piano_decoder"](mean)) >= 0
    f1 = 2 * (made & sounding).sum() / (made.sum() + sounding.sum())
    assert f1 == 1.0


def test_training_under_a_half_precision_policy(tmp_path, config, make_store):
    # Under float16 Keras scales the loss, and wraps the optimizer.
    config = dataclasses.replace(
        config, steps=4, beat_resolution=1, bvae_epochs=2, encoder_states="last", output_bias=False
    )
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    try:
        run = Run.create(tmp_path / "run", config)
        assert stage1.train_bvae(run, make_store(config, train=6), "bass")
    finally:
        keras.mixed_precision.set_dtype_policy(before)
    for values in file_content(run.weights("bass_decoder")).values():
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
    rows = history(run, "bass_bvae")
    assert float(rows[1]["loss"]) < float(rows[0]["loss"])


def test_papers_maths_trains_too(tmp_path, config, store):
    own = (
        "likelihood", "sigma", "output_bias", "position", "encoder_states", "mfg_output", "mfg_target",
        "standardise", "prior", "optimizer", "clip_norm", "bvae_kl", "epsilon_std",
    )  # fmt: skip
    config = dataclasses.replace(config, **{name: getattr(PAPER, name) for name in own})
    run = Run.create(tmp_path / "run", config)
    assert stage1.train_bvae(run, store, "bass")
    rows = history(run, "bass_bvae")
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"]) < 2  # a mean squared error on -1/+1, not a sum


def test_without_stage_1_the_command_that_is_missing_is_named(tmp_path, config, store, fused):
    run = Run.create(tmp_path / "none", config)
    with pytest.raises(RunError) as refused:
        refining.train_refiner(run, store, "bass")
    assert str(refused.value) == (
        f"the run {run.path} has no trained bass_encoder, bass_decoder: run `make stage1 TRACK=bass` first"
    )
    shutil.copytree(fused.path, tmp_path / "run")
    run = Run.open(tmp_path / "run")
    for part in ("strings_decoder", "mfg_decoder"):
        run.weights(part).unlink()
    with pytest.raises(RunError) as refused:
        stage2.train_fusion(run, store)
    assert str(refused.value) == (
        f"the run {run.path} has no trained strings_decoder: run `make stage1 TRACK=strings` first"
    )


def test_an_unknown_track_is_refused_before_anything_is_written(tmp_path, config, store):
    run = Run.create(tmp_path / "run", config)
    for train in (stage1.train_bvae, refining.train_refiner):
        with pytest.raises(
            ValueError, match=r"^track 'drum' is not one of drums, piano, guitar, bass, strings$"
        ):
            train(run, store, "drum")
    assert sorted(path.name for path in run.path.iterdir()) == ["config.json", "flags.txt"]


def test_a_run_is_bound_to_the_store_it_is_first_trained_on(tmp_path, config, store, make_store):
    run = Run.create(tmp_path / "run", config)
    store_check.check_fit(run, store)
    assert json.loads((run.path / "data.json").read_text())["store"] == str(store.path)
    store_check.check_fit(run, store)
    other = make_store(config, seed=7)
    with pytest.raises(RunError) as refused:
        store_check.check_fit(run, other)
    assert str(refused.value) == (
        f"the run {run.path} was trained on the store {store.path} as it was then, "
        f"not on {other.path} as it is now: use another run"
    )


def test_a_store_of_another_grid_or_without_songs_is_refused(tmp_path, config, make_store):
    run = Run.create(tmp_path / "run", config)
    with pytest.raises(RunError, match=r"has Grid\(bars=2, steps=8, pitches=5, .*, the run .*pitches=6"):
        store_check.check_fit(run, make_store(dataclasses.replace(config, pitches=5)))
    empty = make_store(config, train=0)
    with pytest.raises(RunError, match=rf"^the store {empty.path} has no training phrases$"):
        store_check.check_fit(run, empty)
    assert not (run.path / "data.json").exists()


def test_a_track_that_is_silent_everywhere_cannot_be_trained(tmp_path, monkeypatch, config, store):
    run = Run.create(tmp_path / "run", dataclasses.replace(config, silent_bars=0.0))
    nothing = np.zeros((0, config.steps, config.pitches), bool)
    silent = stored_units.Units.in_memory(nothing, np.zeros(0, bool), config.grid)
    monkeypatch.setattr(stored_units, "open_units", lambda *args, **kwargs: silent)
    with pytest.raises(RunError, match=rf"^the store {store.path} has no bars of bass to train on$"):
        stage1.train_bvae(run, store, "bass")
