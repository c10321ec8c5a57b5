"""What a training reads: batches for its epochs, and held-out batches for the validation loss."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import tensorflow as tf

from msw2.config import Config
from msw2.data import pipeline
from msw2.data.shares import Share
from msw2.data.store import Store
from msw2.data.stored_units import Units, open_units
from msw2.models.sandwich import part_seed
from msw2.system.rows import RowFile
from msw2.training.runs import RunError

Rows = np.ndarray | RowFile
# Of a track: a loss that is measured after every epoch of 3,200 must not cost a third of it.
MAX_VALIDATION_UNITS = 1024
# Units at a time: the C library gives back what more of them take, and takes it again (`system.memory`).
VALIDATION_BATCH = 64


class Feed(Protocol):
    """What `fit` reads. `steps` is the number of batches an epoch.

    With a share, batches are (input, target, int32 rows of the whole batch), and hold the rows of the share alone.
    """

    steps: int

    def batches(self, first_epoch: int, epochs: int, share: Share | None = None) -> tf.data.Dataset:
        """Returns all batches (input, target) of the epochs that are left."""

    def held_out(self, share: Share | None = None) -> tf.data.Dataset | None:
        """Returns batches of songs that are not trained on; None where there are none."""


@dataclasses.dataclass(frozen=True, eq=False)
class UnitFeed:
    """Units of one or more tracks; input and target are the same.

    Attributes:
        config: batch size, augmentation, seed.
        stage: its name is part of the seed of the order.
        train: units of the training songs.
        validation: units of the validation songs.
        rows: units an epoch.
    """

    config: Config
    stage: str
    train: Units
    validation: Units
    rows: int

    @classmethod
    def of(cls, config: Config, store: Store, tracks: Sequence[str], stage: str) -> "UnitFeed":
        """Opens the units of some tracks, track after track.

        Raises:
            RunError: if a track has nothing to train on.
        """
        found = {}
        for split in ("train", "validation"):
            parts = []
            for track in tracks:
                parts.append(
                    open_units(
                        store,
                        split,
                        track,
                        unit_bars=config.unit_bars,
                        silent_share=config.silent_bars,
                        limit=most_units(config, split),
                        seed=part_seed(config, f"{track}_{split}"),
                    )
                )
                if split == "train" and not len(parts[-1]):
                    raise RunError(f"the store {store.path} has no bars of {track} to train on")
            found[split] = Units.together(parts)
        return cls(config, stage, rows=epoch_units(config, store, len(tracks)), **found)

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return -(-self.rows // self.config.batch_size)

    def batches(self, first_epoch: int, epochs: int, share: Share | None = None) -> tf.data.Dataset:
        """Returns shuffled, augmented batches; see `pipeline.training_batches`."""
        return pipeline.training_batches(
            self.train,
            batch_size=self.config.batch_size,
            epoch_units=self.rows,
            seed=part_seed(self.config, self.stage),
            first_epoch=first_epoch,
            epochs=epochs,
            max_shift=self.config.transpose,
            mixed=self.config.mixed_bars,
            share=share,
        )

    def held_out(self, share: Share | None = None) -> tf.data.Dataset | None:
        """Returns batches of the validation units, in order."""
        if not len(self.validation):
            return None
        return pipeline.evaluation_batches(self.validation, batch_size=VALIDATION_BATCH, share=share)


@dataclasses.dataclass(frozen=True, eq=False)
class ArrayFeed:
    """The rows of two arrays.

    Attributes:
        config: batch size, seed.
        pairs: inputs and targets, float32 [row, ...] each, in memory or on disk; they may be the same.
        validation: the same of validation songs.
        rows: rows an epoch.
    """

    config: Config
    pairs: tuple[Rows, Rows]
    validation: tuple[np.ndarray, np.ndarray]
    rows: int

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return -(-self.rows // self.config.batch_size)

    def batches(self, first_epoch: int, epochs: int, share: Share | None = None) -> tf.data.Dataset:
        """Returns shuffled batches."""
        inputs, targets = self.pairs

        def order(epoch):
            shuffled = pipeline.epoch_order(len(inputs), self.rows, epoch, self.config.seed)
            return tf.data.Dataset.from_tensor_slices(shuffled).batch(self.config.batch_size)

        def look_up(array, indices):
            # Looked up by NumPy: as a tensor, the array would be in memory twice.
            read = array.read if isinstance(array, RowFile) else array.__getitem__
            found = tf.numpy_function(read, [indices], tf.float32, stateful=False)
            return tf.ensure_shape(found, [None, *array.shape[1:]])

        def load(indices):
            batch = look_up(inputs, indices)
            return batch, batch if targets is inputs else look_up(targets, indices)

        def load_share(indices):
            return *load(share.of(indices)), tf.shape(indices)[0]

        batches = tf.data.Dataset.range(first_epoch, epochs).flat_map(order)
        return batches.map(load if share is None else load_share).prefetch(4)

    def held_out(self, share: Share | None = None) -> tf.data.Dataset | None:
        """Returns batches of the validation rows, in order."""
        if not len(self.validation[0]):
            return None
        batches = tf.data.Dataset.from_tensor_slices(self.validation).batch(VALIDATION_BATCH)
        return batches if share is None else batches.map(functools.partial(share_of, share))


def share_of(share: Share, inputs, targets):
    """Returns the rows of a share of a batch, and how many the whole batch has."""
    return share.of(inputs), share.of(targets), tf.shape(inputs)[0]


def most_units(config: Config, split: str) -> int:
    """Returns how many units of a track are read of a split, from the first on (0: all)."""
    if split == "train":
        return config.train_units
    return min(config.train_units or MAX_VALIDATION_UNITS, MAX_VALIDATION_UNITS)


def epoch_units(config: Config, store: Store, tracks: int = 1) -> int:
    """Returns the units of an epoch. Each track has as many, so that each gets the same number of steps.

    A track that is often silent passes over its units more often, because most silent ones are left out. The epoch
    of a BVAE that several tracks share is as long as theirs together.
    """
    there = min(store.count("train") * config.units, config.train_units or 2**31)
    return tracks * (-(-config.epoch_bars // config.unit_bars) or there)


def epoch_steps(config: Config, store: Store) -> int:
    """Returns the steps of an epoch of one track."""
    return -(-epoch_units(config, store) // config.batch_size)
