"""Fitting a compiled model for some epochs, in a way that survives being killed."""

import csv
import pathlib
import sys
import time
from collections.abc import Iterable

import keras
import numpy as np

from msw2.data.autotune import without_autotune
from msw2.models.operations import fitting
from msw2.system.files import replacing

CHECKPOINT_EVERY = 15.0  # seconds between checkpoints, so that short epochs are not spent on writing


class Resume(keras.callbacks.Callback):
    """Keeps the whole state of a fit on disk: weights, optimizer, random generators, epoch, history.

    Call `restore` after compiling, before `fit`.

    Args:
        checkpoint: `.npz` file of the state.
        history: `.csv` file, a row an epoch.
        identity: what the state belongs to (config and data); the state of another is not continued.
    """

    def __init__(self, checkpoint: pathlib.Path, history: pathlib.Path, identity: str):
        super().__init__()
        self._checkpoint = checkpoint
        self._history = history
        self._identity = identity
        self._rows: list[dict[str, float]] = []
        self._saved = time.monotonic()

    def restore(self, model: keras.Model) -> int:
        """Loads the state, if there is one, and returns the epoch to go on with (0: a fresh start)."""
        model.optimizer.build(model.trainable_variables)
        if not self._checkpoint.exists():
            return 0
        with np.load(self._checkpoint, allow_pickle=False) as state:
            if str(state["identity"]) != self._identity:
                return 0
            for index, variable in enumerate(_variables(model)):
                variable.assign(state[f"variable_{index}"])
            columns = [str(name) for name in state["columns"]]
            self._rows = [dict(zip(columns, row, strict=True)) for row in state["rows"].tolist()]
        return len(self._rows)

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the clock of the epoch."""
        self._start = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        """Adds a row to the history and, now and then, writes the state."""
        row = {"epoch": epoch + 1, **(logs or {}), "seconds": round(time.monotonic() - self._start, 3)}
        self._rows.append({name: float(value) for name, value in row.items()})
        with (
            replacing(self._history) as temporary,
            open(temporary, "w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, self._rows[0])
            writer.writeheader()
            writer.writerows({k: f"{v:.6g}" for k, v in row.items()} for row in self._rows)
        if time.monotonic() - self._saved >= CHECKPOINT_EVERY:
            self._save()

    def finish(self) -> None:
        """Forgets the state, when what was trained is safe elsewhere."""
        self._checkpoint.unlink(missing_ok=True)

    def _save(self) -> None:
        state = {f"variable_{i}": np.asarray(v) for i, v in enumerate(_variables(self.model))}
        with replacing(self._checkpoint) as temporary:
            np.savez(
                temporary,
                identity=self._identity,
                columns=list(self._rows[0]),
                rows=np.array([list(row.values()) for row in self._rows]),
                **state,
            )
        self._saved = time.monotonic()


class Progress(keras.callbacks.Callback):
    """Prints a line for the first and last epoch, and between them for as many as ten seconds allow.

    Args:
        label: what is trained.
        epochs: in all.
    """

    EVERY = 10.0

    def __init__(self, label: str, epochs: int):
        super().__init__()
        self._label = label
        self._epochs = epochs
        self._first = None
        self._shown = -np.inf

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the clock at the first epoch of this process."""
        if self._first is None:
            self._first, self._start = epoch, time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        """Prints the line."""
        now, done = time.monotonic(), epoch + 1
        if now - self._shown < self.EVERY and done < self._epochs:
            return
        self._shown = now
        left = (now - self._start) / (done - self._first) * (self._epochs - done)
        terms = "  ".join(f"{name} {logs[name]:.4g}" for name in ("loss", "val_loss") if name in logs)
        print(
            f"{self._label:<16} epoch {done:>3} of {self._epochs}  {terms}  "
            f"{int(left) // 60}:{int(left) % 60:02d} left",
            file=sys.stderr,
            flush=True,
        )


def fit(
    model: keras.Model,
    batches,
    *,
    epochs: int,
    steps: int,
    validation,
    resume: Resume,
    label: str,
    callbacks: Iterable[keras.callbacks.Callback] = (),
) -> None:
    """Trains a compiled model to `epochs`, from where `resume` finds it.

    Args:
        model: compiled.
        batches: function from the first epoch (0-based) to a dataset of all batches that are left.
        epochs: in all.
        steps: batches an epoch.
        validation: dataset for the validation loss, or None.
        resume: the state on disk.
        label: for the progress lines.
        callbacks: besides those that keep the state and print.
    """
    first = resume.restore(model)
    if first >= epochs:
        return
    with fitting():
        model.fit(
            without_autotune(batches(first)),
            initial_epoch=first,
            epochs=epochs,
            steps_per_epoch=steps,
            validation_data=None if validation is None else without_autotune(validation),
            callbacks=[*callbacks, resume, Progress(label, epochs)],
            shuffle=False,  # the dataset is; Keras warns otherwise
            verbose=0,
        )


def _variables(model: keras.Model) -> list[keras.Variable]:
    """Returns all that a fit changes: weights, generators of random numbers, optimizer."""
    return [*model.variables, *model.optimizer.variables]
