"""Makes new training units in the graph: transposes units, and mixes two of them."""

import tensorflow as tf

from msw2.music.tracks import DRUMS


def transpose(cells, shifts):
    """Transposes units. A unit whose notes would leave the pitch axis moves only to its edge.

    Args:
        cells: uint8 [unit, step, pitch] of 0 and 1.
        shifts: int32 [unit], semitones up.
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


def transpose_phrases(phrases, shifts):
    """Transposes phrases: the pitched tracks of each move together, the drums stay.

    Args:
        phrases: bool [phrase, bar, step, pitch, track], all five tracks, drums first.
        shifts: int32 [phrase], or one number for all, semitones up. A phrase whose notes come nearer than this to the
            edge of the pitch axis moves only to the edge.

    Returns:
        bool, the same shape.
    """
    shifts = tf.broadcast_to(tf.cast(shifts, tf.int32), tf.shape(phrases)[:1])
    pitched = tf.cast(phrases[..., DRUMS + 1 :], tf.uint8)
    by_pitch = tf.transpose(pitched, [0, 1, 2, 4, 3])
    shape = tf.shape(by_pitch)
    # What moves together lies on one axis.
    moved = transpose(tf.reshape(by_pitch, [shape[0], -1, phrases.shape[3]]), shifts)
    moved = tf.transpose(tf.reshape(moved, shape), [0, 1, 2, 4, 3])
    return tf.concat([phrases[..., : DRUMS + 1], tf.cast(moved, tf.bool)], axis=-1)


def mix(cells, share, *, is_drum, beat: int, seed):
    """Makes new units of two: of each mixed unit a part is replaced by that part of another one.

    The other one is the unit before it in the batch that is of its kind (drums or not), for the first the last.
    The part is all from a random beat on; on drums, in half of the cases, a random half of the instruments.

    Args:
        cells: uint8 [unit, step, pitch] of 0 and 1.
        share: of the units to mix, 0..1.
        is_drum: bool [unit], whether pitches are instruments.
        beat: steps a beat.
        seed: int64 [2], for stateless draws.
    """
    others = tf.gather(cells, before(is_drum))
    return mix_with(cells, others, share, is_drum=is_drum, beat=beat, seed=seed)


def mix_with(cells, others, share, *, is_drum, beat: int, seed, rows=None, units=None):
    """Does what `mix` does, for some rows of a batch.

    Args:
        cells: uint8 [unit, step, pitch] of 0 and 1.
        others: those that they are mixed with, the same shape; see `before`.
        share: of the units to mix, 0..1.
        is_drum: bool [unit], whether pitches are instruments.
        beat: steps a beat.
        seed: int64 [2], for stateless draws.
        rows: int32 [unit], where in the batch they are; None: they are the whole batch.
        units: of the whole batch, where `rows` are given.
    """

    def own(draws, axis):
        return draws if rows is None else tf.gather(draws, rows, axis=axis)

    units = tf.shape(cells)[0] if units is None else units
    steps, pitches = cells.shape[1:]
    draws = own(tf.random.stateless_uniform([3, units], seed=seed), 1)
    cut = beat * (1 + tf.cast(draws[0] * (steps // beat - 1), tf.int32))
    replaced = tf.broadcast_to((tf.range(steps)[None] >= cut[:, None])[..., None], tf.shape(cells))
    instruments = own(tf.random.stateless_uniform([units, 1, pitches], seed=seed + 1), 0) < 0.5
    replaced = tf.where((is_drum & (draws[1] < 0.5))[:, None, None], instruments, replaced)
    replaced &= (draws[2] < share)[:, None, None]
    return tf.where(replaced, others, cells)


def before(is_drum):
    """Returns for each unit the index of the one before it that is of its kind; for the first, the last one.

    Args:
        is_drum: bool [unit].

    Returns:
        int32 [unit].
    """
    found = tf.range(tf.shape(is_drum)[0])
    for kind in (is_drum, ~is_drum):
        rows = tf.where(kind)
        found = tf.tensor_scatter_nd_update(found, rows, tf.cast(tf.roll(rows[:, 0], 1, axis=0), tf.int32))
    return found
