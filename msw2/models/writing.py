"""What the notes prior learns: how likely its network finds the notes of songs."""

import keras
import tensorflow as tf

from msw2.models.codes import Codes
from msw2.models.references import before_writing, features, overlaps, turns
from msw2.models.writer import IMPOSSIBLE, Writer, length_logits, pitch_logits, repeat_logits, start_logits


class Surprise(keras.layers.Layer):
    """Tells how unlikely the notes of songs are, in nats.

    A unit is a reference again, or new. What is new is told note by note.

    Args:
        writer: the network, which is trained through this layer.
        codes: the space of the codes that it reads.
    """

    def __init__(self, writer: Writer, codes: Codes, **kwargs):
        super().__init__(**{**kwargs, "autocast": False})
        self.writer, self.parts, self._codes = writer, writer.parts, codes
        self.built = True

    def call(self, inputs):
        """Maps a batch of `SongFeed` to the sums of the nats of repeats, starts, pitches, lengths: float32 [4]."""
        chosen = tf.unstack(tf.reshape(inputs["note"], [-1, 3]), axis=1)
        weights = tf.unstack(tf.gather(tf.reshape(inputs["weight"], [-1, 2]), [0, 1, 1], axis=1), axis=1)
        repeat, *logits = self.logits(inputs)
        repeats = tf.reshape(inputs["repeats"], [-1, inputs["repeats"].shape[-1]])
        new = 1 - tf.reduce_max(repeats, axis=1, keepdims=True)
        right = tf.where(tf.concat([repeats, new], axis=1) > 0, repeat, IMPOSSIBLE)
        again = tf.reduce_logsumexp(repeat, axis=1) - tf.reduce_logsumexp(right, axis=1)
        sums = [tf.reduce_sum(again * tf.reshape(inputs["open"], [-1]))]
        for part in zip(logits, chosen, weights, strict=True):
            sums.append(tf.reduce_sum(_nats(*part[:2]) * part[2]))
        return tf.stack(sums)

    def logits(self, inputs):
        """Returns all logits, float32: of units that they are references again; of places start, pitch, length."""
        writer, kind = self.writer, self.compute_dtype
        cells = tf.cast(inputs["cells"], kind)  # [song, bar, track, cell]
        given = inputs["given"]
        alike = features(overlaps(cells), given)
        bars = self._bars(cells, given, inputs["place"], alike)
        known = tf.cast(
            turns(given)[..., None] > turns(given)[..., None, :], kind
        )  # [song, bar, track, other]
        units, trusts, repeat = self._units(cells, bars, known, alike)

        unit = tf.reshape(inputs["unit"], [-1])
        track, bar = unit % writer.tracks, unit // writer.tracks
        before, note = (tf.reshape(inputs[name], [-1, 3]) for name in ("before", "note"))
        voiced = tf.reshape(inputs["voiced"], [-1, 3, inputs["voiced"].shape[-1]])
        agreed = tf.reshape(inputs["agreed"], [-1, voiced.shape[-1]])
        told = writer.note(
            [
                *(tf.gather(units, unit), tf.cast(agreed, kind), before[:, 0]),
                *(track * (writer.pitches + 1) + before[:, 1], before[:, 2]),
            ]
        )
        closing = tf.cast(inputs["closing"], kind)
        rows = closing.shape
        told = tf.reshape(told, [rows[0], rows[1], told.shape[-1]])
        state = writer.notes(tf.concat([told, closing[..., None]], axis=2))
        state = tf.reshape(state, [-1, writer.width])
        trust = tf.gather(trusts, unit)

        start, pitch = note[:, 0], note[:, 1]
        at = tf.minimum(start, writer.steps - 1)
        rolls = tf.reshape(inputs["cells"], [-1, writer.tracks, writer.steps, writer.pitches])
        by_step = tf.reshape(tf.transpose(rolls, [0, 2, 1, 3]), [-1, writer.tracks, writer.pitches])
        here = tf.gather(by_step, bar * writer.steps + at)  # [note, track, pitch]
        ago = tf.gather(by_step, bar * writer.steps + tf.maximum(at - 1, 0))
        taken = (tf.gather(ago, track, batch_dims=1) > 0) & (at > 0)[:, None]
        sounding = seen(here, tf.gather(tf.reshape(known, [-1, writer.tracks]), unit), track, taken, kind)
        of = [{"trust": trust[:, part], "track": track, "voiced": voiced[:, part]} for part in range(3)]
        last = before[:, :2]
        return (
            repeat_logits(repeat, tf.reshape(alike, [-1, *alike.shape[3:]])),
            start_logits(writer, state, last=last, **of[0]),
            pitch_logits(writer, state, last=last, start=start, sounding=sounding, taken=taken, **of[1]),
            length_logits(writer, state, start=start, pitch=pitch, sounding=sounding, **of[2]),
        )

    def _bars(self, cells, given, place, alike):
        """Returns the states of the bars, [song, bar, width]."""
        writer, kind = self.writer, cells.dtype
        codes = tf.cast(self._codes.of_cells(cells), kind)
        plan = writer.plan(
            [codes * tf.cast(given, kind)[..., None], tf.cast(given, kind), tf.cast(place, kind)]
        )
        before = tf.pad(codes[:, :-1], [[0, 0], [1, 0], [0, 0], [0, 0]])
        return writer.bars(writer.bar_told([plan, before, tf.cast(before_writing(alike), kind)]))

    def _units(self, cells, bars, known, alike):
        """Returns what `Writer.unit` tells of all units."""
        writer, kind = self.writer, cells.dtype
        heard = known[..., None] * onsets(cells, writer.steps)[:, :, None]
        track = tf.eye(writer.tracks, dtype=kind)
        shape = [*tf.unstack(tf.shape(bars)[:2]), writer.tracks]
        return writer.unit(
            [
                tf.repeat(tf.reshape(bars, [-1, writer.width]), writer.tracks, axis=0),
                tf.tile(track, [shape[0] * shape[1], 1]),
                tf.reshape(known, [-1, writer.tracks]),
                tf.reshape(heard, [-1, writer.tracks, writer.steps]),
                tf.cast(tf.reshape(alike, [-1, *alike.shape[3:]]), kind),
            ]
        )


def onsets(cells, steps: int):
    """Returns how many notes begin at each step, of the dtype of cells, [..., track, step].

    Args:
        cells: [song, bar, track, cell].
        steps: of a unit.
    """
    shape = tf.shape(cells)
    rolls = tf.reshape(cells, [shape[0], shape[1], cells.shape[2], steps, cells.shape[3] // steps])
    before = tf.pad(rolls[:, :, :, :-1], [[0, 0], [0, 0], [0, 0], [1, 0], [0, 0]])
    return tf.reduce_sum(rolls * (1 - before), axis=-1)


def seen(here, known, track, taken, kind):
    """Returns what sounds where a note begins, see `Writer.pitch`: [note, (track + 1) * pitch].

    Args:
        here: cells of the step, 0 and 1, [note, track, pitch].
        known: [note, track], 1 for tracks that are written before the note's own.
        track: the note's own, int32 [note].
        taken: bool [note, pitch], where the own track sounds at the step before.
        kind: dtype of the result.
    """
    others = tf.cast(here, kind) * tf.cast(known, kind)[..., None]
    held = tf.cast((tf.gather(here, track, batch_dims=1) > 0) & taken, kind)
    return tf.concat([tf.reshape(others, [-1, here.shape[1] * here.shape[2]]), held], axis=1)


def _nats(logits, chosen):
    """Returns the cross-entropy of choices, float32 [note]; the choice is clipped where there is none."""
    chosen = tf.minimum(chosen, logits.shape[-1] - 1)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(chosen, logits)
