"""The network of the notes prior: it writes songs bar by bar, the bars track by track, the tracks note by note.

Three levels, as in a hierarchical recurrent decoder (Roberts et al. 2018): a plan of what is given, a state of the bars
so far, a state of the notes so far in a bar. A note is a start, a pitch and a length, told in this order. For each of
them voices propose what they would write: the references of the bar (see `models.references`), and what sounds at the
end of the bar before. The network says how far it follows each (Vinyals et al. 2015, pointer networks).
"""

import keras
import numpy as np
from keras import ops

from msw2.kernels.lstm import LSTM
from msw2.models.references import FEATURES, OFFSETS

VOICES = len(OFFSETS) + 1  # that propose notes
PLACES = 2  # numbers that say where in its song a bar is
PART = 256  # numbers that are told of a plan, of a unit, of a note
DROPPED = 0.1  # share of numbers that training leaves out, so that songs are not learnt by heart
TRUST = 1.0  # in a voice before training, a logit
IMPOSSIBLE = -1e9  # a logit
CLOSED = -30.0  # what shuts a gate: a closing place leaves the state of the notes at 0


class Writer:
    """The network, as functional models, which training and draws put together.

    Attributes:
        plan: from codes [song, bar, track, code], 0 where they are not given, given [song, bar, track] and place [song,
            bar, PLACES] to [song, bar, plan].
        bar_told: from the plan, codes of the bar before and features of the references to what `bars` reads.
        bars: a recurrent layer; its state is what is known of a song when a bar begins.
        unit: from the state of the bars, one-hot track, tracks that are written before it, their onsets [track, step],
            features [reference, feature], to numbers of the unit [PART], trust in voices [3, VOICES], and logits that
            the unit is a reference again, or new [reference + 1].
        note: from numbers of the unit, the note before (int32 start, pitch of a track, length), and the voices that
            proposed it [VOICES], to what `notes` reads.
        notes: a recurrent layer; its state is what is known of a bar when a note begins. It reads one number more: 1
            where a bar has ended and the state begins anew, else 0.
        start: from the state of the notes to logits [track, step or end] and trust in voices.
        pitch: from the state, cells that sound at the start [track + 1, pitch], and the start.
        length: as `pitch`, and the pitch of a track.

    Args:
        tracks: of a band.
        code: size of a track's code.
        steps: of a unit.
        pitches: of the grid.
        width: of the states of bars and notes.
        seed: of the weights, and of what training leaves out.
        portable: whether it holds to what a SavedModel can run.
    """

    def __init__(
        self,
        *,
        tracks: int,
        code: int,
        steps: int,
        pitches: int,
        width: int,
        seed: int = 0,
        portable: bool = False,
    ):
        keras.utils.set_random_seed(seed)  # Keras's initialisers draw from the global one
        self.tracks, self.code, self.steps, self.pitches, self.width = tracks, code, steps, pitches, width
        self._portable = portable
        self.plan, self.bar_told, self.unit, self.note = (
            self._plan(),
            self._bar_told(),
            self._unit(),
            self._note(),
        )
        self.bars, self.notes = self._lstm(width, "bars"), self._lstm(width, "notes")
        self.bars.build((None, None, self.bar_told.output_shape[-1]))
        self.notes.build((None, None, PART + 1))
        kernel = np.array(self.notes.cell.kernel)
        kernel[-1] = np.repeat(
            [CLOSED, CLOSED, 0.0, CLOSED], width
        )  # gates: input, forget, candidate, output
        self.notes.cell.kernel.assign(kernel)
        sounding = (tracks + 1) * pitches
        self.start = self._head("start", steps + 1)
        self.pitch = self._head("pitch", pitches, sounding, (steps + 1,))
        self.length = self._head("length", steps, sounding, (steps + 1, tracks * pitches))

    @property
    def parts(self) -> list[keras.layers.Layer]:
        """Returns all parts."""
        return [
            *(self.plan, self.bar_told, self.bars, self.unit, self.note, self.notes),
            *(self.start, self.pitch, self.length),
        ]

    def variables(self) -> dict[str, keras.Variable]:
        """Returns what is trained, by names as in `weight_shapes`."""
        found = {}
        for part in self.parts:
            for variable in part.trainable_variables:
                *_, layer, kind = variable.path.replace("/lstm_cell", "").split("/")
                found[f"{part.name}.{layer}.{kind}"] = variable
        return found

    def _lstm(self, units: int, name: str, **kwargs) -> LSTM:
        return LSTM(units, return_sequences=True, portable=self._portable, name=name, **kwargs)

    def _plan(self) -> keras.Model:
        codes = keras.Input((None, self.tracks, self.code), name="codes")
        given, place = (
            keras.Input((None, self.tracks), name="given"),
            keras.Input((None, PLACES), name="place"),
        )
        flat = keras.layers.Reshape((-1, self.tracks * self.code))(codes)
        known = keras.layers.Concatenate()([given, place])
        read = [
            keras.layers.Dense(PART, name="codes_told")(flat),
            keras.layers.Dense(PART, name="given_told")(known),
        ]
        read = _hidden(read)
        forwards = self._lstm(PART // 2, "forwards")(read)
        backwards = self._lstm(PART // 2, "backwards", go_backwards=True)(read)
        backwards = Flip(name="flipped")(backwards)
        return keras.Model(
            [codes, given, place], keras.layers.Concatenate()([forwards, backwards, read]), name="plan"
        )

    def _bar_told(self) -> keras.Model:
        plan = keras.Input((None, 2 * PART), name="plan")
        before = keras.Input((None, self.tracks, self.code), name="before")
        alike = keras.Input((None, self.tracks, len(OFFSETS), FEATURES), name="alike")
        flat = keras.layers.Reshape((-1, self.tracks * self.code))(before)
        read = [keras.layers.Dense(PART, name="before_told")(flat)]
        flat = keras.layers.Reshape((-1, self.tracks * len(OFFSETS) * FEATURES))(alike)
        read.append(keras.layers.Dense(PART, name="alike_told")(flat))
        read = _hidden(read)
        return keras.Model([plan, before, alike], keras.layers.Concatenate()([plan, read]), name="bar_told")

    def _unit(self) -> keras.Model:
        bar, track = keras.Input((self.width,), name="bar"), keras.Input((self.tracks,), name="track")
        known = keras.Input((self.tracks,), name="known")
        onsets = keras.Input((self.tracks, self.steps), name="onsets")
        alike = keras.Input((len(OFFSETS), FEATURES), name="alike")
        flat = keras.layers.Flatten()
        told = keras.layers.Concatenate()([bar, track, known, flat(onsets), flat(alike)])
        hidden = _hidden([keras.layers.Dense(2 * PART, name="hidden")(told)])
        numbers = keras.layers.Dense(PART, name="numbers")(keras.layers.Concatenate()([hidden, track]))
        trust = keras.layers.Dense(3 * VOICES, name="trust")(
            keras.layers.Concatenate()([hidden, flat(alike)])
        )
        trust = keras.layers.Reshape((3, VOICES))(trust)
        repeat = keras.layers.Dense(len(OFFSETS) + 1, name="repeat")(
            keras.layers.Concatenate()([hidden, flat(alike), track])
        )
        return keras.Model([bar, track, known, onsets, alike], [numbers, trust, repeat], name="unit")

    def _note(self) -> keras.Model:
        unit, agreed = keras.Input((PART,), name="unit"), keras.Input((VOICES,), name="agreed")
        parts = [unit, keras.layers.Dense(PART, name="agreed_told")(agreed)]
        numbers = []
        sizes = {
            "start_told": self.steps + 1,
            "pitch_told": self.tracks * (self.pitches + 1),
            "length_told": self.steps + 1,
        }
        for name, size in sizes.items():
            numbers.append(keras.Input((), dtype="int32"))
            parts.append(keras.layers.Embedding(size, PART, name=name)(numbers[-1]))
        told = keras.layers.Dropout(DROPPED)(keras.layers.Add()(parts))
        return keras.Model([unit, agreed, *numbers], told, name="note")

    def _head(self, name: str, classes: int, sounding: int = 0, sizes: tuple[int, ...] = ()) -> keras.Model:
        state = keras.Input((self.width,), name="state")
        inputs, parts = [state], [keras.layers.Dense(PART, name="state_told")(state)]
        if sounding:
            inputs.append(keras.Input((sounding,), name="sounding"))
            parts.append(keras.layers.Dense(PART, use_bias=False, name="sounding_told")(inputs[-1]))
        for index, size in enumerate(sizes):
            inputs.append(keras.Input((), dtype="int32"))
            parts.append(keras.layers.Embedding(size, PART, name=f"number_{index}_told")(inputs[-1]))
        hidden = _hidden(parts)
        logits = keras.layers.Dense(self.tracks * classes, name="logits")(hidden)
        begin = keras.initializers.Constant(TRUST)
        trust = keras.layers.Dense(VOICES, bias_initializer=begin, name="trust")(hidden)
        return keras.Model(inputs, [keras.layers.Reshape((self.tracks, classes))(logits), trust], name=name)


def _hidden(parts: list):
    """Adds what is told, cuts it at 0, and in training leaves some of it out."""
    told = keras.layers.Add()(parts) if len(parts) > 1 else parts[0]
    return keras.layers.Dropout(DROPPED)(keras.layers.Activation("relu")(told))


def weight_shapes(
    *, tracks: int, code: int, steps: int, pitches: int, width: int
) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of the network's weights, without building it; arguments as for `Writer`."""

    def dense(name: str, size: int, made: int, bias: bool = True) -> dict[str, tuple[int, ...]]:
        return {f"{name}.kernel": (size, made)} | ({f"{name}.bias": (made,)} if bias else {})

    def lstm(name: str, size: int, units: int) -> dict[str, tuple[int, ...]]:
        return dense(name, size, 4 * units) | {f"{name}.recurrent_kernel": (units, 4 * units)}

    def embedding(name: str, size: int) -> dict[str, tuple[int, ...]]:
        return {f"{name}.embeddings": (size, PART)}

    alike, sounding = len(OFFSETS) * FEATURES, (tracks + 1) * pitches
    shapes = dense("plan.codes_told", tracks * code, PART) | dense("plan.given_told", tracks + PLACES, PART)
    shapes |= lstm("plan.forwards", PART, PART // 2) | lstm("plan.backwards", PART, PART // 2)
    shapes |= dense("bar_told.before_told", tracks * code, PART) | dense(
        "bar_told.alike_told", tracks * alike, PART
    )
    shapes |= lstm("bars.bars", 3 * PART, width) | lstm("notes.notes", PART + 1, width)
    shapes |= dense("unit.hidden", width + 2 * tracks + tracks * steps + alike, 2 * PART)
    shapes |= dense("unit.numbers", 2 * PART + tracks, PART) | dense(
        "unit.trust", 2 * PART + alike, 3 * VOICES
    )
    shapes |= dense("unit.repeat", 2 * PART + alike + tracks, len(OFFSETS) + 1)
    shapes |= dense("note.agreed_told", VOICES, PART) | embedding("note.start_told", steps + 1)
    shapes |= embedding("note.pitch_told", tracks * (pitches + 1)) | embedding("note.length_told", steps + 1)
    heads = {
        "start": (steps + 1, ()),
        "pitch": (pitches, (steps + 1,)),
        "length": (steps, (steps + 1, tracks * pitches)),
    }
    for name, (classes, numbers) in heads.items():
        shapes |= dense(f"{name}.state_told", width, PART)
        shapes |= dense(f"{name}.sounding_told", sounding, PART, bias=False) if numbers else {}
        for index, size in enumerate(numbers):
            shapes |= embedding(f"{name}.number_{index}_told", size)
        shapes |= dense(f"{name}.logits", PART, tracks * classes) | dense(f"{name}.trust", PART, VOICES)
    return shapes


class Flip(keras.layers.Layer):
    """Turns sequences [song, bar, ...] round."""

    def call(self, inputs):
        """Returns what is last first."""
        return ops.flip(inputs, axis=1)

    def compute_output_shape(self, input_shape):
        """Returns the shape of the inputs."""
        return input_shape


def start_logits(writer: Writer, state, *, trust, track, voiced, last):
    """Returns the logits of the next note's start, float32 [note, step or end].

    Args:
        writer: the network.
        state: of the notes, [note, width].
        trust: of the unit in voices' starts, [note, VOICES].
        track: int32 [note].
        voiced: starts that voices propose, int32 [note, VOICES], below 0 for none.
        last: start and pitch of the note before, int32 [note, 2]; steps and pitches where there is none.
    """
    logits, more = writer.start(state)
    logits = _of_track(logits, track) + _voiced(trust, more, voiced, writer.steps + 1)
    full = last[:, 1] == writer.pitches - 1  # no pitch is left at this start
    earliest = ops.where(last[:, 0] == writer.steps, 0, last[:, 0] + ops.cast(full, "int32"))
    earlier = ops.arange(writer.steps + 1) < earliest[:, None]
    return ops.where(earlier, IMPOSSIBLE, logits)


def pitch_logits(writer: Writer, state, *, trust, track, voiced, last, start, sounding, taken):
    """Returns the logits of the next note's pitch, float32 [note, pitch].

    Args:
        writer: as for `start_logits`.
        state: likewise.
        trust: likewise.
        track: likewise.
        voiced: likewise.
        last: start and pitch of the note before, int32 [note, 2].
        start: of the note, int32 [note].
        sounding: see `Writer.pitch`, [note, (track + 1) * pitch].
        taken: bool [note, pitch], where the track itself sounds at the step before.
    """
    logits, more = writer.pitch([state, sounding, start])
    logits = _of_track(logits, track) + _voiced(trust, more, voiced, writer.pitches)
    lower = ops.arange(writer.pitches) <= last[:, 1:]
    return ops.where(taken | (lower & (last[:, :1] == start[:, None])), IMPOSSIBLE, logits)


def length_logits(writer: Writer, state, *, trust, track, voiced, start, pitch, sounding):
    """Returns the logits of the next note's length, float32 [note, step], the first for one step.

    Args:
        writer: as for `pitch_logits`.
        state: likewise.
        trust: likewise.
        track: likewise.
        voiced: likewise.
        start: likewise.
        pitch: of the note, int32 [note].
        sounding: as for `pitch_logits`.
    """
    logits, more = writer.length([state, sounding, start, track * writer.pitches + pitch])
    logits = _of_track(logits, track) + _voiced(trust, more, voiced, writer.steps)
    beyond = ops.arange(writer.steps) + start[:, None] >= writer.steps
    return ops.where(beyond, IMPOSSIBLE, logits)


def repeat_logits(logits, alike):
    """Returns the logits that a unit is a reference again, or new, float32 [unit, reference + 1].

    Args:
        logits: of `Writer.unit`.
        alike: features of its references, [unit, reference, feature]: those that are not known cannot be.
    """
    known = ops.pad(alike[..., 0] > 0, [[0, 0], [0, 1]], constant_values=True)
    return ops.where(known, ops.cast(logits, "float32"), IMPOSSIBLE)


def _of_track(logits, track):
    """Picks the logits of a track, float32 [note, class], of those of all, [note, track, class]."""
    chosen = ops.one_hot(track, logits.shape[1], dtype=logits.dtype)
    return ops.cast(ops.einsum("nk,nkc->nc", chosen, logits), "float32")


def _voiced(trust, more, voiced, classes: int):
    """Returns what voices add to logits, float32 [note, class]."""
    proposed = ops.one_hot(voiced, classes, dtype=more.dtype)  # 0 everywhere below 0
    return ops.cast(ops.einsum("nv,nvc->nc", ops.cast(trust, more.dtype) + more, proposed), "float32")
