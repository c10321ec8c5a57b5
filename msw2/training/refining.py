"""The training of a track's refiner on what its frozen BVAE makes."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from msw2.data import pipeline
from msw2.data.store import Store
from msw2.data.stored_units import Units
from msw2.models import bvae
from msw2.models.layers import Sampling
from msw2.models.refine import THRESHOLD, training_view
from msw2.models.sandwich import Parts, build_parts, part_seed
from msw2.music.tracks import track_index
from msw2.training.annealing import SlopeAnnealing
from msw2.training.fit import Resume
from msw2.training.optimizers import Adam
from msw2.training.runs import Run, stage1_parts
from msw2.training.stages import compile_stage, fit_arrays, fit_units
from msw2.training.store_check import check_fit
from msw2.training.unit_counts import epoch_units, read_units

MAX_MADE_BARS = 20_000  # bars that a refiner's training holds in memory as floats, 32 KiB each


def train_refiner(run: Run, store: Store, track: str) -> bool:
    """Trains a track's refiner on what its frozen BVAE makes of the training units.

    Where `refine` is `none` there is nothing to train: a file without weights is written, and no history.

    Args:
        run: of stage 1 trained.
        store: of the units.
        track: name.

    Returns:
        False if the refiner was trained already.

    Raises:
        RunError: if stage 1 is missing, or run and store do not fit.
        ValueError: for a name that is not a track's.
    """
    track_index(track)
    check_fit(run, store)
    name = f"{track}_refiner"
    if run.has(name):
        return False
    config, parts = run.config, build_parts(run.config, [track])
    run.load_weights(parts, *stage1_parts(track))
    refiner = parts.models[name]
    if config.refine == "none":
        run.save_weights(refiner, name)
        return True
    units = read_units(run, store, "train", [track])
    if config.transpose or config.mixed_bars or len(units) * config.unit_bars > MAX_MADE_BARS:
        model, annealing = refine_view(parts, track), [SlopeAnnealing(refiner)]
        compile_refiner(model, parts, name)
        resume = fit_units(
            run, store, model, [track], units, stage=name, epochs=config.refine_epochs, callbacks=annealing
        )
    else:  # every epoch has the same units: what the BVAE makes of them is made once
        model = training_view(refiner)
        compile_refiner(model, parts, name)
        resume = _fit_made(run, store, parts, units, refiner=model, track=track)
    run.save_weights(refiner, name)
    resume.finish()
    return True


def refine_view(parts: Parts, track: str) -> keras.Model:
    """Returns the model from a track's unit to what its refiner makes of what its BVAE makes of it."""
    made = made_view(parts, track)
    refiner = training_view(parts.models[f"{track}_refiner"])
    return keras.Model(made.input, refiner(made.output), name=f"{track}_refine")


def made_view(parts: Parts, track: str) -> keras.Model:
    """Returns the model from a track's unit, float [batch, step, pitch] of -1/+1, to its BVAE's output in -1..1."""
    config = parts.config
    encoder, decoder = (parts.models[f"{track}_{kind}"] for kind in ("encoder", "decoder"))
    sampling = Sampling(
        config.sigma, config.epsilon_std, part_seed(config, f"{track}_refiner_sampling"), name="sampling"
    )
    made = decoder(sampling(encoder(encoder.input, training=False)), training=False)
    return keras.Model(encoder.input, bvae.to_signed(config, made), name=f"{track}_made")


def compile_refiner(model: keras.Model, parts: Parts, name: str) -> None:
    """Compiles a view for the training of the refiner `name` alone."""
    loss = refine_loss(parts.config.refine_weight, parts.config.refine_output)
    compile_stage(model, Adam(), parts, [name], loss=loss, metrics=[refine_accuracy()])


def refine_loss(weight: float, output: str = "sigmoid"):
    """Returns a refiner's loss against (bar + 1) / 2 (Eq. 3), a mean over cells, sounding ones weighted.

    Args:
        weight: of a sounding cell, beside 1 for a silent one.
        output: `refine_output` of the config: binary cross-entropy (Eq. 4) for `sigmoid`, else squared error.
            (What the history calls the loss of a refiner "in bars" also has the L2 of its kernels.)
    """

    def loss(bar, probability):
        target = 0.5 * (bar + 1.0)
        weights = 1.0 + (weight - 1.0) * target
        if output == "sigmoid":
            return ops.mean(weights * ops.binary_crossentropy(target, probability))
        return ops.mean(weights * ops.square(target - probability))

    return loss


def refine_accuracy() -> keras.metrics.Metric:
    """Returns the share of the cells, 0..1, that are right at the threshold of 0.5 (Fig. 7)."""

    def right(bar, probability):
        return ops.mean(ops.cast(ops.equal(bar > 0, probability >= THRESHOLD), "float32"), axis=(1, 2))

    return keras.metrics.MeanMetricWrapper(right, name="accuracy")


def _fit_made(
    run: Run, store: Store, parts: Parts, train: Units, *, refiner: keras.Model, track: str
) -> Resume:
    """Fits a compiled refiner to units that the frozen BVAE decodes once, in memory."""
    name, made = f"{track}_refiner", tf.function(made_view(parts, track))

    def decode(units):
        batches = [(made(unit), unit) for unit, _ in pipeline.evaluation_batches(units, batch_size=256)]
        return tuple(np.concatenate(arrays) for arrays in zip(*batches, strict=True))

    validation = read_units(run, store, "validation", [track])
    return fit_arrays(
        run,
        store,
        refiner,
        decode(train),
        rows=epoch_units(run, store, [track]),
        validation=decode(validation) if len(validation) else None,
        stage=name,
        epochs=run.config.refine_epochs,
        callbacks=[SlopeAnnealing(refiner)],
    )
