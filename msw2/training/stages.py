"""What the three trainings have in common: how a view over some parts is compiled, fed and continued."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from msw2.config import Config
from msw2.data import pipeline
from msw2.data.store import Store
from msw2.data.stored_units import Units
from msw2.models.sandwich import Parts, part_seed
from msw2.training.fit import Resume, fit
from msw2.training.runs import Run
from msw2.training.store_check import digest
from msw2.training.unit_counts import epoch_units, read_units

# Units at a time: what more of them take, the C library gives back and takes again (`memory`).
VALIDATION_BATCH = 64


def compile_stage(model: keras.Model, optimizer, parts: Parts, trained, *, loss=None, metrics=None) -> None:
    """Sets which parts a stage trains, and compiles: Keras ignores, silently, a flag set after compiling.

    Args:
        model: a view over some of the parts.
        optimizer: fresh.
        parts: all parts of the view, and perhaps more.
        trained: names of the parts to train; all others are frozen.
        loss: for a model without a `compute_loss` of its own.
        metrics: that the history also has.
    """
    for name, part in parts.models.items():
        part.trainable = name in trained
    # Recurrences are compiled already. XLA's products are slower than oneDNN's, and starting it takes seconds.
    model.compile(optimizer=optimizer, loss=loss, metrics=metrics, jit_compile=False)


def fit_units(
    run: Run,
    store: Store,
    model: keras.Model,
    tracks: Sequence[str],
    units: Units,
    *,
    stage: str,
    epochs: int,
    callbacks=(),
) -> Resume:
    """Fits a compiled view whose input and target are the units of some tracks.

    Args:
        run: of the stage.
        store: of the units.
        model: compiled.
        tracks: names.
        units: `units.read_units` of the training songs.
        stage: names checkpoint, history and the line of progress.
        epochs: in all.
        callbacks: of Keras.

    Returns:
        What holds the checkpoint: to be finished when the weights are written.
    """
    config, rows = run.config, epoch_units(run, store, tracks)
    validation = read_units(run, store, "validation", tracks)

    def batches(first):
        return pipeline.training_batches(
            units,
            batch_size=config.batch_size,
            epoch_units=rows,
            seed=part_seed(config, stage),
            first_epoch=first,
            epochs=epochs,
            max_shift=config.transpose,
            mixed=config.mixed_bars,
        )

    held_out = None
    if len(validation):
        held_out = pipeline.evaluation_batches(validation, batch_size=VALIDATION_BATCH)
    return _fit(run, store, model, batches, held_out, rows, stage=stage, epochs=epochs, callbacks=callbacks)


def fit_arrays(
    run: Run,
    store: Store,
    model: keras.Model,
    pairs: tuple[np.ndarray, np.ndarray],
    *,
    rows: int,
    validation: tuple[np.ndarray, np.ndarray] | None,
    stage: str,
    epochs: int,
    callbacks=(),
) -> Resume:
    """Fits a compiled model to the rows of two arrays, inputs and targets.

    Args:
        run: of the stage.
        store: that the arrays were made of.
        model: compiled.
        pairs: float32 [row, ...] each, of as many rows; they may be the same array.
        rows: of an epoch.
        validation: the same of songs that are not trained on.
        stage: names checkpoint, history and the line of progress.
        epochs: in all.
        callbacks: of Keras.

    Returns:
        What holds the checkpoint: to be finished when the weights are written.
    """

    def batches(first):
        return _array_batches(run.config, *pairs, rows=rows, epochs=range(first, epochs))

    held_out = None
    if validation is not None:
        held_out = tf.data.Dataset.from_tensor_slices(validation).batch(VALIDATION_BATCH)
    return _fit(run, store, model, batches, held_out, rows, stage=stage, epochs=epochs, callbacks=callbacks)


def resume_of(run: Run, store: Store, stage: str) -> Resume:
    """Returns what continues a stage after a kill, on the same store with the same config."""
    return Resume(run.checkpoint(stage), run.history(stage), f"{run.config} {digest(store)}")


def _fit(  # noqa: PLR0917 - the two above alone call it
    run: Run,
    store: Store,
    model: keras.Model,
    batches,
    held_out,
    rows: int,
    *,
    stage: str,
    epochs: int,
    callbacks,
) -> Resume:
    """Fits a compiled model to what `batches` returns from an epoch on, of `rows` rows an epoch."""
    resume = resume_of(run, store, stage)
    fit(
        model,
        batches,
        epochs=epochs,
        steps=-(-rows // run.config.batch_size),
        validation=held_out,
        resume=resume,
        label=stage,
        callbacks=callbacks,
    )
    return resume


def _array_batches(
    config: Config, inputs: np.ndarray, targets: np.ndarray, *, rows: int, epochs: range
) -> tf.data.Dataset:
    """Returns shuffled batches (input, target) of the rows of two arrays, so many rows an epoch."""

    def order(epoch):
        shuffled = pipeline.epoch_order(len(inputs), rows, epoch, config.seed)
        return tf.data.Dataset.from_tensor_slices(shuffled).batch(config.batch_size)

    def look_up(array, indices):
        # Looked up by NumPy: as a tensor, a gigabyte of moments would be there twice.
        found = tf.numpy_function(lambda index: array[index], [indices], tf.float32, stateful=False)
        return tf.ensure_shape(found, [None, *array.shape[1:]])

    def load(indices):
        batch = look_up(inputs, indices)
        return batch, batch if targets is inputs else look_up(targets, indices)

    return tf.data.Dataset.range(epochs.start, epochs.stop).flat_map(order).map(load).prefetch(4)
