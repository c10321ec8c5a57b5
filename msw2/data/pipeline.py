"""From a store to batches: tf.data over bit-packed bars, unpacked in the graph.

Order, and transposition, of epoch e depend on (seed, e) alone, so that a killed run that continues sees what
it would have seen.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from msw2.data import packing
from msw2.data.store import Store
from msw2.music.grid import BEATS_PER_BAR, Grid
from msw2.music.tracks import TRACK_NAMES, TRACKS, track_index

READ = 1024  # records read at a time


@dataclasses.dataclass(frozen=True, eq=False)
class PackedBars:
    """Bars of one track, in memory as bits: 504 bytes a bar on the default grid.

    Attributes:
        bits: uint8 [bar, byte], `np.packbits` of each bar's cells [step, pitch] in C order.
        grid: the grid of the bars.
    """

    bits: np.ndarray
    grid: Grid

    def __len__(self) -> int:
        return len(self.bits)

    def dense(self) -> np.ndarray:
        """Returns the bars as bool [bar, step, pitch]: 4,032 bytes a bar."""
        cells = np.unpackbits(self.bits, axis=1, count=self.grid.steps * self.grid.pitches)
        return cells.view(bool).reshape(-1, self.grid.steps, self.grid.pitches)

    def sounding_share(self) -> np.ndarray:
        """Returns for each pitch the share of all steps in which it sounds, float [pitch], 0..1."""
        cells = np.zeros(self.grid.pitches, np.int64)
        for start in range(0, len(self), READ):
            cells += PackedBars(self.bits[start : start + READ], self.grid).dense().sum(axis=(0, 1))
        return cells / max(len(self) * self.grid.steps, 1)


def load_bars(
    store: Store, split: str, track: str, *, silent_share: float = 1.0, limit: int = 0, seed: int = 0
) -> PackedBars:
    """Reads one track's bars, and of each record only that track's bytes.

    Args:
        store: the store.
        split: `train`, `validation` or `test`.
        track: name of the track.
        silent_share: share of the silent bars to keep, 0..1, drawn at random.
        limit: most bars, from the first on; 0: all.
        seed: of that draw.

    Raises:
        ValueError: for an unknown split or track.
    """
    track_index(track)
    grid, rng = store.grid, np.random.default_rng(seed)
    spec = {track: tf.io.FixedLenFeature([], tf.string)}
    parts = [np.zeros((0, -(-grid.steps * grid.pitches // 8)), np.uint8)]
    for records in tf.data.TFRecordDataset(store.files(split)).batch(READ):
        raw = tf.io.parse_example(records, spec)[track].numpy()
        packed = np.frombuffer(b"".join(raw), np.uint8).reshape(len(raw), packing.bytes_per_track(grid))
        cells = np.unpackbits(packed, axis=1, count=grid.bars * grid.steps * grid.pitches)
        bars = cells.reshape(len(raw) * grid.bars, -1)
        kept = bars.any(axis=1) | (rng.random(len(bars)) < silent_share)
        parts.append(np.packbits(bars[kept], axis=1))
        if limit and sum(map(len, parts)) >= limit:
            break
    bits = np.concatenate(parts)
    return PackedBars(bits[:limit] if limit else bits, grid)


def packed_phrases(store: Store, split: str, *, batch_size: int) -> Iterator[np.ndarray]:
    """Yields all phrases of a split, in order, as `packing.pack` has them: uint8 [phrase, track, byte]."""
    spec = {name: tf.io.FixedLenFeature([], tf.string) for name in TRACK_NAMES}
    for records in tf.data.TFRecordDataset(store.files(split)).batch(batch_size).prefetch(1):
        raw = tf.io.parse_example(records, spec)
        rows = [np.frombuffer(b"".join(raw[name].numpy()), np.uint8) for name in TRACK_NAMES]
        yield np.stack([row.reshape(records.shape[0], -1) for row in rows], axis=1)


def unpack(bits, grid: Grid):
    """Unpacks bits in the graph: uint8 [bar, byte] to uint8 [bar, step, pitch] of 0 and 1."""
    shifts = tf.constant([7, 6, 5, 4, 3, 2, 1, 0], tf.uint8)
    cells = tf.bitwise.right_shift(bits[..., None], shifts) & 1
    cells = tf.reshape(cells, [tf.shape(bits)[0], -1])[:, : grid.steps * grid.pitches]
    return tf.reshape(cells, [-1, grid.steps, grid.pitches])


def transpose(cells, shifts):
    """Transposes bars, each as far as it can go without losing a note.

    Args:
        cells: uint8 [bar, step, pitch] of 0 and 1.
        shifts: int32 [bar], semitones up.
    """
    pitches = cells.shape[-1]
    sounding = tf.reduce_max(cells, axis=1)
    lowest = tf.argmax(sounding, axis=1, output_type=tf.int32)
    highest = pitches - 1 - tf.argmax(sounding[:, ::-1], axis=1, output_type=tf.int32)
    shifts = tf.clip_by_value(shifts, -lowest, pitches - 1 - highest)
    source = tf.range(pitches)[None] - shifts[:, None]
    moved = tf.gather(cells, tf.clip_by_value(source, 0, pitches - 1), axis=2, batch_dims=1)
    inside = (source >= 0) & (source < pitches)
    return moved * tf.cast(inside, moved.dtype)[:, None]


def mix(cells, share, *, is_drum: bool, seed):
    """Makes new bars of two: of each mixed bar a part is replaced by that part of the bar before it in the batch.

    The part is all from a random beat on; on drums, in half of the cases, a random half of the instruments.

    Args:
        cells: uint8 [bar, step, pitch] of 0 and 1.
        share: of the bars to mix, 0..1.
        is_drum: whether pitches are instruments.
        seed: int64 [2], for stateless draws.
    """
    bars, (steps, pitches) = tf.shape(cells)[0], cells.shape[1:]
    draws = tf.random.stateless_uniform([3, bars], seed=seed)
    beat = steps // BEATS_PER_BAR
    cut = beat * (1 + tf.cast(draws[0] * (BEATS_PER_BAR - 1), tf.int32))
    replaced = tf.broadcast_to((tf.range(steps)[None] >= cut[:, None])[..., None], tf.shape(cells))
    if is_drum:
        instruments = tf.random.stateless_uniform([bars, 1, pitches], seed=seed + 1) < 0.5
        replaced = tf.where(draws[1][:, None, None] < 0.5, instruments, replaced)
    replaced &= (draws[2] < share)[:, None, None]
    return tf.where(replaced, tf.roll(cells, 1, axis=0), cells)


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
    bars: PackedBars,
    track: str,
    *,
    batch_size: int,
    epoch_bars: int,
    seed: int,
    first_epoch: int,
    epochs: int,
    max_shift: int = 0,
    mixed: float = 0.0,
) -> tf.data.Dataset:
    """Returns shuffled batches (bar, bar) of float32 [batch, step, pitch] for the epochs that are left.

    Args:
        bars: what to train on.
        track: its track; drums are never transposed.
        batch_size: bars a batch; the last batch of an epoch may be smaller.
        epoch_bars: bars an epoch, see `epoch_order`.
        seed: of order and transposition.
        first_epoch: epoch to begin with, 0-based.
        epochs: epoch to end before.
        max_shift: largest transposition, semitones up or down.
        mixed: share of the bars that are mixed of two, see `mix`.
    """
    is_drum = TRACKS[track_index(track)].is_drum
    bits = tf.constant(bars.bits)
    steps = -(-epoch_bars // batch_size)

    def order(epoch):
        rows = epoch_order(len(bars), epoch_bars, epoch, seed)
        return tf.data.Dataset.from_tensor_slices(rows).batch(batch_size)

    def load(step, rows):
        cells = unpack(tf.gather(bits, rows), bars.grid)
        if max_shift and not is_drum:
            shifts = tf.random.stateless_uniform(
                [tf.shape(rows)[0]],
                seed=[seed, step],
                minval=-max_shift,
                maxval=max_shift + 1,
                dtype=tf.int32,
            )
            cells = transpose(cells, shifts)
        if mixed:
            cells = mix(cells, mixed, is_drum=is_drum, seed=tf.stack([tf.constant(seed + 1, tf.int64), step]))
        signed = to_signed(cells)
        return signed, signed

    batches = tf.data.Dataset.range(first_epoch, epochs).flat_map(order).enumerate(first_epoch * steps)
    return batches.map(load, num_parallel_calls=tf.data.AUTOTUNE).prefetch(4)


def evaluation_batches(bars: PackedBars, *, batch_size: int) -> tf.data.Dataset:
    """Returns batches (bar, bar) of float32 [batch, step, pitch], all bars, in order."""

    def load(bits):
        signed = to_signed(unpack(bits, bars.grid))
        return signed, signed

    return tf.data.Dataset.from_tensor_slices(bars.bits).batch(batch_size).map(load).prefetch(2)
