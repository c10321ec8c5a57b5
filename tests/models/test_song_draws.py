"""Draws of songs: what is given stays, each song is its seed's, and draws say what training says of the same notes."""

from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from msw2.models import song_draws
from msw2.models.codes import random_codes
from msw2.models.references import OFFSETS, turns
from msw2.models.song_draws import MOST, SongDraws
from msw2.models.writer import Writer
from msw2.models.writing import Surprise
from msw2.training.note_rows import repeats_of, rows_of

SONGS, BARS, TRACKS, STEPS, PITCHES = 3, 12, 5, 6, 11
CELLS, NEW = STEPS * PITCHES, len(OFFSETS)
COLD, NEARLY = 1e-3, 0.02  # a temperature, and how much likelier what it does not draw may be


@pytest.fixture(scope="module")
def writer():
    """A network of random weights, in which notes happen, bars end, and some units are references again."""
    made = Writer(tracks=TRACKS, code=3, steps=STEPS, pitches=PITCHES, width=9, portable=True)
    rng = np.random.default_rng(1)
    variables = made.variables()
    for name, variable in variables.items():
        size = 0.3 if name.endswith("embeddings") else 0.15
        variable.assign(variable + rng.normal(0, size, variable.shape))
    later = np.tile(np.linspace(0, 1, STEPS + 1), TRACKS)
    variables["start.logits.bias"].assign(later)
    variables["unit.repeat.bias"].assign([-1.0] * NEW + [4.0])
    return made


@pytest.fixture(scope="module")
def codes():
    return random_codes(tracks=TRACKS, code=3, cells=CELLS, seed=2)


@pytest.fixture(scope="module")
def complete(writer, codes):
    """`SongDraws.complete`, traced once, of arrays."""
    traced = tf.function(
        SongDraws(writer, codes).complete,
        [
            tf.TensorSpec([None, None, TRACKS, CELLS], tf.bool),
            tf.TensorSpec([None, None, TRACKS], tf.bool),
            *(tf.TensorSpec([None, None, 2]), tf.TensorSpec([None], tf.int64), tf.TensorSpec([None])),
        ],
        autograph=False,
    )

    def run(song, seeds, temperature=1.0):
        seeds = np.asarray(seeds, np.int64)
        return traced(*song, seeds, np.full(len(seeds), temperature, np.float32)).numpy()

    return run


class Song(NamedTuple):
    """Cells of songs, what is given of them, and their places."""

    cells: np.ndarray
    given: np.ndarray
    place: np.ndarray


@pytest.fixture(scope="module")
def song():
    """Nothing is given of the first song, any units of the second, a track and the last bars of the third."""
    rng = np.random.default_rng(1)
    cells = rng.random((SONGS, BARS, TRACKS, CELLS)) < 0.12
    given = np.zeros((SONGS, BARS, TRACKS), bool)
    given[1] = rng.random((BARS, TRACKS)) < 0.35
    given[2, :, 3], given[2, 7:] = True, True
    return Song(cells, given, rng.random((SONGS, BARS, 2)).astype(np.float32))


@pytest.fixture(scope="module")
def cold(complete, song):
    """The songs, drawn without chance: bool [song, bar, track, cell]."""
    return complete(song, [3, 5, 2**40], COLD)


class Learnt(NamedTuple):
    """What training says of the songs that were drawn."""

    repeat: np.ndarray  # logits [song, bar, track, reference + 1]
    logits: list[np.ndarray]  # of starts, pitches, lengths [place, class]
    rows: dict[str, np.ndarray]  # in one line
    repeats: np.ndarray  # of `repeats_of`


@pytest.fixture(scope="module")
def learnt(writer, codes, song, cold):
    given = song.given.astype(np.float32)
    rolls = cold.reshape(SONGS, BARS, TRACKS, STEPS, PITCHES)
    rows = rows_of(rolls, given, ~song.given, 30, np.random.default_rng(0))
    batch = {"cells": cold.astype(np.uint8), "given": given, "place": song.place} | rows
    read = {name: tf.constant(array) for name, array in batch.items()}
    repeat, *logits = (each.numpy() for each in Surprise(writer, codes).logits(read))
    rows = {name: array.reshape(-1, *array.shape[2:]) for name, array in rows.items()}
    return Learnt(repeat.reshape(*given.shape, NEW + 1), logits, rows, repeats_of(rolls, given))


def test_what_is_given_comes_back_cell_for_cell(complete, song, cold):
    assert np.array_equal(cold[song.given], song.cells[song.given])
    whole = song._replace(given=np.ones_like(song.given))
    assert np.array_equal(complete(whole, [1, 2, 3]), song.cells)


def test_given_bars_of_very_many_notes_come_back_too(writer, codes, song, monkeypatch):
    monkeypatch.setattr(song_draws, "MOST", 4)
    short = Song(*(each[1:2, :2] for each in song))
    dense = np.random.default_rng(2).random(short.cells.shape) < 0.5
    read = dense, short.given, short.place, np.int64([3]), np.float32([1])
    drawn = SongDraws(writer, codes).complete(*map(tf.constant, read))
    assert short.given.any()
    assert np.array_equal(drawn.numpy()[short.given], dense[short.given])


def test_what_is_not_given_is_not_looked_at(complete, song, cold):
    other = np.where(song.given[..., None], song.cells, ~song.cells)
    assert np.array_equal(complete(song._replace(cells=other), [3, 5, 2**40], COLD), cold)


def test_a_song_is_that_of_its_seed_alone_and_in_any_batch(complete, song):
    together = complete(song, [5, 2**40, 5])
    assert np.array_equal(complete(song, [5, 2**40, 5]), together)
    for index, seed in enumerate([5, 2**40, 5]):
        alone = Song(*(each[index : index + 1] for each in song))
        assert np.array_equal(complete(alone, [seed])[0], together[index])
    same = Song(*(np.repeat(each[1:2], 3, axis=0) for each in song))
    drawn = complete(same, [5, 2**40, 5])
    assert np.array_equal(drawn[0], drawn[2])
    assert not np.array_equal(drawn[0], drawn[1])


def chosen(learnt, song, seeds):
    """Which reference each unit is again, by the logits of training: int [song, bar, track], `NEW` for none."""
    turn = turns(song.given.astype(np.float32)).numpy()
    found = np.zeros(song.given.shape, int)
    for index, bar, track in np.ndindex(song.given.shape):
        number = bar * TRACKS + turn[index, bar, track]
        lot = song_draws._uniforms(np.int64([seeds[index]]), int(number)).numpy()[0, MOST, 0]
        odds = np.exp(learnt.repeat[index, bar, track].astype(np.float64))
        total = np.cumsum(odds / odds.sum())
        assert np.abs(total - lot)[:NEW].min() > 1e-5  # else a rounding might decide
        found[index, bar, track] = np.searchsorted(total, lot)
    return found


def test_units_are_references_again_as_training_has_it(learnt, song, cold):
    which, again = chosen(learnt, song, [3, 5, 2**40]), 0
    for index, bar, track in np.argwhere(~song.given & (which < NEW)):
        other = bar + OFFSETS[which[index, bar, track]]
        assert 0 <= other < BARS
        assert np.array_equal(cold[index, bar, track], cold[index, other, track])
        again += 1
    assert 10 < again < 0.8 * (~song.given).sum()


def rooms(rows):
    """Whether a note may begin at each step and place, after those before: bool [place, step or end]."""
    found, roll = np.ones((len(rows["unit"]), STEPS + 1), bool), None
    for place, (start, pitch, length) in enumerate(rows["before"]):
        if start == STEPS:
            roll = np.zeros((STEPS, PITCHES), bool)
            continue
        roll[start : start + length, pitch] = True
        for step in range(STEPS):
            free = ~roll[step - 1] if step else np.ones(PITCHES, bool)
            free[: pitch + 1] &= step != start
            found[place, step] = step >= start and free.any()
    return found


@pytest.mark.parametrize(("part", "name"), [(0, "start"), (1, "pitch"), (2, "length")])
def test_notes_are_those_that_training_finds_likeliest(learnt, song, part, name):
    """Training never sees a start at which no pitch is left; a draw must not take it."""
    rows, logits = learnt.rows, learnt.logits[part]
    if name == "start":
        logits = np.where(rooms(rows), logits, -1e9)
    new = (chosen(learnt, song, [3, 5, 2**40]) == NEW) & ~learnt.repeats.any(axis=3)
    tried = (rows["weight"][:, min(part, 1)] > 0) & new.ravel()[rows["unit"]]
    took = rows["note"][tried, part]
    assert len(took) > 400
    assert len(set(took)) >= min(STEPS, 5)  # not always the same
    likeliest = logits[tried].max(axis=1)
    wrong = likeliest - np.take_along_axis(logits[tried], took[:, None], axis=1)[:, 0] > NEARLY
    assert not wrong.any(), f"{wrong.sum()} of {len(wrong)} {name}s"


def test_a_unit_may_be_a_reference_again_always(writer, complete, song):
    """The one of two bars before, where there is one: the odds of all others are 1 in e^20."""
    bias = writer.variables()["unit.repeat.bias"]
    kept, which = bias.numpy(), OFFSETS.index(-2)
    bias.assign(kept + 40 * (np.arange(NEW + 1) == which) + 20 * (np.arange(NEW + 1) == NEW))
    try:
        drawn = complete(song, [3, 5, 2**40])
    finally:
        bias.assign(kept)
    for index, bar, track in np.argwhere(~song.given):
        if bar >= 2:
            assert np.array_equal(drawn[index, bar, track], drawn[index, bar - 2, track])
    assert drawn[0].any()


def test_without_temperature_all_seeds_draw_alike_what_is_new(writer, complete, song):
    bias = writer.variables()["unit.repeat.bias"]
    kept = bias.numpy()
    bias.assign(kept + 40 * (np.arange(NEW + 1) == NEW))
    try:
        short = Song(*(each[:, :4] for each in song))
        none, cold = complete(short, [1, 2, 3], 0.0), complete(short, [4, 5, 6], COLD)
    finally:
        bias.assign(kept)
    assert np.array_equal(none, cold)
    assert none[0].any()


def test_what_is_impossible_is_never_drawn():
    logits = tf.constant([[-1e9, -1e9, 0.0, 0.5, -1e9]] * 4)
    lots = tf.constant([0.0, 0.37, 0.38, 1 - 2**-23])
    assert song_draws._drawn(logits, lots, tf.ones(4)).numpy().tolist() == [2, 2, 3, 3]
    assert song_draws._drawn(logits, lots, tf.zeros(4)).numpy().tolist() == [3, 3, 3, 3]


def test_a_note_begins_where_a_pitch_is_left():
    roll = np.zeros((2, 4, 3), np.float32)  # step, pitch
    roll[:, 1, [0, 2]] = 1
    roll[:, 0, 1] = 1
    roll[1, 2] = 1
    after = np.int32([4, 5])  # step 1 pitch 1: of step 1, pitch 2 is left; step 1 pitch 2: none
    found = song_draws._room(tf.constant(roll), tf.constant(after)).numpy().tolist()
    assert found == [[False, True, True, True, True], [False, False, True, False, True]]
    roll[0, 0, 2] = 1  # it sounds already
    assert not song_draws._room(tf.constant(roll), tf.constant(after)).numpy()[0, 1]
