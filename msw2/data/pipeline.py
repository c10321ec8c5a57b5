"""From units to batches: tf.data in the order of a seed, transposed and mixed in the graph.

Order, and transposition, of epoch e depend on (seed, e) alone, so that a killed run that continues sees what it
would have seen.
"""

import functools
import threading

import numpy as np
import tensorflow as tf

from msw2.data import augmentation
from msw2.data.shares import Share
from msw2.data.stored_units import Units

_ONE_AT_A_TIME = threading.Lock()  # Keras opens two iterators, and each would shuffle


def to_signed(cells):
    """Maps 0 and 1 to float32 -1 and +1, which the models read."""
    return 2.0 * tf.cast(cells, tf.float32) - 1.0


def epoch_order(count: int, rows: int, epoch, seed: int):
    """Returns the rows that an epoch reads, in its order, int32 [rows].

    An epoch of more rows than there are passes over them several times, and the passes mix. Shorter ones go on
    where the epoch before ended, so that each pass reads every row once.

    Args:
        count: rows that there are.
        rows: rows an epoch.
        epoch: 0-based, integer tensor.
        seed: of the order.
    """

    def order(epoch):
        with _ONE_AT_A_TIME:
            return _epoch_order(count, rows, int(epoch), seed)

    return tf.ensure_shape(tf.numpy_function(order, [epoch], tf.int32, stateful=False), [rows])


def _epoch_order(count: int, rows: int, epoch: int, seed: int) -> np.ndarray:
    if rows > count:
        return _shuffled(rows, seed, epoch) % count
    # An epoch lies in one pass, or in two.
    index, place = divmod(epoch * rows, count)
    order = _shuffled(count, seed, index)[place : place + rows]
    if len(order) < rows:
        order = np.concatenate([order, _shuffled(count, seed, index + 1)[: rows - len(order)]])
    return order


@functools.lru_cache(maxsize=1)
def _shuffled(length: int, seed: int, index: int) -> np.ndarray:
    """Returns 0 to `length` - 1 in the order of a pass, int32.

    The last pass is kept: many epochs may lie in it. Shuffling ten million rows takes seconds, and 300 MB meanwhile.
    """
    with tf.device("cpu"):
        rows, key = tf.range(length), tf.constant([seed, index], tf.int64)
        return tf.random.experimental.stateless_shuffle(rows, seed=key).numpy()


def training_batches(
    units: Units,
    *,
    batch_size: int,
    epoch_units: int,
    seed: int,
    first_epoch: int,
    epochs: int,
    max_shift: int = 0,
    mixed: float = 0.0,
    share: Share | None = None,
) -> tf.data.Dataset:
    """Returns shuffled batches (unit, unit) of float32 [batch, step, pitch] for the epochs that are left.

    With a share, batches are (unit, unit, int32 rows of the whole batch), and hold the rows of the share alone. They
    are what they are in the whole batch: shifts and mixtures too. No other units are read, but those that they are
    mixed with.

    Args:
        units: what to train on; those of drums are never transposed.
        batch_size: units a batch; the last batch of an epoch may be smaller.
        epoch_units: units an epoch, see `epoch_order`.
        seed: of order and transposition.
        first_epoch: epoch to begin with, 0-based.
        epochs: epoch to end before.
        max_shift: largest transposition, semitones up or down.
        mixed: share of the units that are mixed of two, see `augmentation.mix`.
        share: of each batch that this process computes; None: all of it.
    """
    pitched = not units.is_drum.all()
    steps = -(-epoch_units // batch_size)

    def order(epoch):
        rows = epoch_order(len(units), epoch_units, epoch, seed)
        return tf.data.Dataset.from_tensor_slices(rows).batch(batch_size)

    def shifts_of(step, rows):
        return tf.random.stateless_uniform(
            [tf.shape(rows)[0]],
            seed=[seed, step],
            minval=-max_shift,
            maxval=max_shift + 1,
            dtype=tf.int32,
        )

    def load(step, rows):
        cells, is_drum = _read(units, rows)
        if max_shift and pitched:
            cells = augmentation.transpose(cells, tf.where(is_drum, 0, shifts_of(step, rows)))
        if mixed:
            draw = tf.stack([tf.constant(seed + 1, tf.int64), step])
            beat = units.grid.beat_resolution
            cells = augmentation.mix(cells, mixed, is_drum=is_drum, beat=beat, seed=draw)
        signed = to_signed(cells)
        return signed, signed

    def load_share(step, rows):
        total = tf.shape(rows)[0]
        own = tf.range(*share.bounds(total))
        needed = own
        if mixed:
            kinds = tf.numpy_function(units.is_drum.__getitem__, [rows], tf.bool, stateful=False)
            kinds = tf.ensure_shape(kinds, [None])
            needed = tf.concat([own, tf.gather(augmentation.before(kinds), own)], 0)
        cells, is_drum = _read(units, tf.gather(rows, needed))
        if max_shift and pitched:
            shifts = tf.gather(shifts_of(step, rows), needed)
            cells = augmentation.transpose(cells, tf.where(is_drum, 0, shifts))
        if mixed:
            count = tf.shape(own)[0]
            cells = augmentation.mix_with(
                cells[:count],
                cells[count:],
                mixed,
                is_drum=is_drum[:count],
                beat=units.grid.beat_resolution,
                seed=tf.stack([tf.constant(seed + 1, tf.int64), step]),
                rows=own,
                units=total,
            )
        signed = to_signed(cells)
        return signed, signed, total

    batches = tf.data.Dataset.range(first_epoch, epochs).flat_map(order).enumerate(first_epoch * steps)
    made = batches.map(load if share is None else load_share, num_parallel_calls=tf.data.AUTOTUNE)
    return made.prefetch(4)


def evaluation_batches(units: Units, *, batch_size: int, share: Share | None = None) -> tf.data.Dataset:
    """Returns batches (unit, unit) of float32 [batch, step, pitch], all units, in order.

    With a share, batches are (unit, unit, int32 rows of the whole batch), and hold the rows of the share alone.
    """

    def load(rows):
        signed = to_signed(_read(units, rows)[0])
        return signed, signed

    def load_share(rows):
        return *load(share.of(rows)), tf.shape(rows)[0]

    if share is not None:
        return tf.data.Dataset.range(len(units)).batch(batch_size).map(load_share).prefetch(2)
    return tf.data.Dataset.range(len(units)).batch(batch_size).map(load).prefetch(2)


def _read(units: Units, rows):
    """Returns cells, uint8 [unit, step, pitch] of 0 and 1, and whether each unit is of drums, bool [unit]."""

    def read(rows):
        return units.read(rows).view(np.uint8), units.is_drum[rows]

    cells, is_drum = tf.numpy_function(read, [rows], (tf.uint8, tf.bool), stateful=False)
    return tf.ensure_shape(cells, [None, *units.shape]), tf.ensure_shape(is_drum, [None])
