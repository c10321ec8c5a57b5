"""One BVAE for all tracks, in place of one for each."""

import dataclasses
import shutil

import numpy as np
import pytest

from msw2.data.stored_units import Units
from msw2.models.sandwich import stage1_parts
from msw2.music.tracks import TRACK_NAMES
from msw2.training import feeds, runs, stage1
from msw2.training.runs import Run


class Killed(BaseException):
    """What a kill is to the code that is killed: nothing that it can handle."""


ALL = [part for track in TRACK_NAMES for part in stage1_parts(track)]


def files(run):
    return {str(path.relative_to(run.path)) for path in run.path.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def shared(config):
    return dataclasses.replace(config, shared=True, encoder_states="last", bvae_epochs=2)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, shared, store):
    """A run whose shared BVAE has been trained without a break."""
    run = Run.create(tmp_path_factory.mktemp("runs") / "unbroken", shared)
    assert stage1.train_bvae(run, store, "drums")
    return run


def test_one_training_writes_the_same_weights_for_every_track(unbroken, shared, fresh, history):
    assert files(unbroken) == {
        *("config.json", "flags.txt", "data.json", "history/shared_bvae.csv"),
        *(f"weights/{part}.weights.h5" for part in ALL),
    }
    assert [row["epoch"] for row in history(unbroken, "shared_bvae")] == ["1", "2"]
    sandwich = fresh(shared)
    for kind in ("encoder", "decoder"):
        names = [f"{track}_{kind}" for track in TRACK_NAMES]
        before = sandwich.get_layer(names[0]).get_weights()
        unbroken.load_weights(sandwich, *names)
        one, *others = (sandwich.get_layer(name).get_weights() for name in names)
        assert all(not np.array_equal(a, b) for a, b in zip(before, one, strict=True))
        for other in others:
            assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_it_is_trained_on_the_units_of_all_tracks_in_their_kinds(tmp_path, instead_of_fit, shared, store):
    config = dataclasses.replace(shared, transpose=0, mixed_bars=0.0, silent_bars=1.0, train_bars=7)
    run, found = Run.create(tmp_path / "run", config), {}

    def look(model, feed, *, label, epochs, **kwargs):
        datasets = feed.batches(1, epochs), feed.held_out()
        found["units"] = [np.concatenate([unit for unit, _ in dataset]) for dataset in datasets]
        found.update(steps=feed.steps, label=label, bias=model.decoder.get_layer("output").bias.numpy())

    instead_of_fit(look)
    stage1.train_bvae(run, store, "strings")
    bars = {split: store.load(split).reshape(-1, 8, 6, 5) for split in ("train", "validation")}
    first = np.concatenate([bars["train"][:7, ..., track] for track in range(5)])
    heard = np.concatenate([bars["validation"][..., track] for track in range(5)])
    trained, validated = (units > 0 for units in found["units"])
    assert sorted(unit.tobytes() for unit in trained) == sorted(unit.tobytes() for unit in first)
    assert np.array_equal(validated, heard[: len(validated)])
    assert (found["steps"], found["label"]) == (7, "shared_bvae")  # five times seven bars in batches of five
    share = first.mean(axis=(0, 1))
    np.testing.assert_allclose(found["bias"], np.log(share / (1 - share)), atol=1e-5)


def test_an_epoch_is_as_long_as_those_of_five_tracks(tmp_path, instead_of_fit, shared, store):
    run, found = Run.create(tmp_path / "run", dataclasses.replace(shared, silent_bars=0.0)), []
    instead_of_fit(lambda model, feed, **kwargs: found.append(feed.steps))
    stage1.train_bvae(run, store, "bass")
    assert found == [20]  # 5 tracks x 10 phrases x 2 bars in batches of five, however many are silent


def test_drums_keep_their_pitches_and_the_others_are_transposed(
    tmp_path, monkeypatch, instead_of_fit, shared, store
):
    def one_note(store, split, track, **kwargs):
        cells = np.zeros((20, 8, 6), bool)
        cells[:, TRACK_NAMES.index(track), 3] = True  # the step says the track
        return Units.in_memory(cells, np.full(20, track == "drums"), store.grid)

    run, found = Run.create(tmp_path / "run", dataclasses.replace(shared, mixed_bars=0.0)), []
    monkeypatch.setattr(feeds, "open_units", one_note)
    instead_of_fit(lambda model, feed, epochs, **kwargs: found.extend(feed.batches(0, epochs)))
    stage1.train_bvae(run, store, "piano")
    _, steps, pitches = np.nonzero(np.concatenate([unit for unit, _ in found]) > 0)
    assert np.bincount(steps).tolist() == [40] * 5  # two epochs of all
    for track in range(5):
        assert set(pitches[steps == track]) == ({1, 2, 3, 4, 5} if track else {3})


def test_it_is_the_same_training_whichever_track_is_named(tmp_path, instead_of_fit, shared, store):
    found = []

    def look(model, feed, *, resume, epochs, **kwargs):
        start = [weight.copy() for weight in model.get_weights()]
        found.append((start, [unit.numpy() for unit, _ in feed.batches(1, epochs)], resume._checkpoint.name))

    instead_of_fit(look)
    for track in ("drums", "guitar"):
        stage1.train_bvae(Run.create(tmp_path / track, shared), store, track)
    (weights, batches, checkpoint), (*others, other) = found
    assert checkpoint == other == "shared_bvae.npz"
    for one, same in zip([*weights, *batches], [*others[0], *others[1]], strict=True):
        assert np.array_equal(one, same)


def test_killed_between_two_files_it_only_writes_those_that_are_missing(
    tmp_path, monkeypatch, store, unbroken, nothing_is_fitted
):
    shutil.copytree(unbroken.path, tmp_path / "run")
    run, left, copy = Run.open(tmp_path / "run"), [3], runs.copy
    for part in ALL[2:]:
        run.weights(part).unlink()

    def copy_some(source, target):
        if not left[0]:
            raise Killed
        left[0] -= 1
        copy(source, target)

    nothing_is_fitted()
    with monkeypatch.context() as patch:
        patch.setattr(runs, "copy", copy_some)
        with pytest.raises(Killed):
            stage1.train_bvae(run, store, "drums")
    assert [part for part in ALL if run.has(part)] == ALL[:5]
    assert stage1.train_bvae(run, store, "drums")
    assert files(run) == files(unbroken)
    for part in ALL:
        assert run.weights(part).read_bytes() == unbroken.weights(part).read_bytes()
    assert stage1.train_bvae(run, store, "drums") is False
