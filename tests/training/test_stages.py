"""The stages as they are trained: on disk, after a kill, and what each reads."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from msw2.config import PAPER, TUNED
from msw2.data.augmentation import transpose_phrases as transpose
from msw2.data.stored_units import Units
from msw2.kernels import compiled
from msw2.models import refine
from msw2.models.binary_neurons import BinaryNeurons
from msw2.models.prior_file import load_prior
from msw2.models.sandwich import PARTS, build_sandwich, encoding_view, stage1_parts
from msw2.music.tracks import TRACK_NAMES
from msw2.training import feeds, fit, refining, stage1, stage2, store_check
from msw2.training.annealing import SlopeAnnealing
from msw2.training.runs import Run, RunError
from msw2.training.stages import set_stage

BVAES = [part for track in TRACK_NAMES for part in stage1_parts(track)]
BASS = stage1_parts("bass")


def weights(sandwich, name):
    return sandwich.get_layer(name).get_weights()


def assert_all_moved(before, after):
    for a, b in zip(before, after, strict=True):
        assert not np.array_equal(a, b)


def assert_none_moved(before, after):
    for a, b in zip(before, after, strict=True):
        assert np.array_equal(a, b)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, config, store):
    """A run whose bass has gone through stage 1 without a break, in a sandwich of its own."""
    run = Run.create(tmp_path_factory.mktemp("runs") / "unbroken", config)
    assert stage1.train_bvae(run, store, "bass")
    return run


def test_stage_1_writes_its_parts_and_its_history(unbroken, config, fresh, history):
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
    sandwich = fresh(config)
    before = {name: weights(sandwich, name) for name in PARTS}
    unbroken.load_weights(sandwich, *BASS)
    for name in PARTS:
        (assert_all_moved if name in BASS else assert_none_moved)(before[name], weights(sandwich, name))


def test_killed_in_the_middle_of_an_epoch_and_started_again_gives_the_same_bits(  # noqa: PLR0917 - fixtures
    tmp_path, config, store, unbroken, killed, history, assert_same
):
    run = Run.create(tmp_path / "run", config)
    killed(2, stage1.train_bvae, run, store, "bass")
    assert run.checkpoint("bass_bvae").exists()
    assert not run.has("bass_encoder")
    assert len(history(run, "bass_bvae")) == 2
    assert stage1.train_bvae(run, store, "bass")
    for part in BASS:
        assert_same(run.weights(part), unbroken.weights(part))
    own, whole = history(run, "bass_bvae"), history(unbroken, "bass_bvae")
    for row in (*own, *whole):
        del row["seconds"]
    assert own == whole
    assert not run.checkpoint("bass_bvae").exists()


def test_killed_between_training_and_writing_it_does_not_train_again(tmp_path, monkeypatch, config, store):
    run = Run.create(tmp_path / "run", dataclasses.replace(config, bvae_epochs=2))

    def stopped(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fit, "CHECKPOINT_EVERY", 0.0)
        patch.setattr(Run, "save_weights", stopped)
        with pytest.raises(KeyboardInterrupt):
            stage1.train_bvae(run, store, "bass")
    with np.load(run.checkpoint("bass_bvae")) as state:
        assert state["rows"].shape[0] == 2
    monkeypatch.setattr(keras.Model, "fit", stopped)
    assert stage1.train_bvae(run, store, "bass")
    assert run.has("bass_encoder", "bass_decoder")


def test_a_finished_stage_is_not_trained_again(nothing_is_fitted, unbroken, store):
    before = {path: path.stat().st_mtime_ns for path in unbroken.path.rglob("*")}
    nothing_is_fitted()
    assert stage1.train_bvae(unbroken, store, "bass") is False
    assert {path: path.stat().st_mtime_ns for path in unbroken.path.rglob("*")} == before


def test_a_checkpoint_belongs_to_its_config_and_store(unbroken, config, store, make_store):
    other = dataclasses.replace(unbroken, config=dataclasses.replace(config, bvae_kl=9.0))
    same = store_check.resume_of(unbroken, store, "bass_bvae").identity
    assert store_check.resume_of(unbroken, store, "bass_bvae").identity == same
    assert store_check.resume_of(other, store, "bass_bvae").identity != same
    assert store_check.resume_of(unbroken, make_store(config, seed=5), "bass_bvae").identity != same


def test_every_track_gets_the_same_number_of_steps(tmp_path, instead_of_fit, config, store):
    run, found = Run.create(tmp_path / "run", dataclasses.replace(config, silent_bars=0.0)), {}
    instead_of_fit(
        lambda model, feed, epochs, **kwargs: found.update(
            {model.name: (feed.steps, sum(1 for _ in feed.batches(3, epochs)))}
        )
    )
    for track in ("drums", "bass"):
        stage1.train_bvae(run, store, track)
    # 10 phrases of two bars in batches of five, however many are silent; one epoch of four is left
    assert found == {"drums_bvae": (4, 4), "bass_bvae": (4, 4)}


def test_epochs_may_be_shorter_than_the_bars_that_are_trained_on(tmp_path, instead_of_fit, config, store):
    run, found = Run.create(tmp_path / "run", dataclasses.replace(config, epoch_bars=12)), {}
    instead_of_fit(
        lambda model, feed, epochs, **kwargs: found.update(
            {model.name: (feed.steps, sum(1 for _ in feed.batches(2, epochs)))}
        )
    )
    stage1.train_bvae(run, store, "drums")
    assert found == {"drums_bvae": (3, 6)}  # twelve bars in batches of five; two epochs of four are left


def test_the_logits_start_at_the_log_odds_of_the_bars_that_are_trained_on(
    tmp_path, instead_of_fit, config, store
):
    config = dataclasses.replace(config, silent_bars=0.0, train_bars=9)
    run, found = Run.create(tmp_path / "run", config), {}

    def look(model, feed, **kwargs):
        found["bias"] = model.decoder.get_layer("output").bias.numpy()
        found["steps"] = feed.steps

    instead_of_fit(look)
    stage1.train_bvae(run, store, "bass")
    bars = store.load("train")[..., 3].reshape(-1, 8, 6)
    share = bars[bars.any(axis=(1, 2))][:9].mean(axis=(0, 1))
    assert share.min() > 0
    np.testing.assert_allclose(found["bias"], np.log(share / (1 - share)), atol=1e-5)
    assert found["steps"] == 2  # nine bars in batches of five


def with_stage_1_of(run, other):
    """Gives a run the bass's BVAE of another."""
    for part in BASS:
        run.weights(part).parent.mkdir(exist_ok=True)
        shutil.copy(other.weights(part), run.weights(part))
    return run


def test_the_refiner_trains_on_a_bvae_that_stays_as_it_is(  # noqa: PLR0917 - fixtures
    tmp_path, nothing_is_fitted, config, store, unbroken, recorded, history, fresh
):
    # From nothing, so that there is something to learn in a few steps.
    config = dataclasses.replace(config, refine_residual=False)
    run = with_stage_1_of(Run.create(tmp_path / "run", config), unbroken)
    assert refining.train_refiner(run, store, "bass")
    assert recorded["moved"]() == {"bass_refiner"}
    trained = {name: weights(recorded["sandwich"], name) for name in (*BASS, "bass_refiner")}
    assert_all_moved(recorded["before"]["bass_refiner"], trained["bass_refiner"])
    sandwich = fresh(config)
    run.load_weights(sandwich, *trained)
    for name, values in trained.items():
        assert_none_moved(values, weights(sandwich, name))
    rows = history(run, "bass_refiner")
    assert len(rows) == config.refine_epochs
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    nothing_is_fitted()
    assert refining.train_refiner(run, store, "bass") is False


@pytest.mark.parametrize("is_compiled", [True, False])
@pytest.mark.parametrize(
    ("likelihood", "decoding"), [("gaussian", "latent"), ("bernoulli", "latent"), ("bernoulli", "draft")]
)
def test_a_refiner_trains_behind_a_bvae_of_either_likelihood(  # noqa: PLR0917 - fixtures
    tmp_path, monkeypatch, config, store, likelihood, decoding, is_compiled, fresh, give, history
):
    if not is_compiled:
        monkeypatch.setattr(compiled, "library", lambda: None)
    config = dataclasses.replace(config, likelihood=likelihood, decoding=decoding)
    run = Run.create(tmp_path / "run", config)
    give(run, fresh(config), *stage1_parts("drums"))
    assert refining.train_refiner(run, store, "drums")
    assert len(history(run, "drums_refiner")) == config.refine_epochs


def test_without_augmentation_the_bvae_decodes_once_and_the_refiner_reads_just_that(  # noqa: PLR0917 - fixtures
    tmp_path, instead_of_fit, config, store, unbroken, fresh
):
    config = dataclasses.replace(config, transpose=0, mixed_bars=0.0, epsilon_std=0.0, refine_residual=False)
    run, found = with_stage_1_of(Run.create(tmp_path / "run", config), unbroken), {}

    def look(model, feed, epochs, **kwargs):
        found.update(model=model, steps=feed.steps, held_out=list(feed.held_out()))
        found["epochs"] = [list(feed.batches(first, epochs)) for first in (0, 1)]

    instead_of_fit(look)
    assert refining.train_refiner(run, store, "bass")
    assert found["model"].name == "bass_refiner"
    whole, second = found["epochs"]
    assert len(whole) == config.refine_epochs * found["steps"]
    assert len(second) == (config.refine_epochs - 1) * found["steps"]
    sandwich = fresh(config)
    run.load_weights(sandwich, *BASS)
    for made, bar in (whole[0], second[-1], found["held_out"][0]):
        assert set(np.unique(bar)) == {-1.0, 1.0}
        mean = sandwich.get_layer("bass_encoder")(bar)[:, : config.bvae_latent]
        expected = np.tanh(0.5 * np.asarray(sandwich.get_layer("bass_decoder")(mean)))
        np.testing.assert_allclose(made, expected, atol=1e-5)
    first = np.concatenate([bar for _, bar in whole[: found["steps"]]])
    second = np.concatenate([bar for _, bar in second[: found["steps"]]])
    assert not np.array_equal(first, second)  # another order
    assert np.array_equal(np.sort(first.sum(axis=(1, 2))), np.sort(second.sum(axis=(1, 2))))


def test_with_augmentation_a_refiner_is_trained_behind_the_bvae_on_units_of_its_own_order(
    tmp_path, instead_of_fit, config, store, unbroken
):
    config = dataclasses.replace(config, transpose=0)  # mixed bars alone are augmentation as well
    run, found = with_stage_1_of(Run.create(tmp_path / "run", config), unbroken), []
    instead_of_fit(lambda model, feed, **kwargs: found.append((model.name, feed.stage, type(feed))))
    assert refining.train_refiner(run, store, "bass")
    assert found == [("bass_refine", "bass_refiner", feeds.UnitFeed)]


@pytest.mark.parametrize("network", ["notes", "bars"])
def test_a_refiner_with_binary_neurons_killed_and_started_again(  # noqa: PLR0917 - fixtures
    tmp_path, monkeypatch, config, store, unbroken, recorded, network, killed, history, assert_same
):
    # Moving statistics, the slope, and the generator of the draws have to come back.
    monkeypatch.setattr(refine, "UNITS", 1)
    fields = {"refine": network, "refine_output": "stochastic", "refine_threshold": "half"}
    if network == "notes":  # and the other way to train it: the BVAE decodes once
        fields |= {"transpose": 0, "mixed_bars": 0.0, "epsilon_std": 0.0}
    config = dataclasses.replace(config, **fields, refine_residual=False, refine_epochs=4)
    runs = [with_stage_1_of(Run.create(tmp_path / name, config), unbroken) for name in ("whole", "halves")]
    assert refining.train_refiner(runs[0], store, "bass")
    assert recorded["moved"]() == {"bass_refiner"}
    killed(2, refining.train_refiner, runs[1], store, "bass")
    assert len(history(runs[1], "bass_refiner")) == 2
    assert refining.train_refiner(runs[1], store, "bass")
    assert_same(*(run.weights("bass_refiner") for run in runs))
    rows = [[{**row, "seconds": ""} for row in history(run, "bass_refiner")] for run in runs]
    assert rows[0] == rows[1]
    columns = {"epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"}
    assert set(rows[0][0]) == columns
    refiner = recorded["sandwich"].get_layer("bass_refiner")
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


def test_where_the_bvae_has_the_last_word_nothing_is_trained(  # noqa: PLR0917 - fixtures
    tmp_path, nothing_is_fitted, config, store, unbroken, fresh
):
    config = dataclasses.replace(config, refine="none", refine_threshold="half")
    run = with_stage_1_of(Run.create(tmp_path / "run", config), unbroken)
    nothing_is_fitted()
    assert refining.train_refiner(run, store, "bass")
    assert run.has("bass_refiner")
    assert not run.history("bass_refiner").exists()
    assert refining.train_refiner(run, store, "bass") is False
    run.load_weights(fresh(run.config), "bass_refiner")


@pytest.fixture(scope="module")
def fused(tmp_path_factory, config, store, fresh, give):
    """A run through stage 2 without a break, over BVAEs as they start."""
    run = Run.create(tmp_path_factory.mktemp("runs") / "fused", config)
    give(run, fresh(config), *BVAES)
    assert stage2.train_fusion(run, store)
    return run


@pytest.fixture(scope="module")
def sandwich(config, fused):
    """The sandwich of `fused`, but for its refiners."""
    sandwich = build_sandwich(config)
    fused.load_weights(sandwich, *BVAES, "mfg_encoder", "mfg_decoder")
    return sandwich


@pytest.fixture(scope="module")
def moments(config, sandwich, store):
    return {
        split: stage2.encode_moments(sandwich, config, store, split, copies=copies)
        for split, copies in (("train", 3), ("validation", 1))
    }


def test_stage_2_killed_and_started_again_gives_the_same_bits(  # noqa: PLR0917 - fixtures
    tmp_path, monkeypatch, store, fused, moments, recorded, killed, history, assert_same, nothing_is_fitted
):
    shutil.copytree(fused.path, tmp_path / "run")
    run = Run.open(tmp_path / "run")
    for path in (run.weights("mfg_encoder"), run.weights("mfg_decoder"), run.prior, run.history("mfg_vae")):
        path.unlink()
    monkeypatch.setattr(
        stage2, "encode_moments", lambda sandwich, config, store, split, copies: moments[split]
    )
    killed(2, stage2.train_fusion, run, store)
    assert recorded["moved"]() == {"mfg_encoder", "mfg_decoder"}
    assert len(history(run, "mfg_vae")) == 2
    assert not run.prior.exists()
    assert stage2.train_fusion(run, store)
    for part in ("mfg_encoder", "mfg_decoder"):
        assert_same(run.weights(part), fused.weights(part))
    mine, whole = load_prior(run.prior), load_prior(fused.prior)
    for field in dataclasses.fields(mine):
        assert np.array_equal(getattr(mine, field.name), getattr(whole, field.name))
    assert recorded["steps"] == 12  # 10 phrases x 2 bars x 3 transpositions in batches of 5
    nothing_is_fitted()
    assert stage2.train_fusion(run, store) is False


def test_stage_2_keeps_the_scale_of_the_moments_and_the_prior_that_of_the_latents(fused, sandwich, moments):
    file, units = moments["train"]
    assert units == 20  # of 10 phrases of 2 bars
    flat = file.read(np.arange(len(file)))
    for name, layer in (("mfg_encoder", "standardise"), ("mfg_decoder", "unstandardise")):
        scale = sandwich.get_layer(name).get_layer(layer)
        np.testing.assert_allclose(scale.mean.numpy(), flat.mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(scale.deviation.numpy(), np.maximum(flat.std(axis=0), 0.01), atol=1e-5)
    means = np.asarray(sandwich.get_layer("mfg_encoder")(flat[:units]))[:, :4].reshape(10, 8)
    prior = load_prior(fused.prior)
    assert (prior.units, prior.latent) == (2, 4)
    order = np.lexsort(means.T[::-1])  # the prior keeps its points sorted
    np.testing.assert_allclose(prior.points[0], means[order], atol=1e-4)


def test_moments_are_those_of_every_transposition_of_every_phrase(monkeypatch, config, sandwich, store):
    monkeypatch.setattr(stage2, "ENCODE_PHRASES", 4)
    file, units = stage2.encode_moments(sandwich, config, store, "train", copies=4)
    assert (file.shape, units) == ((80, 5, 3), 20)
    found = file.read(np.arange(80)).reshape(4, 10, 2, 5, 3)
    phrases, encode = store.load("train"), encoding_view(sandwich)
    copies = [np.asarray(encode(transpose(phrases, shift))).reshape(10, 2, 5, 3) for shift in (0, 1, -1, 2)]
    np.testing.assert_allclose(found, np.stack(copies), atol=1e-5)
    assert np.abs(found[:, :, 0] - found[:, :, 1]).max() > 1e-3


def test_fewer_transpositions_rather_than_more_memory(monkeypatch, config, sandwich, store):
    monkeypatch.setattr(stage2, "MAX_FUSION_UNITS", 50)  # 20 bars: two copies fit
    file, units = stage2.encode_moments(sandwich, config, store, "train", copies=9)
    assert (len(file), units) == (40, 20)


def test_then_fewer_phrases_and_no_more_than_are_trained_on(monkeypatch, config, sandwich, store):
    whole, _ = stage2.encode_moments(sandwich, config, store, "train", copies=1)
    monkeypatch.setattr(stage2, "MAX_FUSION_UNITS", 7)  # of two bars a phrase
    found, units = stage2.encode_moments(sandwich, config, store, "train", copies=3)
    assert (len(found), units) == (8, 8)
    spread = [4, 5, 8, 9, 14, 15, 18, 19]  # four of ten phrases, evenly
    np.testing.assert_allclose(found.read(np.arange(8)), whole.read(np.array(spread)), atol=1e-5)
    few = dataclasses.replace(config, train_bars=3)
    monkeypatch.setattr(stage2, "MAX_FUSION_UNITS", 50)
    first, _ = stage2.encode_moments(sandwich, few, store, "train", copies=1)
    np.testing.assert_allclose(first.read(np.arange(len(first))), whole.read(np.arange(4)), atol=1e-5)
    monkeypatch.setattr(feeds, "MAX_VALIDATION_UNITS", 2)
    assert len(stage2.encode_moments(sandwich, config, store, "validation", copies=1)[0]) == 2


def test_an_empty_split_has_no_moments(config, sandwich, make_store):
    empty = make_store(config, validation=0)
    moments, units = stage2.encode_moments(sandwich, config, empty, "validation", copies=2)
    assert (moments.shape, units) == ((0, 5, 3), 0)


def test_the_maths_of_tuned_learns_a_handful_of_bars_by_heart():
    sizes = {"steps": 4, "beat_resolution": 1, "pitches": 6, "lowest_pitch": 40}
    config = dataclasses.replace(
        TUNED,
        **sizes,
        bvae_hidden=32,
        bvae_latent=16,
        mfg_hidden=5,
        mfg_latent=4,
        bvae_kl=0.01,
        learning_rate=0.01,
        schedule="constant",
        precision="float32",
        seed=1,
    )
    sounding = np.random.default_rng(0).random((6, 4, 6)) < 0.25
    bars = tf.constant(np.where(sounding, 1.0, -1.0), tf.float32)
    sandwich = build_sandwich(config)
    vae = set_stage(sandwich, "stage1", config, track="piano", steps=100)
    vae.fit(tf.data.Dataset.from_tensors((bars, bars)).repeat(250), epochs=1, shuffle=False, verbose=0)
    mean = sandwich.get_layer("piano_encoder")(bars)[:, :16]
    made = np.asarray(sandwich.get_layer("piano_decoder")(mean)) >= 0
    f1 = 2 * (made & sounding).sum() / (made.sum() + sounding.sum())
    assert f1 == 1.0


def test_papers_maths_trains_too(tmp_path, config, store, history):
    own = (
        "likelihood", "sigma", "output_bias", "position", "encoder_states", "decoding", "mfg_output", "mfg_target",
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
    silent = Units.in_memory(np.zeros((0, 8, 6), bool), np.zeros(0, bool), config.grid)
    monkeypatch.setattr(feeds, "open_units", lambda *args, **kwargs: silent)
    with pytest.raises(RunError, match=rf"^the store {store.path} has no bars of bass to train on$"):
        stage1.train_bvae(run, store, "bass")
