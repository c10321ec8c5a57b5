"""The bars that a bar may take up: those some bars before it, and given ones after it; and how alike they are.

A song repeats itself after 1, 2, 4, 8 bars. Where a bar was followed by another before, it will be again.
"""

import numpy as np

OFFSETS = (-1, -2, -3, -4, -8, -12, -16, -24, -32, 1, 2, 4, 8, 16)  # bars from a bar to its references
ORDER = (0, 3, 1, 2, 4)  # in which the tracks of a bar are written: drums, bass, piano, guitar, strings
FEATURES = 4  # numbers that `features` tells of each reference


def turns(given):
    """Returns when each track of a bar is written: given ones first, then as in `ORDER`.

    Args:
        given: float32 [..., track], 1 where the track is given, else 0.

    Returns:
        int32 [..., track] of 0 to 4.
    """
    import tensorflow as tf  # noqa: PLC0415 - as in `models.prior`

    late = len(ORDER) * tf.cast(given < 0.5, tf.int32)
    return tf.argsort(tf.argsort(np.argsort(ORDER).astype(np.int32) + late, axis=-1), axis=-1)


def overlaps(cells):
    """Returns how many cells two bars have in common, float32 [song, track, bar, bar].

    Args:
        cells: float [song, bar, track, cell] of 0 and 1.
    """
    import tensorflow as tf  # noqa: PLC0415 - as above

    return tf.cast(tf.einsum("satc,sbtc->stab", cells, cells), tf.float32)


def features(common, given, bars=None):
    """Tells of each bar, track and reference what is known before the track is written.

    Args:
        common: of `overlaps`. What is not known is not looked at.
        given: float32 [song, bar, track], 1 where the cells are given, else 0.
        bars: int32 [told bar], the numbers of the bars to tell of; None for all.

    Returns:
        float32 [song, told bar, track, reference, FEATURES]: whether the reference is known; and how alike (Jaccard
        similarity, 0 to 1, of all tracks that are known) are the bars before the two, the bars after them, and the
        tracks of the two that are written before the track.
    """
    import tensorflow as tf  # noqa: PLC0415 - as above

    bars = tf.range(tf.shape(given)[1]) if bars is None else bars
    turn = tf.transpose(turns(tf.gather(given, bars, axis=1)), [0, 2, 1])
    earlier = tf.cast(turn[:, :, None] > turn[:, None], tf.float32)  # [song, track, other track, told bar]
    given = tf.transpose(given, [0, 2, 1])
    references = bars[:, None] + tf.constant(OFFSETS)  # [told bar, reference]

    def looked_up(nearest: int, moved: int):
        """Returns whether references, moved by some bars, are known: those from some offset on must be given."""
        at = references + moved
        return tf.where(np.array(OFFSETS) < nearest, _at(tf.ones_like(given), at), _at(given, at))

    def compared(moved: int):
        """Returns the cells that bars and references, both moved, have in common, and those of either."""
        return _compared(common, (bars + moved)[:, None], references + moved)

    inside = tf.ones_like(given)
    known = looked_up(0, 0)
    # Of the bar before, all is known. What it is compared with lies before the bar, or must be given.
    left = _at(inside, bars - 1)[..., None] * looked_up(0, -1)
    right = _at(given, bars + 1)[..., None] * looked_up(-1, 1)
    before, after = _alike(left, *compared(-1)), _alike(right, *compared(1))
    now = [tf.einsum("stob,sobr->stbr", earlier, known * each) for each in compared(0)]
    everywhere = tf.zeros_like(known)
    told = [known, before + everywhere, after + everywhere, now[0] / tf.maximum(now[1], 1)]
    return tf.transpose(tf.stack(told, axis=-1), [0, 2, 1, 3, 4])


def before_writing(alike):
    """Returns `features` as they are when a bar begins: of its own tracks nothing is told, since none is written.

    Args:
        alike: of `features`, float [..., FEATURES].
    """
    return alike * np.array([1, 1, 1, 0], alike.dtype.as_numpy_dtype)


def _at(array, bars):
    """Looks up bars, int32 of any shape, in an array [song, track, bar]: float32 [song, track, ...], 0 outside."""
    import tensorflow as tf  # noqa: PLC0415 - as above

    last = tf.shape(array)[2] - 1
    inside = tf.cast((bars >= 0) & (bars <= last), array.dtype)
    return tf.gather(array, tf.clip_by_value(bars, 0, last), axis=2) * inside


def _compared(common, bars, references):
    """Returns the cells that bars have in common with others, and the cells of either, float32 [song, track, ...].

    Args:
        common: of `overlaps`.
        bars: int32, of a shape that goes with that of `references`.
        references: int32. What is outside of a song is silent.
    """
    import tensorflow as tf  # noqa: PLC0415 - as above

    shape, size = tf.shape(common), tf.linalg.diag_part(common)
    last = shape[3] - 1
    pairs = tf.clip_by_value(bars, 0, last) * shape[3] + tf.clip_by_value(references, 0, last)
    inside = (bars >= 0) & (bars <= last) & (references >= 0) & (references <= last)
    shared = tf.gather(tf.reshape(common, [shape[0], shape[1], -1]), pairs, axis=2)
    shared *= tf.cast(inside, common.dtype)
    return shared, _at(size, bars) + _at(size, references) - shared


def _alike(known, common, either):
    """Returns the share of cells in common, over all tracks that are known, float32 [song, 1, bar, reference]."""
    import tensorflow as tf  # noqa: PLC0415 - as above

    common, either = (tf.reduce_sum(known * each, axis=1, keepdims=True) for each in (common, either))
    return common / tf.maximum(either, 1)
