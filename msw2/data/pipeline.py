"""From a store to batches: tf.data over bit-packed units, unpacked in the graph.

A unit is what a BVAE reads: a bar, or the bars of a phrase one after another. Order, and transposition, of epoch e
depend on (seed, e) alone, so that a killed run that continues sees what it would have seen.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from msw2.data import augmentation
from msw2.data.store import Store
from msw2.music.grid import Grid
from msw2.music.tracks import TRACKS, track_index

READ = 1024  # records read at a time


@dataclasses.dataclass(frozen=True, eq=False)
class PackedUnits:
    """Units in memory as bits: 504 bytes a bar on the default grid.

    Attributes:
        bits: uint8 [unit, byte], `np.packbits` of each unit's cells [step, pitch] in C order.
        is_drum: bool [unit], whether a unit is of a drum track, whose pitches are instruments.
        grid: the grid of the bars.
        unit_bars: bars a unit.
    """

    bits: np.ndarray
    is_drum: np.ndarray
    grid: Grid
    unit_bars: int = 1

    @classmethod
    def together(cls, parts: "Sequence[PackedUnits]") -> "PackedUnits":
        """Returns the units of one or more parts, all of one size, one part after another."""
        bits = np.concatenate([part.bits for part in parts])
        is_drum = np.concatenate([part.is_drum for part in parts])
        return cls(bits, is_drum, parts[0].grid, parts[0].unit_bars)

    def __len__(self) -> int:
        return len(self.bits)

    @property
    def shape(self) -> tuple[int, int]:
        """(steps, pitches) of a unit."""
        return self.unit_bars * self.grid.steps, self.grid.pitches

    def dense(self) -> np.ndarray:
        """Returns the units as bool [unit, step, pitch]: 4,032 bytes a bar."""
        cells = np.unpackbits(self.bits, axis=1, count=math.prod(self.shape))
        return cells.view(bool).reshape(-1, *self.shape)

    def sounding_share(self) -> np.ndarray:
        """Returns for each pitch the share of all steps in which it sounds, float [pitch], 0..1."""
        cells = np.zeros(self.grid.pitches, np.int64)
        for start in range(0, len(self), READ):
            rows = slice(start, start + READ)
            part = PackedUnits(self.bits[rows], self.is_drum[rows], self.grid, self.unit_bars)
            cells += part.dense().sum(axis=(0, 1))
        return cells / max(len(self) * self.shape[0], 1)


def load_units(
    store: Store,
    split: str,
    track: str,
    *,
    unit_bars: int = 1,
    silent_share: float = 1.0,
    limit: int = 0,
    seed: int = 0,
) -> PackedUnits:
    """Reads one track's units, and of each record only that track's bytes.

    Args:
        store: the store.
        split: `train`, `validation` or `test`.
        track: name of the track.
        unit_bars: bars a unit; the bars of a phrase are a multiple of it.
        silent_share: share of the silent units to keep, 0..1, drawn at random.
        limit: most units, from the first on; 0: all.
        seed: of that draw.

    Raises:
        ValueError: for an unknown split or track.
    """
    is_drum = TRACKS[track_index(track)].is_drum
    grid, rng = store.grid, np.random.default_rng(seed)
    parts = [np.zeros((0, -(-unit_bars * grid.steps * grid.pitches // 8)), np.uint8)]
    for batch in store.batches(split, [track], size=READ):
        cells = np.unpackbits(batch[track], axis=1, count=grid.bars * grid.steps * grid.pitches)
        units = cells.reshape(len(cells) * grid.bars // unit_bars, -1)
        kept = units.any(axis=1) | (rng.random(len(units)) < silent_share)
        parts.append(np.packbits(units[kept], axis=1))
        if limit and sum(map(len, parts)) >= limit:
            break
    bits = np.concatenate(parts)
    bits = bits[:limit] if limit else bits
    return PackedUnits(bits, np.full(len(bits), is_drum), grid, unit_bars)


def unpack(bits, shape: tuple[int, int]):
    """Unpacks bits in the graph: uint8 [unit, byte] to uint8 [unit, step, pitch] of 0 and 1.

    Args:
        bits: as `PackedUnits` has them.
        shape: (steps, pitches) of a unit.
    """
    shifts = tf.constant([7, 6, 5, 4, 3, 2, 1, 0], tf.uint8)
    cells = tf.bitwise.right_shift(bits[..., None], shifts) & 1
    cells = tf.reshape(cells, [tf.shape(bits)[0], -1])[:, : math.prod(shape)]
    return tf.reshape(cells, [-1, *shape])


def to_signed(cells):
    """Maps 0 and 1 to float32 -1 and +1, which the models read."""
    return 2.0 * tf.cast(cells, tf.float32) - 1.0


def epoch_order(count: int, rows: int, epoch, seed: int):
    """Returns which rows an epoch reads, in which order, int32 [rows].

    An epoch of more rows than there are passes over them several times, and the passes mix. Shorter ones go on
    where the epoch before ended, so that each pass reads every row once.

    Args:
        count: rows that there are.
        rows: rows an epoch.
        epoch: 0-based, integer tensor.
        seed: of the order.
    """

    def shuffled(length, index):
        return tf.random.experimental.stateless_shuffle(tf.range(length), seed=[seed, index])

    if rows > count:
        return shuffled(rows, epoch) % count
    position = tf.cast(epoch, tf.int64) * rows + tf.range(rows, dtype=tf.int64)
    first, place = position[0] // count, position % count
    # An epoch lies in one pass, or in two; of passes of one epoch each, the second order is not needed.
    order = tf.gather(shuffled(count, first), place)
    if rows == count:
        return order
    return tf.where(position // count == first, order, tf.gather(shuffled(count, first + 1), place))


def training_batches(
    units: PackedUnits,
    *,
    batch_size: int,
    epoch_units: int,
    seed: int,
    first_epoch: int,
    epochs: int,
    max_shift: int = 0,
    mixed: float = 0.0,
) -> tf.data.Dataset:
    """Returns shuffled batches (unit, unit) of float32 [batch, step, pitch] for the epochs that are left.

    Args:
        units: what to train on; those of drums are never transposed.
        batch_size: units a batch; the last batch of an epoch may be smaller.
        epoch_units: units an epoch, see `epoch_order`.
        seed: of order and transposition.
        first_epoch: epoch to begin with, 0-based.
        epochs: epoch to end before.
        max_shift: largest transposition, semitones up or down.
        mixed: share of the units that are mixed of two, see `augmentation.mix`.
    """
    bits, kinds = tf.constant(units.bits), tf.constant(units.is_drum)
    pitched = not units.is_drum.all()
    steps = -(-epoch_units // batch_size)

    def order(epoch):
        rows = epoch_order(len(units), epoch_units, epoch, seed)
        return tf.data.Dataset.from_tensor_slices(rows).batch(batch_size)

    def load(step, rows):
        cells, is_drum = unpack(tf.gather(bits, rows), units.shape), tf.gather(kinds, rows)
        if max_shift and pitched:
            shifts = tf.random.stateless_uniform(
                [tf.shape(rows)[0]],
                seed=[seed, step],
                minval=-max_shift,
                maxval=max_shift + 1,
                dtype=tf.int32,
            )
            cells = augmentation.transpose(cells, tf.where(is_drum, 0, shifts))
        if mixed:
            draw = tf.stack([tf.constant(seed + 1, tf.int64), step])
            beat = units.grid.beat_resolution
            cells = augmentation.mix(cells, mixed, is_drum=is_drum, beat=beat, seed=draw)
        signed = to_signed(cells)
        return signed, signed

    batches = tf.data.Dataset.range(first_epoch, epochs).flat_map(order).enumerate(first_epoch * steps)
    return batches.map(load, num_parallel_calls=tf.data.AUTOTUNE).prefetch(4)


def evaluation_batches(units: PackedUnits, *, batch_size: int) -> tf.data.Dataset:
    """Returns batches (unit, unit) of float32 [batch, step, pitch], all units, in order."""

    def load(bits):
        signed = to_signed(unpack(bits, units.shape))
        return signed, signed

    return tf.data.Dataset.from_tensor_slices(units.bits).batch(batch_size).map(load).prefetch(2)
