"""Fitting a compiled model for some epochs, in a way that survives being killed."""

import csv
import pathlib
import sys
import time
from collections.abc import Iterable

import keras
import numpy as np

from msw2.data.autotune import without_autotune
from msw2.music import npz
from msw2.music.midi import SongError
from msw2.system.files import replacing
from msw2.system.progress import Progress
from msw2.training import distributed
from msw2.training.feeds import Feed
from msw2.training.jobs import ALONE, Job
from msw2.training.runs import RunError

SMALL, LARGE = 2**20, 2**40  # most bytes of a text and of an array in a checkpoint
CHECKPOINT_EVERY = 15.0  # seconds between checkpoints, so that short epochs are not spent on writing


class Resume(keras.callbacks.Callback):
    """Keeps the whole state of a fit on disk: weights, optimizer, random generators, epoch, history.

    Call `restore` after compiling, before `fit`.

    Args:
        checkpoint: `.npz` file of the state.
        history: `.csv` file, a row an epoch.
        identity: what the state belongs to (config and data); the state of another is not continued.
        writes: whether this process writes the files; else another one does.
    """

    def __init__(
        self, checkpoint: pathlib.Path, history: pathlib.Path, identity: str, *, writes: bool = True
    ):
        super().__init__()
        self.identity = identity
        self._writes = writes
        self._checkpoint = checkpoint
        self._history = history
        self._rows: list[dict[str, float]] = []
        self._saved = time.monotonic()

    def restore(self, model: keras.Model) -> int:
        """Loads the state, if there is one, and returns the epoch to go on with (0: a fresh start).

        Raises:
            RunError: if the state is damaged.
        """
        model.optimizer.build(model.trainable_variables)
        if not self._checkpoint.exists():
            return 0
        try:
            with npz.opened(self._checkpoint) as state:
                if str(npz.array(state, "identity", SMALL)) != self.identity:
                    return 0
                columns = [str(name) for name in npz.array(state, "columns", SMALL)]
                rows = npz.array(state, "rows", LARGE).tolist()
                self._rows = [dict(zip(columns, row, strict=True)) for row in rows]
                for index, variable in enumerate(_variables(model)):
                    variable.assign(npz.array(state, f"variable_{index}", LARGE))
        except (SongError, TypeError, ValueError) as error:
            raise RunError(
                f"{self._checkpoint} is damaged: delete it, and the stage begins anew ({error})"
            ) from error
        return len(self._rows)

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the clock of the epoch."""
        self._start = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        """Adds a row to the history and, now and then, writes the state."""
        row = {"epoch": epoch + 1, **(logs or {}), "seconds": round(time.monotonic() - self._start, 3)}
        self._rows.append({name: float(value) for name, value in row.items()})
        if not self._writes:
            return
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
        if self._writes:
            self._checkpoint.unlink(missing_ok=True)

    def _save(self) -> None:
        state = {f"variable_{i}": np.asarray(v) for i, v in enumerate(_variables(self.model))}
        with replacing(self._checkpoint) as temporary:
            np.savez(
                temporary,
                identity=self.identity,
                columns=list(self._rows[0]),
                rows=np.array([list(row.values()) for row in self._rows]),
                **state,
            )
        self._saved = time.monotonic()


class ShowProgress(keras.callbacks.Callback):
    """Shows how many epochs are done, the losses and the time left; and at the end one line that stays.

    Args:
        label: what is trained.
        epochs: in all.
        steps: batches an epoch.
    """

    def __init__(self, label: str, epochs: int, steps: int):
        super().__init__()
        self._label, self._epochs, self._steps = label, epochs, steps
        self._progress = Progress(epochs, "epochs", label=label)
        self._epoch, self._note = 0, ""

    def on_epoch_begin(self, epoch, logs=None):
        """Remembers the epoch, 0-based."""
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        """Shows the share of the epoch that is done."""
        self._progress.update(round(self._epoch + (batch + 1) / self._steps, 1), self._note)

    def on_epoch_end(self, epoch, logs=None):
        """Shows the losses."""
        terms = [f"{name} {logs[name]:.4g}" for name in ("loss", "val_loss") if name in (logs or {})]
        self._note = "  ".join(terms)
        self._progress.update(epoch + 1, self._note)

    def on_train_end(self, logs=None):
        """Leaves a line with the last losses."""
        self._progress.close()
        print(f"{self._label:<16} {self._epochs} epochs  {self._note}", file=sys.stderr, flush=True)


def fit(
    model: keras.Model,
    feed: Feed,
    resume: Resume,
    *,
    epochs: int,
    label: str,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    job: Job = ALONE,
) -> Resume:
    """Trains a compiled model to `epochs`, from where `resume` finds it.

    Args:
        model: compiled, in the scope of the job.
        feed: what it reads.
        resume: the state on disk.
        epochs: in all.
        label: names what is trained.
        callbacks: besides those that keep the state and show the progress.
        job: the devices, in one process or in several, that train it.

    Returns:
        `resume`, to be finished when the weights are written.

    Raises:
        JobError: if another process of the job has ended, or trains something else.
    """
    with job.scope():
        first = resume.restore(model)
    first = distributed.begin_alike(_variables(model), first, f"{label} {resume.identity}", job)
    if first >= epochs:
        return resume
    callbacks = [*callbacks, resume]
    if job.is_chief:
        callbacks.append(ShowProgress(label, epochs, feed.steps))
    if job.strategy:
        distributed.fit(model, feed, job, first=first, epochs=epochs, callbacks=callbacks)
        return resume
    held_out = feed.held_out()
    model.fit(
        without_autotune(feed.batches(first, epochs)),
        initial_epoch=first,
        epochs=epochs,
        steps_per_epoch=feed.steps,
        validation_data=None if held_out is None else without_autotune(held_out),
        callbacks=callbacks,
        shuffle=False,  # the dataset is; Keras warns otherwise
        verbose=0,
    )
    return resume


def _variables(model: keras.Model) -> list[keras.Variable]:
    """Returns all that a fit changes: weights, generators of random numbers, optimizer."""
    return [*model.variables, *model.optimizer.variables]
