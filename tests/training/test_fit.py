import csv

import keras
import numpy as np
import pytest
import tensorflow as tf

from msw2.training import fit
from msw2.training.fit import Progress, Resume

ROWS = tf.constant(np.random.default_rng(0).normal(size=(12, 3)), tf.float32)


def make():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.5, seed=2), keras.layers.Dense(2)])
    model.compile(keras.optimizers.Adam(0.1), loss=lambda y, made: keras.ops.mean((y[:, :2] - made) ** 2))
    return model


def batches(first, epochs=5):
    rows = tf.data.Dataset.range(first, epochs)
    return rows.flat_map(
        lambda epoch: tf.data.Dataset.from_tensor_slices(tf.roll(ROWS, epoch, 0)).batch(5)
    ).map(lambda x: (x, x))


def train(model, path, epochs=5, identity="mine"):
    resume = Resume(path / "state.npz", path / "history.csv", identity)
    fit.fit(
        model,
        lambda first: batches(first, epochs),
        epochs=epochs,
        steps=3,
        validation=tf.data.Dataset.from_tensors((ROWS, ROWS)),
        resume=resume,
        label="dense",
    )
    return resume


def state(model):
    return [np.array(v.numpy()) for v in (*model.variables, *model.optimizer.variables)]


def test_a_fit_in_two_halves_is_a_fit_in_one(tmp_path, monkeypatch):
    monkeypatch.setattr(fit, "CHECKPOINT_EVERY", 0.0)
    whole = make()
    train(whole, tmp_path / "whole")
    train(make(), tmp_path / "halves", epochs=2)
    second = make()
    train(second, tmp_path / "halves")
    for a, b in zip(state(whole), state(second), strict=True):
        assert np.array_equal(a, b)
    with open(tmp_path / "halves" / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["epoch", "loss", "val_loss", "seconds"]
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4", "5"]


def test_the_state_of_another_identity_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(fit, "CHECKPOINT_EVERY", 0.0)
    resume = train(make(), tmp_path, epochs=2)
    for identity, epoch in (("mine", 2), ("yours", 0)):
        model = make()
        fresh = state(model)
        assert Resume(tmp_path / "state.npz", tmp_path / "history.csv", identity).restore(model) == epoch
        same = all(np.array_equal(a, b) for a, b in zip(fresh, state(model)[: len(fresh)], strict=True))
        assert same == (epoch == 0)
    resume.finish()
    assert Resume(tmp_path / "state.npz", tmp_path / "history.csv", "mine").restore(make()) == 0


def test_short_epochs_are_not_spent_on_writing(tmp_path):
    train(make(), tmp_path, epochs=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["history.csv"]


def test_progress_shows_the_time_left(capsys, monkeypatch):
    clock = iter([100.0, 104.0, 108.0, 112.0, 230.0])
    monkeypatch.setattr(fit.time, "monotonic", lambda: next(clock))
    progress = Progress("bass_bvae", 12)
    progress.on_epoch_begin(2)  # continued: two epochs were done before
    for epoch, loss in ((2, 3.0), (3, 2.5), (4, 2.0), (5, 1.23456)):
        progress.on_epoch_end(epoch, {"loss": loss, "val_loss": 2 * loss, "kl": 9.0})
    # 4 s for one epoch: 9 are left. Then two epochs within ten seconds, unseen. 130 s for four: 6 are left.
    assert capsys.readouterr().err.splitlines() == [
        "bass_bvae        epoch   3 of 12  loss 3  val_loss 6  0:36 left",
        "bass_bvae        epoch   6 of 12  loss 1.235  val_loss 2.469  3:15 left",
    ]


def test_the_last_epoch_is_always_shown(capsys):
    progress = Progress("x", 2)
    progress.on_epoch_begin(0)
    for epoch in (0, 1):
        progress.on_epoch_end(epoch, {"loss": 1.0})
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[:5] for line in lines] == [["x", "epoch", each, "of", "2"] for each in "12"]


def test_nothing_is_left_of_a_fit_that_is_done(tmp_path, monkeypatch):
    monkeypatch.setattr(fit, "CHECKPOINT_EVERY", 0.0)
    train(make(), tmp_path, epochs=2)
    model = make()
    monkeypatch.setattr(model, "fit", None)
    assert train(model, tmp_path, epochs=2) is not None
    assert float(model.optimizer.iterations) == pytest.approx(6)


def test_no_fit_waits_for_the_tuner_of_its_data(tmp_path, monkeypatch):
    """An iterator whose pipeline is tuned takes up to a minute to go."""
    model, given = make(), {}
    monkeypatch.setattr(model, "fit", lambda batches, **kwargs: given.update(kwargs, batches=batches))
    train(model, tmp_path)
    for name in ("batches", "validation_data"):
        assert given[name].options().autotune.enabled is False
