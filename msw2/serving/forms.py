"""The forms in which signatures take and give phrases and songs, in the graph: pianorolls, notes, and PNG images.

All are exact. They need nothing but TensorFlow's own operations, so that a server without Python has them.
"""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from msw2.music.grid import Grid
from msw2.music.tracks import TRACK_NAMES, TRACKS
from msw2.serving import contract
from msw2.serving.checks import require, song_length


@dataclasses.dataclass(frozen=True)
class Form:
    """A form of phrases, or of songs of one length.

    Attributes:
        suffix: how the names of its signatures end.
        specs: a batch of them as inputs.
        read: maps such a batch to bool [phrase, bar, step, pitch, track].
        write: maps bool [phrase, bar, step, pitch, track] to outputs by name.
    """

    suffix: str
    specs: tuple[tf.TensorSpec, ...]
    read: Callable
    write: Callable


def forms(grid: Grid) -> tuple[Form, Form, Form]:
    """Returns pianorolls, notes and PNG images of a grid's phrases."""
    roll = tf.TensorSpec([None, *grid.phrase_shape, len(TRACK_NAMES)], tf.bool, contract.PIANOROLL)
    return (
        Form("", (roll,), lambda cells: cells, lambda cells: {contract.PIANOROLL: cells}),
        Form(
            contract.AS_NOTES,
            (_NOTES,),
            lambda notes: cells_of_notes(notes, grid, grid.bars),
            lambda cells: notes_of_cells(cells, grid),
        ),
        Form(
            contract.AS_PNG,
            (_PNG,),
            lambda png: cells_of_png(png, grid),
            lambda cells: {contract.PNG: png_of_cells(cells, grid)},
        ),
    )


def song_forms(grid: Grid) -> tuple[Form, Form, Form]:
    """Returns pianorolls, notes and PNG images of songs. Notes do not say how long a song is, so `bars` does."""
    shape = [None, None, grid.steps, grid.pitches, len(TRACK_NAMES)]

    def of_roll(cells):
        bars = song_length(tf.fill([tf.shape(cells)[0]], tf.shape(cells)[1]), grid)
        return tf.reshape(cells, [-1, bars, *shape[2:]])

    def of_notes(notes, bars):
        return cells_of_notes(notes, grid, song_length(bars, grid))

    bars = tf.TensorSpec([None], tf.int32, contract.BARS)
    phrases = forms(grid)
    return tuple(
        dataclasses.replace(form, specs=specs, read=read)
        for form, specs, read in (
            (phrases[0], (tf.TensorSpec(shape, tf.bool, contract.PIANOROLL),), of_roll),
            (phrases[1], (_NOTES, bars), of_notes),
            (phrases[2], (_PNG,), lambda png: cells_of_song_png(png, grid)),
        )
    )


_NOTES = tf.TensorSpec([None, None, 4], tf.int32, contract.NOTES)
_PNG = tf.TensorSpec([None], tf.string, contract.PNG)


def notes_of_cells(cells: tf.Tensor, grid: Grid) -> dict[str, tf.Tensor]:
    """Maps bool [phrase, bar, step, pitch, track] to the notes of each phrase.

    Consecutive sounding cells are one note. Each cell of the drums is a note.

    Returns:
        `notes`: int32 [phrase, note, 4], the step in the phrase, the MIDI pitch, the length in steps, the track. They
            are in order of track, pitch, step. Zeros pad them to the most notes that a phrase has.
        `count`: int32 [phrase], how many notes a phrase has.
    """
    lines = _lines(cells, grid)
    silent = tf.zeros_like(lines[..., :1])
    drums = tf.reshape([track.is_drum for track in TRACKS], [-1, 1, 1])
    begins = lines & (drums | ~tf.concat([silent, lines[..., :-1]], axis=-1))
    ends = lines & (drums | ~tf.concat([lines[..., 1:], silent], axis=-1))
    first, last = tf.where(begins), tf.where(ends)  # the i-th of both is of the i-th note
    _, track, pitch, step = tf.unstack(first, axis=1)
    notes = tf.stack([step, pitch + grid.lowest_pitch, last[:, 3] - step + 1, track], axis=1)
    count = tf.math.count_nonzero(begins, [1, 2, 3], dtype=tf.int32)
    ragged = tf.RaggedTensor.from_row_lengths(tf.cast(notes, tf.int32), count, validate=False)
    return {contract.NOTES: ragged.to_tensor(), contract.COUNT: count}


def cells_of_notes(notes: tf.Tensor, grid: Grid, bars: int | tf.Tensor) -> tf.Tensor:
    """Maps int32 [phrase, note, 4], as `notes_of_cells` has them, to bool [phrase, bar, step, pitch, track].

    Notes of length 0 are padding. Others may overlap, and be in any order. A drum sounds one step, however long.

    Args:
        notes: of phrases or songs.
        grid: their grid.
        bars: of each.
    """
    steps, highest = bars * grid.steps, grid.lowest_pitch + grid.pitches - 1
    last = f"{steps - 1}" if isinstance(bars, int) else f"{grid.steps} x bars - 1"
    step, pitch, length, track = tf.unstack(notes, axis=-1)
    fits = (step >= 0) & (step < steps) & (length <= steps - step) & (length > 0)
    fits &= (pitch >= grid.lowest_pitch) & (pitch <= highest) & (track >= 0) & (track < len(TRACKS))
    notes = require(
        fits | (length == 0),
        f"notes are [step 0..{last}, MIDI pitch {grid.lowest_pitch}..{highest}, length in steps up to the end "
        f"of the phrase, track 0..{len(TRACKS) - 1}], and of length 0 where they are padding",
        notes,
    )
    step, pitch, length, track = tf.unstack(notes, axis=-1)
    sounds = tf.cast(length > 0, tf.int32)
    drums = tf.gather([track.is_drum for track in TRACKS], track * sounds)
    ends = step + tf.where(drums, 1, length)
    phrase = tf.broadcast_to(tf.range(tf.shape(notes)[0])[:, None], tf.shape(step))

    def marked(when):
        """Returns how many notes there are at one end, int32 [phrase, track, pitch, step or the end]."""
        where = tf.stack([phrase, track * sounds, (pitch - grid.lowest_pitch) * sounds, when * sounds], -1)
        shape = [tf.shape(notes)[0], len(TRACKS), grid.pitches, steps + 1]
        return tf.scatter_nd(where, sounds, shape)

    lines = tf.cumsum(marked(step) - marked(ends), axis=-1)[..., :-1] > 0
    return _barred(tf.transpose(lines, [0, 3, 2, 1]), bars, grid)


def png_of_cells(cells: tf.Tensor, grid: Grid) -> tf.Tensor:
    """Maps bool [phrase, bar, step, pitch, track] to PNG files, string [phrase]; see `contract.png_of_phrase`."""
    rows = tf.transpose(_lines(cells, grid), [0, 2, 3, 1])
    pixels = tf.reduce_sum(tf.where(rows, _bits(), tf.constant(0, tf.uint8)), axis=-1, keepdims=True)
    return tf.map_fn(tf.io.encode_png, pixels, fn_output_signature=tf.string)


def cells_of_png(png: tf.Tensor, grid: Grid) -> tf.Tensor:
    """Maps PNG files, string [phrase], to bool [phrase, bar, step, pitch, track]."""
    begins = tf.strings.substr(png, 0, contract.HEADER_BYTES) == contract.png_header(grid)
    png = require(begins, f"{contract.PNG} are {contract.png_kind(grid)}", png)
    return _decoded(png, grid, grid.bars)


def cells_of_song_png(png: tf.Tensor, grid: Grid) -> tf.Tensor:
    """Maps PNG files of songs of one length, string [song], to bool [song, bar, step, pitch, track]."""
    header = tf.strings.substr(png, 0, contract.HEADER_BYTES)
    found = tf.cast(tf.io.decode_raw(header, tf.uint8, fixed_length=contract.HEADER_BYTES), tf.int32)
    width = tf.reduce_sum(
        found[:, 16:20] * [0, 1 << 16, 1 << 8, 1], axis=1
    )  # of many millions, others are left
    known = tf.constant(list(contract.png_header(grid)))
    fits = tf.reduce_all(found[:, :17] == known[:17]) & tf.reduce_all(found[:, 20:] == known[20:])
    fits &= tf.reduce_all(width % grid.steps == 0)
    kind = f"PNG images of {grid.steps} pixels a bar x {grid.pitches} pixels, 8 bits, greyscale"
    bars = song_length(require(fits, f"{contract.PNG} are {kind}", width) // grid.steps, grid)
    with tf.control_dependencies([bars]):  # nothing is decompressed before its size is known
        return _decoded(tf.identity(png), grid, bars)


def _decoded(png: tf.Tensor, grid: Grid, bars: int | tf.Tensor) -> tf.Tensor:
    """Maps PNG files whose size has been checked to bool [phrase, bar, step, pitch, track]."""
    width = bars * grid.steps
    known = tf.TensorSpec([grid.pitches, width if isinstance(bars, int) else None, 1], tf.uint8)

    def pixels_of(content):
        pixels = tf.io.decode_png(content, channels=1)
        return tf.ensure_shape(tf.reshape(pixels, [grid.pitches, width, 1]), known.shape)

    pixels = tf.map_fn(pixels_of, png, fn_output_signature=known)
    allowed = f"pixels are 0..{contract.MAX_PIXEL}: a bit a track"
    pixels = require(pixels <= contract.MAX_PIXEL, allowed, pixels)
    cells = tf.bitwise.bitwise_and(pixels, _bits()) > 0
    return _barred(tf.transpose(cells, [0, 2, 1, 3]), bars, grid)


def _barred(cells: tf.Tensor, bars: int | tf.Tensor, grid: Grid) -> tf.Tensor:
    """Returns cells, bool [phrase, step, pitch, track], as bool [phrase, bar, step, pitch, track]."""
    return tf.reshape(cells, [tf.shape(cells)[0], bars, grid.steps, grid.pitches, len(TRACKS)])


def _lines(cells: tf.Tensor, grid: Grid) -> tf.Tensor:
    """Returns cells as bool [phrase, track, pitch, step of the phrase]."""
    steps = tf.shape(cells)[1] * grid.steps
    flat = tf.reshape(cells, [tf.shape(cells)[0], steps, grid.pitches, len(TRACKS)])
    return tf.transpose(flat, [0, 3, 2, 1])


def _bits() -> tf.Tensor:
    """Returns the bit of each track in a pixel, uint8 [track]."""
    return tf.constant([1 << index for index in range(len(TRACKS))], tf.uint8)
