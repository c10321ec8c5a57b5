"""Training of the notes prior, alone and as the end of stage 2 and of finetuning."""

import dataclasses
import shutil

import keras
import numpy as np
import pytest

from msw2.models.codes import Codes
from msw2.models.notes_prior import NotesPrior
from msw2.models.prior import Prior
from msw2.models.prior_file import load_prior
from msw2.models.sandwich import FUSION_PARTS, PARTS, encoding_view
from msw2.training import finetune, notes_prior, song_feed, stage2
from msw2.training.finetune import train_all
from msw2.training.fit import Resume
from msw2.training.notes_prior import fit_codes, nats_a_note, train_prior, writer_of, writing_view
from msw2.training.runs import Run
from msw2.training.song_feed import SongFeed

EPOCHS = 3


@pytest.fixture(scope="module", autouse=True)
def small():
    """Steps of two stretches of eight bars: an epoch has two."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(song_feed, "SONGS", 2)
        patch.setattr(song_feed, "BARS", 8)
        yield


@pytest.fixture(scope="module")
def own(config):
    return dataclasses.replace(
        config,
        prior="notes",
        prior_width=12,
        prior_epochs=EPOCHS,
        prior_learning_rate=3e-3,
        mfg_epochs=1,
        finetune_epochs=1,
    )


@pytest.fixture(scope="module")
def staged(tmp_path_factory, own, store, fresh, give):
    """A run of BVAEs and refiners as they start, after stage 2."""
    run = Run.create(tmp_path_factory.mktemp("runs") / "staged", own)
    give(run, fresh(own), *(name for name in PARTS if name not in FUSION_PARTS))
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
def looked(monkeypatch, codes):
    """The arguments of the fit that takes the place of the prior's own: (model, feed, epochs, label)."""
    seen = []

    def look(model, feed, resume, *, epochs, label):
        seen.append((model, feed, epochs, label))
        return resume

    monkeypatch.setattr(notes_prior, "fit", look)
    monkeypatch.setattr(notes_prior, "fit_codes", lambda *_: codes)
    return seen


def same_codes(prior, codes):
    return np.array_equal(prior.codes.kernel, codes.kernel) and np.array_equal(
        prior.codes.offset, codes.offset
    )


def same_weights(prior, weights):
    return prior.weights.keys() == weights.keys() and all(
        np.array_equal(weight, np.asarray(weights[name])) for name, weight in prior.weights.items()
    )


def of_writer(writer):
    return {name: variable.numpy() for name, variable in writer.variables().items()}


def test_the_loss_is_the_nats_of_repeats_starts_pitches_and_lengths_for_each_note_that_is_learnt():
    weight = np.zeros((2, 3, 2), np.float32)
    weight[0, :2], weight[1, 1] = 1, [1, 0]  # two notes and an end
    assert float(nats_a_note(weight, np.float32([1, 2, 3.5, 0.5]))) == pytest.approx(3.5)
    assert float(nats_a_note(np.zeros_like(weight), np.float32([1, 2, 0, 0]))) == pytest.approx(3)


def test_the_learning_rate_rises_and_falls_along_a_cosine(own):
    rate = notes_prior._rate(own, 200)
    found = [float(rate(step)) for step in (0, 2, 4, 102, 200)]
    assert found == pytest.approx([0, 1.5e-3, 3e-3, 0.525 * 3e-3, 0.05 * 3e-3], rel=1e-3, abs=1e-9)
    assert float(notes_prior._rate(own, 7)(0)) == pytest.approx(3e-3)  # too few steps to rise in


def test_codes_are_fitted_to_the_encoders_means_of_all_phrases(own, store, fresh, codes, monkeypatch):
    phrases = store.load("train")
    means = np.asarray(encoding_view(fresh(own))(phrases)).reshape(20, 5, 3)
    cells = [phrases[..., track].reshape(20, 48) for track in range(5)]
    expected = Codes.fit(means, iter(cells))
    np.testing.assert_allclose(codes.kernel, expected.kernel, rtol=2e-3, atol=1e-4)
    np.testing.assert_allclose(codes.offset, expected.offset, rtol=2e-3, atol=1e-4)
    monkeypatch.setattr(notes_prior, "FITTED_PHRASES", 5)
    some = fit_codes(fresh(own), own, store)
    every_second = [
        each.reshape(10, 2, *each.shape[1:])[1::2].reshape(10, *each.shape[1:]) for each in (means, *cells)
    ]
    expected = Codes.fit(every_second[0], iter(every_second[1:]))
    np.testing.assert_allclose(some.offset, expected.offset, rtol=2e-3, atol=1e-4)


def test_it_learns_a_batch_by_heart(own, codes, store):
    feed, writer = SongFeed.of(own, store), writer_of(own)
    view = writing_view(own, writer, codes, feed)
    view.compile(keras.optimizers.Adam(5e-3), loss=nats_a_note, jit_compile=False)
    ((batch, weight),) = feed.batches(0, 1).take(1)
    losses = [float(view.train_on_batch(batch, weight)) for _ in range(40)]
    assert losses[-1] < 0.5 * losses[0]
    assert len(view.trainable_variables) == len(writer.variables())


def test_stage_2_trains_the_fusion_and_then_a_prior_whose_loss_falls(staged, own, store, history):
    prior = staged.stage_prior()
    assert isinstance(prior, NotesPrior)
    assert (prior.units, prior.latent, prior.steps, prior.pitches, prior.width) == (2, 4, 8, 6, 12)
    rows = history(staged, "prior")
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    assert float(rows[-1]["val_loss"]) < float(rows[0]["val_loss"])
    assert len(history(staged, "mfg_vae")) == 1
    assert not staged.checkpoint("prior").exists()
    fresh_weights = of_writer(writer_of(own))
    assert all(not np.array_equal(weight, fresh_weights[name]) for name, weight in prior.weights.items())
    assert stage2.train_fusion(staged, store) is False


def test_killed_and_started_again_it_gives_the_same_bytes(tmp_path, staged, store, killed, history):
    """The prior alone is missing: nothing else is trained."""
    run = copied(staged, tmp_path / "run")
    run.prior.unlink()
    before = {part: run.weights(part).read_bytes() for part in PARTS}
    killed(2, stage2.train_fusion, run, store)
    assert len(history(run, "prior")) == 2
    assert run.checkpoint("prior").exists()
    assert not run.prior.exists()
    assert stage2.train_fusion(run, store)
    assert run.prior.read_bytes() == staged.prior.read_bytes()
    rows = [[{**row, "seconds": ""} for row in history(each, "prior")] for each in (run, staged)]
    assert rows[0] == rows[1]
    assert not run.checkpoint("prior").exists()
    assert {part: run.weights(part).read_bytes() for part in PARTS} == before


def test_the_prior_is_written_before_its_checkpoint_is_forgotten(  # noqa: PLR0917 - fixtures
    tmp_path, own, store, fresh, looked, monkeypatch
):
    run, path, finished = Run.create(tmp_path / "run", own), tmp_path / "prior.npz", []
    monkeypatch.setattr(Resume, "finish", lambda self: finished.append(path.exists()))
    train_prior(run, store, fresh(own), None, path=path)
    assert finished == [True]
    ((model, feed, epochs, label),) = looked
    assert (feed.steps, epochs, label) == (2, EPOCHS, "prior")
    assert same_weights(load_prior(path), of_writer(model.get_layer("surprise").writer))


def learnt(own, codes, seed):
    """A prior of random numbers, with codes of its own."""
    rng, writer = np.random.default_rng(seed), writer_of(own)
    weights = {
        name: rng.normal(size=array.shape).astype(np.float32) for name, array in of_writer(writer).items()
    }
    other = dataclasses.replace(codes, kernel=codes.kernel[..., ::-1].copy())
    return dataclasses.replace(NotesPrior.of(own, other, writer), weights=weights)


def test_it_begins_with_the_weights_and_keeps_the_codes_of_a_prior_before(  # noqa: PLR0917 - fixtures
    tmp_path, own, store, fresh, looked, codes
):
    before, sandwich = learnt(own, codes, 3), fresh(own)
    run = Run.create(tmp_path / "run", own, start=("learnt", sandwich, before))
    train_prior(run, store, sandwich, run.prior_before(), path=run.prior)
    found = load_prior(run.prior)
    assert same_weights(found, before.weights)
    assert same_codes(found, before.codes)
    assert len(looked) == 1


@pytest.mark.parametrize("kind", ["none", "gaussians", "another width"])
def test_else_it_begins_afresh(  # noqa: PLR0917 - fixtures
    tmp_path, own, store, fresh, looked, codes, kind
):
    before = {
        "none": None,
        "gaussians": Prior.isotropic(2, 4, 1.0),
        "another width": learnt(dataclasses.replace(own, prior_width=13), codes, 4),
    }[kind]
    run = Run.create(tmp_path / "run", own)
    train_prior(run, store, fresh(own), before, path=run.prior)
    found = load_prior(run.prior)
    assert same_weights(found, of_writer(writer_of(own)))
    assert same_codes(found, codes)


def test_gaussians_are_not_blended_with_a_notes_prior_before(tmp_path, own, fresh, codes):
    config = dataclasses.replace(own, prior="mixture", prior_neighbours=2)
    run = Run.create(tmp_path / "run", config, start=("learnt", fresh(own), learnt(own, codes, 5)))
    latents = np.random.default_rng(0).normal(size=(40, 2, 4)).astype(np.float32)
    found = stage2.fit_run_prior(run, latents)
    assert isinstance(found, Prior)
    assert np.abs(found.points).max() < 20


def test_finetuning_trains_the_prior_on_from_that_of_stage_2(  # noqa: PLR0917 - fixtures
    tmp_path, staged, store, fresh, looked, monkeypatch
):
    run = copied(staged, tmp_path / "run")
    monkeypatch.setattr(finetune, "build_sandwich", fresh)
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    assert train_all(run, store)
    assert {path: path.read_bytes() for path in before} == before  # what the stages wrote stays
    ((_, _, epochs, label),) = looked
    assert (epochs, label) == (EPOCHS, "finetuned_prior")
    found = load_prior(run.finetuned_prior)
    assert same_weights(found, run.stage_prior().weights)  # nothing is fitted here
    assert same_codes(found, run.stage_prior().codes)
    assert not any(run.path.glob("checkpoints/*"))
    assert train_all(run, store) is False


def test_fresh_weights_are_those_of_the_runs_seed(own):
    first, again, other = (of_writer(writer_of(dataclasses.replace(own, seed=seed))) for seed in (0, 0, 1))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["unit.hidden.kernel"], other["unit.hidden.kernel"])
