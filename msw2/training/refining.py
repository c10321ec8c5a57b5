"""The training of a track's refiner on what its frozen BVAE makes."""

import keras
import numpy as np
import tensorflow as tf

from msw2.data import pipeline
from msw2.data.store import Store
from msw2.models.sandwich import build_sandwich, made_view, stage1_parts
from msw2.training.annealing import SlopeAnnealing
from msw2.training.feeds import ArrayFeed, Feed, UnitFeed
from msw2.training.fit import fit
from msw2.training.jobs import ALONE, Job
from msw2.training.runs import Run
from msw2.training.stages import set_stage, stage_parts
from msw2.training.store_check import check_fit, resume_of
from msw2.training.thresholds import choose_thresholds

MAX_MADE_BARS = 20_000  # bars that a refiner's training holds in memory as floats, 32 KiB each


def train_refiner(run: Run, store: Store, track: str, job: Job = ALONE) -> bool:
    """Trains a track's refiner on what its frozen BVAE makes of the training units.

    If it is the last part of the run, the thresholds are chosen, see `thresholds`.

    With `refine` `none`, nothing is trained: a file without weights is written, and no history.

    Args:
        run: of stage 1 trained; where it is only read, this process helps another one.
        store: of the units.
        track: name.
        job: the devices that train.

    Returns:
        False if the refiner was trained already.

    Raises:
        RunError: if stage 1 is missing, run and store do not fit, or a process of the job has ended.
        ValueError: for a name that is not a track's.
    """
    (name,) = stage_parts("refine", track)
    check_fit(run, store)
    missing = not run.has(name)
    if missing:
        _train(run, store, track, name, job)
    choose_thresholds(run, store)
    return missing


def _train(run: Run, store: Store, track: str, name: str, job: Job) -> None:
    config = run.config
    job.require_rows_apart(config, "refine")
    with job.scope():
        sandwich = build_sandwich(config)
    run.load_weights(sandwich, *stage1_parts(track))
    run.begin(sandwich, name)
    refiner, resume = sandwich.get_layer(name), None
    if config.refine != "none":
        feed: Feed = UnitFeed.of(config, store, (track,), name)
        same = not (config.transpose or config.mixed_bars)
        if same and len(feed.train) * config.unit_bars <= MAX_MADE_BARS:
            # Every epoch has the same units: what the BVAE makes of them is made once.
            with job.scope():
                made = made_view(sandwich, config, track)
                view = set_stage(sandwich, "refine", config, track=track, view=refiner)
            feed = _made(made, feed)
        else:
            with job.scope():
                view = set_stage(sandwich, "refine", config, track=track)
        resume = fit(
            view,
            feed,
            resume_of(run, store, name),
            epochs=config.refine_epochs,
            label=name,
            callbacks=[SlopeAnnealing(refiner)],
            job=job,
        )
    if not run.writes:
        return
    run.save_weights(refiner, name)
    if resume:
        resume.finish()


def _made(bvae: keras.Model, feed: UnitFeed) -> ArrayFeed:
    """Returns a feed of a BVAE's output, made once, and of the units themselves."""
    made = tf.function(bvae)

    def decoded(units):
        shape = (0, *bvae.input.shape[1:])
        batches = [(made(unit), unit) for unit, _ in pipeline.evaluation_batches(units, batch_size=256)]
        return tuple(
            np.concatenate([np.zeros(shape, np.float32), *arrays])
            for arrays in (zip(*batches, strict=True) if batches else ((), ()))
        )

    return ArrayFeed(feed.config, decoded(feed.train), decoded(feed.validation), feed.rows)
