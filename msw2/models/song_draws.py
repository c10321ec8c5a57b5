"""Songs are drawn with the network of the notes prior: note by note, around what is given."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from msw2.models.codes import Codes
from msw2.models.references import OFFSETS, before_writing, features, overlaps, turns
from msw2.models.writer import (
    IMPOSSIBLE,
    VOICES,
    Writer,
    length_logits,
    pitch_logits,
    repeat_logits,
    start_logits,
)
from msw2.models.writing import onsets

MOST = 150  # notes that a track has in a bar
COLDEST = 1e-3  # temperature: the likeliest alone
# What notes are drawn at when 1 is asked for. The slips of a draw are read by all that follows, and training has seen
# none. Chosen on validation songs.
EASED = 0.88
REPEATING = np.arange(VOICES) < len(OFFSETS)  # voices; what is held says nothing of lengths, nor of the end


class SongDraws:
    """Draws songs in the graph, each by itself, by its seed.

    Args:
        writer: the network, in float32.
        codes: the space of the codes that it reads. Variables, where they are to be in a SavedModel once.
    """

    def __init__(self, writer: Writer, codes: Codes):
        self._writer, self._codes = writer, codes

    def complete(self, cells, given, place, seeds, temperatures):
        """Draws the units that are not given, around those that are.

        Args:
            cells: bool [song, unit, track, cell]; what is not given is not looked at.
            given: bool [song, unit, track].
            place: float32 [song, unit, 2], see `notes_prior.places`.
            seeds: int64 [song].
            temperatures: float32 [song]; 1 as learnt, less for what is likelier.

        Returns:
            bool, the shape of `cells`.
        """
        writer = self._writer
        songs, bars = tf.shape(cells)[0], tf.shape(cells)[1]
        cells = tf.cast(cells & given[..., None], tf.float32)
        given = tf.cast(given, tf.float32)
        turn, heat = turns(given), EASED * temperatures
        plan = writer.plan([self._codes.of_cells(cells) * given[..., None], given, place])
        empty = tf.zeros([songs, writer.width])

        def bar(index, cells, common, before, state):
            alike = before_writing(features(common, given, index[None]))
            told = writer.bar_told([plan[:, index, None], before[:, None], alike])[:, 0]
            _, state = writer.bars.cell(told, list(state))

            def unit(place, here, common, notes):
                track = tf.argmax(tf.cast(turn[:, index] == place, tf.int32), axis=1, output_type=tf.int32)
                own = tf.gather(cells, track, axis=2, batch_dims=1)
                uniforms = _uniforms(seeds, index * writer.tracks + place)
                told = _Told(
                    own=own,
                    here=here,
                    given=given[:, index],
                    index=index,
                    track=track,
                    known=tf.cast(turn[:, index] < place, tf.float32),
                    alike=tf.gather(features(common, given, index[None])[:, 0], track, batch_dims=1),
                    state=state[0],
                )
                roll, notes = _Unit(writer, told, uniforms[:, MOST, 0]).write(notes, uniforms, heat)
                mine = tf.one_hot(track, writer.tracks, on_value=True, off_value=False)
                here = tf.where(mine[:, :, None], roll[:, None], here)
                return place + 1, here, _overlapping(common, own, roll, index, mine), notes

            loop = tf.constant(0), cells[:, index], common, (empty, empty)
            _, here, common, _ = tf.while_loop(lambda place, *_: place < writer.tracks, unit, loop)
            cells = tf.concat([cells[:, :index], here[:, None], cells[:, index + 1 :]], axis=1)
            before = self._codes.of_cells(here[:, None])[:, 0]
            return index + 1, cells, common, before, tuple(state)

        nothing = tf.zeros([songs, writer.tracks, writer.code])
        loop = tf.constant(0), cells, overlaps(cells), nothing, (empty, empty)
        _, cells, *_ = tf.while_loop(lambda index, *_: index < bars, bar, loop)
        return cells > 0


class _Told(NamedTuple):
    """What is known when a track of a bar is about to be written.

    Attributes:
        own: cells of the track in all bars, float32 [song, bar, cell]; silent where nothing is written or given.
        here: cells of all tracks in the bar, likewise, float32 [song, track, cell].
        given: float32 [song, track], 1 where the bar's track is given, else 0.
        index: of the bar.
        track: int32 [song].
        known: the tracks of the bar that are written before, float32 [song, track].
        alike: features of the references, float32 [song, reference, feature].
        state: of the bars, [song, width].
    """

    own: tf.Tensor
    here: tf.Tensor
    given: tf.Tensor
    index: tf.Tensor
    track: tf.Tensor
    known: tf.Tensor
    alike: tf.Tensor
    state: tf.Tensor


class _Written(NamedTuple):
    """What is written of a track of a bar.

    Attributes:
        last: start, pitch and length of the last note, int32 [song, 3]; see `rows_of`.
        agreed: the voices that proposed it, float32 [song, VOICES].
        roll: cells, float32 [song, step, pitch].
        done: bool [song].
        notes: state of the notes, two float32 [song, width].
    """

    last: tf.Tensor
    agreed: tf.Tensor
    roll: tf.Tensor
    done: tf.Tensor
    notes: tuple[tf.Tensor, tf.Tensor]


class _Unit:
    """A track of a bar of each song, about to be written.

    Args:
        writer: the network.
        told: what is known.
        lots: float32 [song] in 0 to 1, which decide whether it is a reference again.
    """

    def __init__(self, writer: Writer, told: _Told, lots):
        steps, pitches, alike = writer.steps, writer.pitches, told.alike
        self._writer, self._track, self._known = writer, told.track, told.known
        heard = onsets(told.here[:, None], steps)[:, 0] * told.known[..., None]
        which = tf.one_hot(told.track, writer.tracks)
        self._numbers, self._trust, repeat = writer.unit([told.state, which, told.known, heard, alike])
        self._tracks = tf.reshape(told.here, [-1, writer.tracks, steps, pitches])
        # The voices: what the track plays in the references, and what sounds at the end of the bar before.
        at = tf.clip_by_value(told.index + tf.constant(OFFSETS), 0, tf.shape(told.own)[1] - 1)
        references = tf.gather(told.own, at, axis=1) * alike[..., :1]
        end = told.own[:, tf.maximum(told.index - 1, 0), -pitches:] * tf.cast(told.index > 0, tf.float32)
        self._heard = tf.concat([alike[..., 0], tf.reduce_max(end, axis=1, keepdims=True)], axis=1) > 0
        end = tf.pad(end, [[0, 0], [0, (steps - 1) * pitches]])[:, None]
        # What is read and not written: what is given, and what is a reference again.
        given = tf.gather(told.given, told.track, batch_dims=1) > 0
        again = _drawn(repeat_logits(repeat, alike), lots, tf.ones_like(lots))
        self._read = given | (again < len(OFFSETS))
        again = tf.gather(references, tf.minimum(again, len(OFFSETS) - 1), axis=1, batch_dims=1)
        self._source = tf.where(given[:, None], told.own[:, told.index], again)
        self._notes = _Notes.of(tf.concat([references, end, self._source[:, None]], axis=1), steps)

    def write(self, notes, uniforms, temperatures):
        """Writes the track.

        Args:
            notes: state of the notes, two float32 [song, width].
            uniforms: float32 [song, MOST, 3] or more, in 0 to 1.
            temperatures: float32 [song].

        Returns:
            The track's cells, float32 [song, cell], and the state of the notes after it.
        """
        writer, songs = self._writer, tf.shape(self._known)[0]

        def note(count, so_far):
            last, done = so_far.last, so_far.done
            pitch_of_track = self._track * (writer.pitches + 1) + last[:, 1]
            told = writer.note([self._numbers, so_far.agreed, last[:, 0], pitch_of_track, last[:, 2]])
            _, state = writer.notes.cell(tf.pad(told, [[0, 0], [0, 1]]), list(so_far.notes))
            state = tuple(tf.where(done[:, None], *each) for each in zip(so_far.notes, state, strict=True))
            start, pitch, length = self._note(state[0], so_far, uniforms[:, count], temperatures)
            done |= (start == writer.steps) | (count == MOST - 1)
            step, tone = tf.range(writer.steps)[:, None], tf.range(writer.pitches)
            box = (step >= start[:, None, None]) & (step < (start + length)[:, None, None])
            box &= (tone == pitch[:, None, None]) & ~done[:, None, None]
            cell = tf.minimum(start, writer.steps - 1) * writer.pitches + pitch
            return count + 1, _Written(
                last=tf.where(done[:, None], last, tf.stack([start, pitch, length], axis=1)),
                agreed=tf.cast(self._notes.length_at(cell)[:, :VOICES] > 0, tf.float32),
                roll=tf.maximum(so_far.roll, tf.cast(box, tf.float32)),
                done=done,
                notes=state,
            )

        begin = _Written(
            last=tf.tile([[writer.steps, writer.pitches, 0]], [songs, 1]),
            agreed=tf.zeros([songs, VOICES]),
            roll=tf.zeros([songs, writer.steps, writer.pitches]),
            done=tf.zeros([songs], tf.bool),
            notes=notes,
        )
        loop = tf.constant(0), begin
        _, end = tf.while_loop(lambda _, so_far: ~tf.reduce_all(so_far.done), note, loop)
        # What is read stays whole, even if it has more notes than are told.
        roll = tf.reshape(end.roll, [songs, writer.steps * writer.pitches])
        return tf.where(self._read[:, None], self._source, roll), end.notes

    def _note(self, state, so_far: _Written, uniforms, temperatures):
        """Returns start, pitch and length of the next note, int32 [song] each: read, or else drawn."""
        # Behind the last note comes the end, at the start `steps`.
        cell = self._notes.after(self._told(so_far))[:, VOICES]
        start, pitch = cell // self._writer.pitches, cell % self._writer.pitches
        read = [start, pitch, self._notes.length_at(cell)[:, VOICES]]
        # Where all songs read, nothing is drawn: that takes half of the time.
        drawn = tf.cond(
            tf.reduce_all(self._read),
            lambda: read,
            lambda: self._draw(state, so_far, uniforms, temperatures),
        )
        return [tf.where(self._read, *pair) for pair in zip(read, drawn, strict=True)]

    def _told(self, so_far: _Written):
        """Returns the cell of the last note, int32 [song]; -1 where there is none."""
        start, pitch = so_far.last[:, 0], so_far.last[:, 1]
        return tf.where(start == self._writer.steps, -1, start * self._writer.pitches + pitch)

    def _draw(self, state, so_far: _Written, uniforms, temperatures):
        """Draws start, pitch and length of the next note, int32 [song] each."""
        writer, trust, last = self._writer, self._trust, so_far.last[:, :2]
        steps, pitches = writer.steps, writer.pitches
        of = [{"trust": trust[:, part], "track": self._track} for part in range(3)]

        after = self._told(so_far)
        voiced = self._notes.after(after)[:, :VOICES] // pitches
        voiced = tf.where(self._heard & (REPEATING | (voiced < steps)), voiced, -1)
        logits = start_logits(writer, state, voiced=voiced, last=last, **of[0])
        logits = tf.where(_room(so_far.roll, after), logits, IMPOSSIBLE)
        start = _drawn(logits, uniforms[:, 0], temperatures)

        at = tf.minimum(start, steps - 1)
        ago = tf.gather(so_far.roll, tf.maximum(at - 1, 0), axis=1, batch_dims=1)
        taken = (ago > 0) & (at > 0)[:, None]
        here = tf.gather(self._tracks, at, axis=2, batch_dims=1) * self._known[..., None]
        held = tf.gather(so_far.roll, at, axis=1, batch_dims=1) * tf.cast(taken, tf.float32)
        sounding = tf.concat([tf.reshape(here, [-1, writer.tracks * pitches]), held], axis=1)

        first = self._notes.after(tf.maximum(after, start * pitches - 1))[:, :VOICES]
        proposed = self._heard & (first // pitches == start[:, None])
        voiced = tf.where(proposed, first % pitches, -1)
        more = {"start": start, "sounding": sounding}
        logits = pitch_logits(writer, state, voiced=voiced, last=last, taken=taken, **more, **of[1])
        pitch = _drawn(logits, uniforms[:, 1], temperatures)

        size = self._notes.length_at(at * pitches + pitch)[:, :VOICES]
        voiced = tf.where(self._heard & REPEATING, size - 1, -1)
        logits = length_logits(writer, state, voiced=voiced, pitch=pitch, **more, **of[2])
        return [start, pitch, 1 + _drawn(logits, uniforms[:, 2], temperatures)]


class _Notes(NamedTuple):
    """Notes of units, in the order in which they are told.

    Attributes:
        cell: at which each begins, int32 [song, voice, note]. Behind the last of a unit, at least once, the number of
            cells.
        length: in steps, of the same shape; 0 where there is no note.
    """

    cell: tf.Tensor
    length: tf.Tensor

    @classmethod
    def of(cls, cells, steps: int) -> "_Notes":
        """Finds the notes of cells, float32 [song, voice, cell] of 0 and 1."""
        size = cells.shape[-1]
        pitches = size // steps
        before = tf.pad(cells[..., :-pitches], [[0, 0], [0, 0], [pitches, 0]])
        begins = cells * (1 - before)
        most = tf.cast(tf.reduce_max(tf.reduce_sum(begins, axis=2)), tf.int32)
        early = tf.where(begins > 0, size - tf.range(size), 0)
        cell = size - tf.math.top_k(early, most + 1).values
        # A note goes from its start to the next silence at its pitch.
        rolls = tf.reshape(cells, [tf.shape(cells)[0], -1, steps, pitches])
        line = tf.gather(tf.transpose(rolls, [0, 1, 3, 2]), cell % pitches, axis=2, batch_dims=2)
        start, step = cell // pitches, tf.range(steps)
        silent = (line == 0) & (step > start[..., None])
        return cls(cell, tf.reduce_min(tf.where(silent, step, steps), axis=3) - start)

    def after(self, cell):
        """Returns the cells of the first notes after a cell, int32 [song] to [song, voice]."""
        late = self.cell > cell[:, None, None]
        return tf.reduce_min(tf.where(late, self.cell, self.cell[..., -1:]), axis=2)

    def length_at(self, cell):
        """Returns the steps of the notes that begin at a cell, int32 [song] to [song, voice]; 0 where none does."""
        return tf.reduce_sum(tf.where(self.cell == cell[:, None, None], self.length, 0), axis=2)


def _overlapping(common, own, roll, index, mine):
    """Returns `overlaps` after a track of a bar has been written.

    Args:
        common: `overlaps` before.
        own: cells of the track before, float32 [song, bar, cell].
        roll: what is written, float32 [song, cell].
        index: of the bar.
        mine: bool [song, track], of the track.
    """
    here = tf.range(tf.shape(own)[1]) == index
    shared = tf.where(here, tf.reduce_sum(roll, axis=1, keepdims=True), tf.linalg.matvec(own, roll))
    value = tf.where(here[:, None], shared[:, None], shared[:, :, None])  # [song, bar, bar]
    return tf.where(mine[:, :, None, None] & (here[:, None] | here), value[:, None], common)


def _room(roll, after):
    """Returns whether a note may begin at each step, after some cells: bool [song, step or end].

    Args:
        roll: float32 [song, step, pitch], what is written. A note does not begin where another one has just ended.
        after: int32 [song], cells; -1 for the first note.
    """
    before = tf.pad(roll[:, :-1], [[0, 0], [1, 0], [0, 0]])
    later = tf.reshape(tf.range(roll.shape[1] * roll.shape[2]), roll.shape[1:]) > after[:, None, None]
    return tf.pad(tf.reduce_any(later & (before == 0), axis=2), [[0, 0], [0, 1]], constant_values=True)


def _drawn(logits, uniforms, temperatures):
    """Draws a class of each row by its uniform number, int32 [row]."""
    heat = tf.maximum(temperatures, COLDEST)[:, None]
    total = tf.cumsum(tf.nn.softmax(logits / heat), axis=1)
    # What is impossible adds nothing: not even a number of 0 draws it.
    drawn = tf.reduce_sum(tf.cast(total <= uniforms[:, None] * total[:, -1:], tf.int32), axis=1)
    return tf.minimum(drawn, logits.shape[1] - 1)


def _uniforms(seeds, number):
    """Returns the uniform numbers of a unit, float32 [song, MOST + 1, 3], each song's from its seed."""
    number = tf.cast(number, tf.int64)
    return tf.map_fn(
        lambda seed: tf.random.stateless_uniform([MOST + 1, 3], tf.stack([seed, number])),
        seeds,
        fn_output_signature=tf.TensorSpec([MOST + 1, 3], tf.float32),
    )
