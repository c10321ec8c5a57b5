"""Finetuning: all parts together, into a folder of its own."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from msw2.data.shares import Share
from msw2.models.prior_file import load_prior
from msw2.models.sandwich import FUSION_PARTS, PARTS
from msw2.music.tracks import TRACK_NAMES
from msw2.training import finetune, stage2
from msw2.training.finetune import PhraseFeed, train_all, transpose_phrases
from msw2.training.runs import Run, RunError
from msw2.training.thresholds import best_thresholds, choose_thresholds

EPOCHS = 4


@pytest.fixture(scope="module")
def staged(tmp_path_factory, config, store, fresh, give):
    """A run whose stages are done: parts as they start, but for the refiners, and a prior."""
    config = dataclasses.replace(
        config, finetune_epochs=EPOCHS, finetune_learning_rate=0.01, refine_residual=False, mfg_epochs=1
    )
    run = Run.create(tmp_path_factory.mktemp("runs") / "staged", config)
    give(run, fresh(config), *(name for name in PARTS if name not in FUSION_PARTS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage2, "build_sandwich", fresh)
        assert stage2.train_fusion(run, store)
    return run


def copied(run, path):
    shutil.copytree(run.path, path)
    return Run.open(path)


def files(run):
    return {
        str(path.relative_to(run.path)): path.read_bytes() for path in run.path.rglob("*") if path.is_file()
    }


@pytest.fixture(scope="module")
def finetuned(tmp_path_factory, staged, store, fresh):
    run = copied(staged, tmp_path_factory.mktemp("runs") / "finetuned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finetune, "build_sandwich", fresh)
        assert train_all(run, store)
    return run


def test_what_the_stages_trained_stays_and_the_finetuned_weights_have_a_folder(staged, finetuned, history):
    before, after = files(staged), files(finetuned)
    for name, content in before.items():
        assert after[name] == content, name
    assert after.keys() - before.keys() == {
        "history/finetune.csv",
        "weights/finetuned/prior.npz",
        *(f"weights/finetuned/{part}.weights.h5" for part in PARTS),
    }
    rows = history(finetuned, "finetune")
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert set(rows[0]) == {"epoch", "loss", "val_loss", "seconds"}
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])


def test_all_parts_move(staged, finetuned, content):
    for part in PARTS:
        before, after = content(staged.weights(part)), content(finetuned.finetuned(part))
        assert before.keys() == after.keys()
        assert any(not np.array_equal(value, after[name]) for name, value in before.items()), part
        # but for the scale of the moments, which is set and never trained
        for name, value in before.items():
            if "standardise" in name:
                assert np.array_equal(value, after[name]), name


def test_the_loaded_sandwich_is_the_finetuned_one_with_its_prior(staged, finetuned, store, fresh):
    (before, _), (after, prior) = staged.load_sandwich(), finetuned.load_sandwich()
    phrases = store.load("train")
    assert np.abs(np.asarray(before(phrases)["pianoroll"]) - after(phrases)["pianoroll"]).max() > 0.01
    expected = fresh(finetuned.config)
    for part in PARTS:
        expected.get_layer(part).load_weights(finetuned.finetuned(part))
        for a, b in zip(
            after.get_layer(part).get_weights(), expected.get_layer(part).get_weights(), strict=True
        ):
            assert np.array_equal(a, b)
    # The prior is that of the finetuned latents, of training phrases in their own key.
    latents = np.asarray(expected(phrases)["latent"]).reshape(10, 8)
    np.testing.assert_allclose(prior.points[0], latents[np.lexsort(latents.T[::-1])], atol=1e-4)
    assert np.abs(prior.points - load_prior(finetuned.prior).points).max() > 1e-3


def test_a_finetuned_run_is_not_finetuned_again(nothing_is_fitted, finetuned, store):
    before = files(finetuned)
    nothing_is_fitted()
    assert train_all(finetuned, store) is False
    assert files(finetuned) == before


def test_killed_and_started_again_it_gives_the_same_bits(  # noqa: PLR0917 - fixtures
    tmp_path, staged, finetuned, store, killed, recorded, history, assert_same
):
    run = copied(staged, tmp_path / "run")
    killed(2, train_all, run, store)
    assert recorded["moved"]() == set(PARTS)
    assert recorded["steps"] == 5  # ten phrases, two at a time: as many bars as a batch of five has
    assert len(history(run, "finetune")) == 2
    assert not (run.path / "weights" / "finetuned").exists()
    assert run.load_sandwich()[1].points.shape == load_prior(run.prior).points.shape  # not finetuned yet
    assert train_all(run, store)
    for part in PARTS:
        assert_same(run.finetuned(part), finetuned.finetuned(part))
    rows = [[{**row, "seconds": ""} for row in history(each, "finetune")] for each in (run, finetuned)]
    assert rows[0] == rows[1]
    assert not run.checkpoint("finetune").exists()
    mine, whole = load_prior(run.finetuned_prior), load_prior(finetuned.finetuned_prior)
    assert np.array_equal(mine.points, whole.points)


def test_the_prior_is_written_last_and_until_then_the_stages_weights_are_the_runs(
    tmp_path, monkeypatch, staged, store, instead_of_fit
):
    run, written = copied(staged, tmp_path / "run"), []
    instead_of_fit(lambda model, feed, **kwargs: None)
    save = finetune.save_weights

    def look(model, path, most):
        assert not run.finetuned_prior.exists()
        if len(written) == most:
            raise KeyboardInterrupt
        save(model, path)
        written.append(path.name)

    monkeypatch.setattr(finetune, "save_weights", lambda model, path: look(model, path, 4))
    with pytest.raises(KeyboardInterrupt):
        train_all(run, store)
    assert len(written) == 4
    for path in run.finetuned_prior.parent.iterdir():
        path.write_bytes(b"nobody reads them yet")
    run.load_sandwich()
    written.clear()
    monkeypatch.setattr(finetune, "save_weights", lambda model, path: look(model, path, None))
    assert train_all(run, store)
    assert written == [f"{part}.weights.h5" for part in PARTS]
    assert run.finetuned_prior.exists()
    run.load_sandwich()


def test_its_thresholds_are_chosen_anew_on_what_the_finetuned_weights_make(  # noqa: PLR0917 - fixtures
    tmp_path, monkeypatch, staged, store, fresh, instead_of_fit
):
    run = Run.create(tmp_path / "run", dataclasses.replace(staged.config, refine_threshold="notes"))
    shutil.copytree(staged.path / "weights", run.path / "weights")
    assert choose_thresholds(run, store)
    before = files(run)
    sandwich = fresh(run.config)
    monkeypatch.setattr(finetune, "build_sandwich", lambda config: sandwich)

    def quieter(model, feed, **kwargs):
        for track in TRACK_NAMES:
            bias = sandwich.get_layer(f"{track}_refiner").get_layer("output").bias
            bias.assign(bias - 1.0)

    instead_of_fit(quieter)
    # A call that was killed chose others.
    run.finetuned_thresholds.parent.mkdir()
    run.finetuned_thresholds.write_text(json.dumps(dict.fromkeys(TRACK_NAMES, 0.05)))
    assert train_all(run, store)
    assert {name: files(run)[name] for name in before} == before

    written = run.finetuned_thresholds.read_bytes()
    chosen, earlier = json.loads(written), json.loads(before["weights/thresholds.json"])
    phrases = store.load("validation")
    made = run.load_model(finetuned=True, thresholds=False)(phrases)["pianoroll"]
    assert list(chosen.values()) == best_thresholds(np.asarray(made, np.float16), phrases)
    assert sum(chosen[track] < earlier[track] for track in TRACK_NAMES) >= 4

    plain, (loaded, _) = run.load_model(finetuned=True, thresholds=False), run.load_sandwich()
    for track, threshold in chosen.items():
        bias, expected = (
            each.get_layer(f"{track}_refiner").get_layer("output").bias.numpy() for each in (loaded, plain)
        )
        np.testing.assert_allclose(bias - expected, np.log((1 - threshold) / threshold), atol=1e-6)

    run.finetuned_thresholds.unlink()
    with pytest.raises(RunError, match="has no thresholds: run `make finetune` first"):
        run.load_sandwich()
    assert train_all(run, store) is False
    assert run.finetuned_thresholds.read_bytes() == written


def test_without_a_stage_the_command_that_is_missing_is_named(tmp_path, staged, store):
    run = copied(staged, tmp_path / "run")
    run.weights("piano_refiner").unlink()
    with pytest.raises(RunError) as refused:
        train_all(run, store)
    assert str(refused.value) == (
        f"the run {run.path} has no trained piano_refiner: run `make refine TRACK=piano` first"
    )


def test_damaged_finetuned_weights_are_one_sentence(tmp_path, finetuned):
    run = copied(finetuned, tmp_path / "run")
    path = run.finetuned("mfg_decoder")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RunError) as refused:
        run.load_sandwich()
    assert str(refused.value) == f"{path} is damaged or of another model"


def test_a_batch_has_whole_phrases_and_as_many_units_as_in_the_other_stages(config, store):
    plain = dataclasses.replace(config, transpose=0, batch_size=7)
    feed = PhraseFeed.of(plain, store)
    assert (feed.batch_size, feed.steps, feed.rows) == (3, 4, 10)
    epochs = list(feed.batches(0, 2))
    assert [len(cells) for cells, _ in epochs] == [3, 3, 3, 1] * 2
    there = store.load("train")
    for batches in (epochs[:4], epochs[4:]):
        cells = np.concatenate([cells for cells, _ in batches])
        assert cells.dtype == bool
        assert sorted(phrase.tobytes() for phrase in cells) == sorted(phrase.tobytes() for phrase in there)
        signed = np.concatenate([target for _, target in batches])
        assert signed.dtype == np.float32
        assert np.array_equal(signed, np.where(cells, 1.0, -1.0))
    # Another order, and the second epoch alone is what it was after the first.
    assert not np.array_equal(epochs[0][0], epochs[4][0])
    for (cells, _), (again, _) in zip(epochs[4:], feed.batches(1, 2), strict=True):
        assert np.array_equal(cells, again)
    held_out = list(feed.held_out())
    assert np.array_equal(np.concatenate([cells for cells, _ in held_out]), store.load("validation"))


@pytest.mark.parametrize(
    ("changes", "rows", "different"),
    [
        ({"train_bars": 5}, 3, 3),  # two and a half phrases
        ({"epoch_bars": 7}, 4, 4),
        ({"train_bars": 3, "epoch_bars": 12}, 6, 2),
        ({"batch_size": 1}, 10, 10),
    ],
)
def test_how_many_phrases_an_epoch_has(config, store, changes, rows, different):
    feed = PhraseFeed.of(dataclasses.replace(config, transpose=0, **changes), store)
    cells = np.concatenate([cells for cells, _ in feed.batches(0, 1)])
    assert len(cells) == feed.rows == rows
    assert len({phrase.tobytes() for phrase in cells}) == different
    assert feed.steps == -(-rows // feed.batch_size)


def test_transpositions_are_those_of_the_step_in_every_session(config, store):
    cells = store.load("train")
    cells[..., [0, 1, 4, 5], 1:] = False  # else there is no room to move
    packed = np.packbits(np.moveaxis(cells, -1, 1).reshape(10, 5, -1), axis=-1)
    feed = PhraseFeed(dataclasses.replace(config, transpose=2), store, packed, 10)
    first, second = (np.concatenate([made for made, _ in feed.batches(*span)]) for span in ((0, 2), (1, 2)))
    assert np.array_equal(first[10:], second)
    found = {made.tobytes(): shift for shift in (-2, -1, 0, 1, 2) for made in oracle(cells, [shift] * 10)}
    assert len(found) == 50
    shifts = [found[made.tobytes()] for made in first]
    assert set(shifts) == {-2, -1, 0, 1, 2}
    assert shifts[:10] != shifts[10:]


def test_shares_side_by_side_are_the_whole_batch(config, store):
    feed = PhraseFeed.of(dataclasses.replace(config, batch_size=18, transpose=2), store)
    for batches in (lambda share: feed.batches(0, 2, share), feed.held_out):
        whole, shares = list(batches(None)), [list(batches(Share(index, 3, 3))) for index in range(3)]
        for batch, *parts in zip(whole, *shares, strict=True):
            rows = len(batch[0])
            assert [int(total) for *_, total in parts] == [rows] * 3
            assert [len(cells) for cells, *_ in parts] == [rows // 3] * 3 if rows > 2 else [rows] * 3
            for index, expected in enumerate(batch):
                found = [part[index] for part in parts] if rows > 2 else [parts[0][index]]
                assert np.array_equal(np.concatenate(found), expected)


def test_without_validation_phrases_there_is_no_held_out(config, make_store):
    assert PhraseFeed.of(config, make_store(config, validation=0)).held_out() is None


def oracle(cells, shifts):
    """Transposes phrase by phrase, in NumPy: by the shift, or as far towards it as every note stays on the axis."""
    moved = cells.copy()
    for phrase, shift in enumerate(shifts):
        pitched = cells[phrase, ..., 1:]
        step = int(np.sign(shift))
        for _ in range(abs(shift)):
            edge = pitched[..., -1 if step > 0 else 0, :]
            if edge.any():
                break
            pitched = np.roll(pitched, step, axis=2)
        moved[phrase, ..., 1:] = pitched
    return moved


def test_pitched_tracks_move_together_drums_stay_and_no_note_is_lost():
    rng = np.random.default_rng(0)
    cells = np.zeros((9, 2, 3, 11, 5), bool)
    cells[..., 4:7, 1:] = rng.random((9, 2, 3, 3, 4)) < 0.3
    cells[..., 0] = rng.random((9, 2, 3, 11)) < 0.3
    cells[3, 0, 1, 2, 4] = cells[4, 1, 0, 8, 2] = True  # one track alone keeps the others from going on
    cells[8, ..., 1:] = False
    shifts = np.array([0, 2, -3, -5, 6, 12, -12, 1, 7], np.int32)
    made = transpose_phrases(tf.constant(cells), tf.constant(shifts)).numpy()
    expected = oracle(cells, shifts)
    assert made.dtype == bool
    assert np.array_equal(made, expected)
    assert np.array_equal(made[..., 0], cells[..., 0])
    assert np.array_equal(made.sum(axis=(1, 2, 3)), cells.sum(axis=(1, 2, 3)))
    # By hand: of phrase 3 the lowest pitch is 2, so that 5 down is 2 down; of phrase 4 the highest is 8 of 0..10.
    assert np.array_equal(made[3, ..., :-2, 1:], cells[3, ..., 2:, 1:])
    assert np.array_equal(made[4, ..., 2:, 1:], cells[4, ..., :-2, 1:])


def test_what_sounds_at_both_ends_stays():
    cells = np.zeros((2, 1, 2, 4, 5), bool)
    cells[:, 0, 0, 0, 1] = cells[:, 0, 1, 3, 3] = True
    made = transpose_phrases(tf.constant(cells), tf.constant([3, -3]))
    assert np.array_equal(made, cells)
