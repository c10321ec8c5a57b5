"""Finetuning: all parts trained together, through the whole sandwich."""

import dataclasses
import functools

import numpy as np
import tensorflow as tf

from msw2.config import Config
from msw2.data import packing, pipeline
from msw2.data.augmentation import transpose_phrases
from msw2.data.shares import Share
from msw2.data.store import Store
from msw2.models.sandwich import PARTS, build_sandwich
from msw2.music.tracks import TRACK_NAMES
from msw2.training.feeds import MAX_VALIDATION_UNITS, VALIDATION_BATCH, share_of
from msw2.training.fit import fit
from msw2.training.jobs import ALONE, Job
from msw2.training.notes_prior import train_prior
from msw2.training.runs import Run, save_weights
from msw2.training.stage2 import encode_moments, fit_run_prior, phrase_latents
from msw2.training.stages import set_stage
from msw2.training.store_check import check_fit, resume_of
from msw2.training.thresholds import choose_thresholds


def train_all(run: Run, store: Store, job: Job = ALONE) -> bool:
    """Trains all parts together for `finetune_epochs`, chooses the thresholds anew, and fits or trains the prior anew.

    The loss is the refiners' (Eq. 4), of whole phrases through both levels. The stages' weights stay
    untouched: the finetuned ones have a folder of their own.

    Args:
        run: of all stages trained; where it is only read, this process helps another one.
        store: of the phrases.
        job: the devices that train.

    Returns:
        False if the run is finetuned already.

    Raises:
        RunError: if a stage is missing, run and store do not fit, or a process of the job has ended.
    """
    check_fit(run, store)
    if run.finetuned_prior.exists():
        choose_thresholds(run, store, finetuned=True)  # which earlier versions did not
        return False
    config = run.config
    job.require_rows_apart(config, "finetune")
    with job.scope():
        sandwich = build_sandwich(config)
    run.load_weights(sandwich, *PARTS)
    feed = PhraseFeed.of(config, store)
    with job.scope():
        view = set_stage(sandwich, "finetune", config, steps=config.finetune_epochs * feed.steps)
    resume = resume_of(run, store, "finetune")
    fit(view, feed, resume, epochs=config.finetune_epochs, label="finetune", job=job)
    if not run.writes:
        return True
    for name in PARTS:
        save_weights(sandwich.get_layer(name), run.finetuned(name))
    run.finetuned_thresholds.unlink(missing_ok=True)  # of a call that was killed, with other weights
    choose_thresholds(run, store, finetuned=True)
    if config.prior == "notes":
        before, path = run.stage_prior(), run.finetuned_prior
        train_prior(run, store, sandwich, before, stage="finetuned_prior", path=path)
    else:
        moments, units = encode_moments(sandwich, config, store, "train", copies=1)
        fit_run_prior(run, phrase_latents(sandwich, config, moments, units)).save(run.finetuned_prior)
    resume.finish()
    return True


@dataclasses.dataclass(frozen=True, eq=False)
class PhraseFeed:
    """Whole phrases of all tracks: input bool, target -1/+1, both [phrase, bar, step, pitch, track].

    Attributes:
        config: batch size, transposition, seed.
        store: of the phrases.
        packed: the training phrases as bits, uint8 [phrase, track, byte].
        rows: phrases an epoch.
    """

    config: Config
    store: Store
    packed: np.ndarray
    rows: int

    @classmethod
    def of(cls, config: Config, store: Store) -> "PhraseFeed":
        """Reads the training phrases that `train_bars` allows."""
        limit = -(-config.train_bars // config.bars) or store.count("train")
        packed = np.concatenate(list(store.packed("train", size=1024, limit=limit)))
        return cls(config, store, packed, -(-config.epoch_bars // config.bars) or len(packed))

    @property
    def batch_size(self) -> int:
        """Phrases a batch. It has as many units as a batch of the other stages."""
        return max(1, self.config.batch_size // self.config.units)

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return -(-self.rows // self.batch_size)

    def batches(self, first_epoch: int, epochs: int, share: Share | None = None) -> tf.data.Dataset:
        """Returns shuffled batches, the pitched tracks of each phrase transposed together."""
        config, shape = self.config, [None, *self.config.grid.phrase_shape, len(TRACK_NAMES)]

        def order(epoch):
            rows = pipeline.epoch_order(len(self.packed), self.rows, epoch, config.seed)
            return tf.data.Dataset.from_tensor_slices(rows).batch(self.batch_size)

        def unpacked(rows):
            return packing.unpack(self.packed[rows], config.grid)

        def load(step, rows):
            own = rows if share is None else share.of(rows)
            cells = tf.ensure_shape(tf.numpy_function(unpacked, [own], tf.bool, stateful=False), shape)
            if config.transpose:
                shifts = tf.random.stateless_uniform(
                    [tf.shape(rows)[0]],
                    [config.seed, step],
                    -config.transpose,
                    config.transpose + 1,
                    tf.int32,
                )
                cells = transpose_phrases(cells, shifts if share is None else share.of(shifts))
            batch = cells, pipeline.to_signed(cells)
            return batch if share is None else (*batch, tf.shape(rows)[0])

        steps = tf.data.Dataset.range(first_epoch, epochs).flat_map(order).enumerate(first_epoch * self.steps)
        return steps.map(load).prefetch(4)

    def held_out(self, share: Share | None = None) -> tf.data.Dataset | None:
        """Returns batches of validation phrases, in order."""
        phrases = self.store.load("validation", MAX_VALIDATION_UNITS // self.config.units)
        if not len(phrases):
            return None
        batches = tf.data.Dataset.from_tensor_slices(phrases).batch(VALIDATION_BATCH // self.config.units)
        pairs = batches.map(lambda cells: (cells, pipeline.to_signed(cells)))
        return pairs if share is None else pairs.map(functools.partial(share_of, share))
