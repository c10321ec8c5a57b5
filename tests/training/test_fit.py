import csv
import dataclasses
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from msw2.system import progress
from msw2.training import fit
from msw2.training.fit import Resume, ShowProgress
from msw2.training.runs import RunError

ROWS = tf.constant(np.random.default_rng(0).normal(size=(12, 3)), tf.float32)


def make():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.5, seed=2), keras.layers.Dense(2)])
    model.compile(keras.optimizers.Adam(0.1), loss=lambda y, made: keras.ops.mean((y[:, :2] - made) ** 2))
    return model


@dataclasses.dataclass
class Rows:
    """Twelve rows, in another order every epoch."""

    steps = 3
    validated: bool = True

    def batches(self, first_epoch, epochs):
        return (
            tf.data.Dataset.range(first_epoch, epochs)
            .flat_map(lambda epoch: tf.data.Dataset.from_tensor_slices(tf.roll(ROWS, epoch, 0)).batch(5))
            .map(lambda x: (x, x))
        )

    def held_out(self):
        return tf.data.Dataset.from_tensors((ROWS, ROWS)) if self.validated else None


def train(model, path, epochs=5, identity="mine", feed=None):
    resume = Resume(path / "state.npz", path / "history.csv", identity)
    assert fit.fit(model, feed or Rows(), resume, epochs=epochs, label="dense") is resume
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


def test_without_held_out_rows_there_is_no_validation_loss(tmp_path):
    train(make(), tmp_path, epochs=1, feed=Rows(validated=False))
    assert (tmp_path / "history.csv").read_text().splitlines()[0] == "epoch,loss,seconds"


def test_progress_shows_losses_and_time_left_and_one_line_stays(capsys, monkeypatch):
    clock = iter([100.0, 104.0, 108.0, 112.0, 230.0])
    monkeypatch.setattr(progress, "time", types.SimpleNamespace(monotonic=lambda: next(clock)))
    shown = ShowProgress("bass_bvae", 12, 4)
    shown.on_epoch_begin(2)  # continued: two epochs were done before
    shown.on_train_batch_end(1)  # 2.5 epochs at 104 s
    shown.on_train_batch_end(3)  # 3 at 108 s: 4 s for half an epoch, nine are left
    shown.on_epoch_end(2, {"loss": 3.0, "val_loss": 6.0, "kl": 9.0})  # too soon to be shown
    shown.on_epoch_begin(3)
    shown.on_train_batch_end(1)  # 3.5 at 230 s: 126 s an epoch, eight and a half are left
    shown.on_train_end()
    assert capsys.readouterr().err.splitlines() == [
        "bass_bvae: 3 of 12 epochs, about 1:12 left",
        "bass_bvae: 3.5 of 12 epochs, loss 3  val_loss 6, about 17:51 left",
        "bass_bvae        12 epochs  loss 3  val_loss 6",
    ]


def test_the_last_losses_are_always_shown(capsys, monkeypatch):
    monkeypatch.setattr(progress, "time", types.SimpleNamespace(monotonic=lambda: 5.0))
    shown = ShowProgress("x", 2, 7)
    for epoch in (0, 1):
        shown.on_epoch_begin(epoch)
        shown.on_epoch_end(epoch, {"loss": 0.123456 / (epoch + 1)})
    shown.on_train_end()
    assert capsys.readouterr().err == "x                2 epochs  loss 0.06173\n"


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


@pytest.mark.parametrize("damage", ["cut", "bit", "text", "lacks"])
def test_a_damaged_state_is_one_sentence(tmp_path, monkeypatch, damage):
    monkeypatch.setattr(fit, "CHECKPOINT_EVERY", 0.0)
    monkeypatch.setattr(fit.Resume, "finish", lambda self: None)
    train(make(), tmp_path, epochs=1)
    (path,) = tmp_path.glob("*.npz")
    content = path.read_bytes()
    if damage == "lacks":
        with np.load(path) as state:
            np.savez(path, **{name: state[name] for name in state.files if name != "rows"})
    else:
        half = len(content) // 2
        flipped = content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :]
        path.write_bytes({"cut": content[:half], "bit": flipped, "text": b"no"}[damage])
    with pytest.raises(RunError, match=rf"^{path} is damaged: delete it, and the stage begins anew \("):
        train(make(), tmp_path, epochs=2)
