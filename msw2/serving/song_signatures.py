"""The signatures of songs: what a notes prior writes around what is given."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from msw2.inference.songs import SongFunctions
from msw2.inference.windows import WINDOW
from msw2.music.grid import Grid
from msw2.music.tracks import TRACK_NAMES
from msw2.serving.checks import checked, heat, require, share, song_length
from msw2.serving.contract import (
    AMOUNT,
    BARS,
    FIRST,
    GIVEN,
    MORE,
    NOTES,
    PIANOROLL,
    PNG,
    SECOND,
    SEED,
    SHARE,
    TEMPERATURE,
    WHERE,
    WRITE,
)
from msw2.serving.forms import Form, forms, song_forms
from msw2.serving.signatures import written

_EXAMPLE_BARS = (2, 1)  # phrases of the songs that are examples, and phrases that continue them


def song_signatures(functions: SongFunctions) -> dict[str, tuple[Callable, list[tf.TensorSpec]]]:
    """Returns the signatures of songs by name: a function that answers with a dictionary, and its inputs.

    They are `compose`, `continue`, `infill`, `accompany`, `complete`, `interpolate` and `vary`, in each form. All songs
    of a request have the same number of bars: whole phrases, up to `WINDOW` bars. What is wrong is refused.
    """
    verbs, grid = _Verbs(functions), functions.config.grid
    found = {}
    for phrases, songs in zip(forms(grid), song_forms(grid), strict=True):
        for name, (function, specs) in verbs.of_form(phrases, songs).items():
            found[name + songs.suffix] = checked(function, specs), specs
    return found


def song_example_inputs(grid: Grid, rows: int) -> dict[str, dict[str, np.ndarray]]:
    """Returns inputs for every signature of songs, each row another."""
    rng = np.random.default_rng(0)
    phrases, more = _EXAMPLE_BARS
    bars = phrases * grid.bars
    cells = rng.random((rows, bars, *grid.phrase_shape[1:], len(TRACK_NAMES))) < 0.02
    ends = tf.constant(cells[:, : grid.bars]), tf.constant(cells[:, -grid.bars :])
    seed = {SEED: np.arange(rows)}
    drawn = seed | {TEMPERATURE: np.linspace(0.5, 1, rows, dtype=np.float32)}
    spread = np.linspace(0.2, 0.8, rows, dtype=np.float32)
    by_bar, by_track, by_both = (
        rng.random((rows, *size)) < 0.5 for size in ((bars,), (len(TRACK_NAMES),), (bars, len(TRACK_NAMES)))
    )
    inputs = {}
    for phrase, form in zip(forms(grid), song_forms(grid), strict=True):
        songs = written(form, tf.constant(cells))
        first, second = (written(phrase, each) for each in ends)
        of_form = {
            "compose": drawn | {BARS: np.full(rows, bars, np.int32)},
            "continue": songs | {MORE: np.full(rows, more * grid.bars, np.int32)} | drawn,
            "infill": songs | {WRITE: by_bar} | drawn,
            "accompany": songs | {WRITE: by_track} | drawn,
            "complete": songs
            | {GIVEN: by_both}
            | {WHERE: np.stack([np.arange(rows), np.full(rows, WINDOW)], axis=1).astype(np.int32)}
            | drawn,
            "interpolate": {FIRST.format(name): array for name, array in first.items()}
            | {SECOND.format(name): array for name, array in second.items()}
            | {SHARE: spread}
            | seed,
            "vary": songs | {AMOUNT: spread, WHERE: np.int32([[0, bars]] * rows)} | seed,
        }
        inputs |= {name + form.suffix: arrays for name, arrays in of_form.items()}
    return inputs


def wrong_song_inputs(inputs: dict[str, dict[str, np.ndarray]]) -> list[tuple[str, dict[str, np.ndarray]]]:
    """Returns requests that must be refused: signature and inputs, made of what `song_example_inputs` returns.

    There are none where `inputs` has no songs. Where it does, it has at least two rows.
    """
    if "infill" not in inputs:
        return []
    songs, phrase = inputs["infill"][PIANOROLL], inputs["interpolate"][FIRST.format(PIANOROLL)].shape[1]
    rows, bars, steps = songs.shape[:3]
    long = np.concatenate([songs] * (WINDOW // bars + 1), axis=1)
    given, notes, png = inputs["complete"][GIVEN], inputs["vary_notes"][NOTES], inputs["vary_png"][PNG]
    outside = [np.full(rows, value, np.float32) for value in (np.nan, -0.1, 1.1)]

    def lengths(*values):
        return [np.full(rows, value, np.int32) for value in values]

    wrong = {
        ("compose", BARS): [
            *lengths(0, phrase + 1, WINDOW + phrase),
            np.resize(np.int32([bars, phrase]), rows),
        ],
        ("compose", TEMPERATURE): outside[:2],
        ("continue", MORE): lengths(0, 1, WINDOW, 2**31 - 1),
        ("infill", WRITE): [np.ones((rows, bars + size), bool) for size in (-1, 1)],
        ("infill", PIANOROLL): [songs[:, :-1], songs[0]],
        ("accompany", WRITE): [np.ones((rows, 4), bool), np.ones((rows, bars), bool)],
        ("accompany", PIANOROLL): [long, songs[:, :0]],
        ("complete", GIVEN): [given[:, 1:], given[:, :, 0]],
        ("complete", WHERE): [np.int32([[-1, bars]] * rows), np.int32([[bars, bars]] * rows)],
        ("interpolate", SHARE): [*outside, np.float32([0.5] * (rows + 1))],
        ("interpolate", SECOND.format(PIANOROLL)): [songs],
        ("vary", AMOUNT): outside,
        ("vary_notes", BARS): lengths(0, phrase + 1),
        ("vary_notes", NOTES): [notes + np.int32([bars * steps, 0, 0, 0])],
        ("vary_png", PNG): [
            png[:, None],
            np.array([b"GIF89a"] * rows),
            np.array([text[:60] for text in png]),
        ],
    }
    return [(name, inputs[name] | {key: array}) for (name, key), arrays in wrong.items() for array in arrays]


class _Verbs:
    """What all forms share. Each function is traced once, and so stored once."""

    def __init__(self, functions: SongFunctions):
        self._grid = functions.config.grid
        self._shape = functions.phrase_shape
        song = tf.TensorSpec([None, None, *self._shape[1:]], tf.bool)
        self._given = tf.TensorSpec([None, None, len(TRACK_NAMES)], tf.bool, GIVEN)
        self._where = tf.TensorSpec([None, 2], tf.int32, WHERE)
        seed, temperature = tf.TensorSpec([None], tf.int64, SEED), _real(TEMPERATURE)
        self._seed, self._drawn = seed, [seed, temperature]
        self._complete = tf.function(functions.complete, [song, self._given, self._where, seed, temperature])
        self._vary = tf.function(functions.vary, [song, _real(AMOUNT), seed, self._where])
        self._between = tf.function(functions.between, [song, song, _real(SHARE), seed])

    def of_form(self, phrases: Form, songs: Form) -> dict[str, tuple[Callable, list[tf.TensorSpec]]]:
        """Returns the signatures of a form, before inputs of other shapes are refused."""
        read, write, inputs = songs.read, songs.write, list(songs.specs)

        def compose(seed, temperature, bars):
            shape = [tf.shape(seed)[0], song_length(bars, self._grid)]
            cells = tf.zeros([*shape, *self._shape[1:]], tf.bool)
            return write(
                self._completed(cells, tf.zeros([*shape, len(TRACK_NAMES)], tf.bool), seed, temperature)
            )

        def go_on(*given):
            *song, more, seed, temperature = given
            cells = read(*song)
            bars = tf.shape(cells)[1]
            total = song_length(bars + more, self._grid)
            total = require(total > bars, f"{MORE} is a number of bars above 0", total, [more])
            given = tf.sequence_mask(tf.fill([tf.shape(cells)[0]], bars), total)
            made = self._completed(
                tf.pad(cells, [[0, 0], [0, total - bars]] + [[0, 0]] * 3),
                _all_tracks(given),
                seed,
                temperature,
            )
            return write(made[:, bars:])

        def infill(*given):
            *song, bars, seed, temperature = given
            cells = read(*song)
            return write(
                self._completed(cells, _all_tracks(~_as_long(bars, cells, WRITE)), seed, temperature)
            )

        def accompany(*given):
            *song, tracks, seed, temperature = given
            cells = read(*song)
            kept = tf.tile(~tracks[:, None], [1, tf.shape(cells)[1], 1])
            return write(self._completed(cells, kept, seed, temperature))

        def complete(*given):
            *song, kept, where, seed, temperature = given
            cells = read(*song)
            kept = _as_long(kept, cells, GIVEN)
            return write(self._complete(cells, kept, _inside(where), seed, heat(temperature)))

        def interpolate(*given):
            half = len(phrases.specs)
            first, second = phrases.read(*given[:half]), phrases.read(*given[half : 2 * half])
            made = self._between(first, second, share(given[-2], "shares"), given[-1])
            return write(tf.reshape(made, [tf.shape(made)[0], *self._shape]))

        def vary(*given):
            *song, amount, where, seed = given
            return write(self._vary(read(*song), share(amount, "amounts"), seed, _inside(where)))

        ends = [
            tf.TensorSpec(spec.shape, spec.dtype, end.format(spec.name))
            for end in (FIRST, SECOND)
            for spec in phrases.specs
        ]
        bars, more = (tf.TensorSpec([None], tf.int32, name) for name in (BARS, MORE))
        by_bar, by_track = (tf.TensorSpec([None, size], tf.bool, WRITE) for size in (None, len(TRACK_NAMES)))
        return {
            "compose": (compose, [*self._drawn, bars]),
            "continue": (go_on, [*inputs, more, *self._drawn]),
            "infill": (infill, [*inputs, by_bar, *self._drawn]),
            "accompany": (accompany, [*inputs, by_track, *self._drawn]),
            "complete": (complete, [*inputs, self._given, self._where, *self._drawn]),
            "interpolate": (interpolate, [*ends, _real(SHARE), self._seed]),
            "vary": (vary, [*inputs, _real(AMOUNT), self._where, self._seed]),
        }

    def _completed(self, cells, given, seed, temperature):
        """Draws what is not given of songs that are whole."""
        rows, bars = tf.shape(cells)[0], tf.shape(cells)[1]
        where = tf.stack([tf.zeros([rows], tf.int32), tf.fill([rows], bars)], axis=1)
        return self._complete(cells, given, where, seed, heat(temperature))


def _real(name: str) -> tf.TensorSpec:
    return tf.TensorSpec([None], tf.float32, name)


def _all_tracks(bars: tf.Tensor) -> tf.Tensor:
    """Maps bool [song, bar] to bool [song, bar, track]."""
    return tf.tile(bars[:, :, None], [1, 1, len(TRACK_NAMES)])


def _inside(where):
    """Returns where windows lie in their songs, int32 [song, 2], if that can be."""
    allowed = (
        f"{WHERE} is the number of the first bar, from 0, and the bars of the whole song, which are more"
    )
    return require((where[:, 0] >= 0) & (where[:, 0] < where[:, 1]), allowed, where, [where])


def _as_long(mask: tf.Tensor, cells: tf.Tensor, name: str) -> tf.Tensor:
    """Returns a mask, bool [song, bar, ...], that has a place for each bar of the songs."""
    bars = tf.shape(mask)[1], tf.shape(cells)[1]
    return require(bars[0] == bars[1], f"{name} has a place for each bar of the songs", mask, bars)
