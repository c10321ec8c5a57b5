"""What the notes prior reads: stretches of songs made by hand, and what of them is given."""

import dataclasses
import itertools

import numpy as np
import pytest

from msw2.config import SMOKE
from msw2.config.prior import BARS
from msw2.data import packing
from msw2.data.song_bars import SongBars
from msw2.models.writer import VOICES
from msw2.training import song_feed
from msw2.training.note_rows import LENGTH, repeats_of
from msw2.training.song_feed import SongFeed, song_batch

# Two bars a phrase: a stretch of 48 bars has 24 phrases.
CONFIG = dataclasses.replace(
    SMOKE, bars=2, steps=8, pitches=6, lowest_pitch=40, beat_resolution=2, transpose=0
)
UNITS, TRACKS, STEPS, PITCHES = 48, 5, 8, 6
ROWS = -(-song_feed.SONGS * UNITS * song_feed.PLACES_A_BAR // LENGTH)


def numbered(count):
    """Phrases that tell their number: bool [phrase, bar, step, pitch, track], the number in bits, the same in all."""
    found = np.zeros((count, *CONFIG.grid.phrase_shape, TRACKS), bool)
    bits = (np.arange(count)[:, None] >> np.arange(8)) & 1
    found[:, :, :, 2] = bits[:, None, :, None]
    return found


def songs_of(*first_bars):
    """Songs whose phrases begin at these bars."""
    counts = np.cumsum([0, *map(len, first_bars)])
    rows = [np.arange(*span) for span in itertools.pairwise(counts)]
    phrases = packing.pack(numbered(counts[-1]))
    return SongBars(CONFIG.grid, phrases, rows, [np.array(bars) for bars in first_bars])


def stretch(songs, song=0, seed=0, config=CONFIG, transpose=0):
    return song_feed._stretch(config, songs, song, np.random.default_rng(seed), transpose)


def number_of(cells):
    """Numbers of phrases, from cells [unit, track, step, pitch] of any track."""
    return (cells[:, 1, :, 2] << np.arange(8)).sum(axis=1)


def test_a_short_song_is_whole_and_the_rest_is_not_there():
    cells, place, there = stretch(songs_of([3, 5, 7]))
    assert (cells.shape, cells.dtype) == ((UNITS, TRACKS, STEPS, PITCHES), bool)
    assert number_of(cells)[:6].tolist() == [0, 0, 1, 1, 2, 2]
    assert there.tolist() == [True] * 6 + [False] * 42
    np.testing.assert_allclose(place[:6, 0], np.exp(-np.arange(6) / 8), rtol=1e-6)
    np.testing.assert_allclose(place[:6, 1], np.exp(-np.arange(6)[::-1] / 8), rtol=1e-6)
    assert not cells[6:].any()
    assert not place[6:].any()


def test_a_stretch_stops_where_phrases_are_missing():
    """Between bar 6 and bar 10 there are bars that the store lacks."""
    cells, place, there = stretch(songs_of([3, 5, 10]))
    assert number_of(cells)[:6].tolist() == [0, 0, 1, 1, 0, 0]
    assert there.tolist() == [True] * 4 + [False] * 44
    np.testing.assert_allclose(
        place[:4, 1], np.exp(-(11 - np.arange(3, 7)) / 8), rtol=1e-6
    )  # of the whole song
    # A stretch that begins late may have one phrase.
    lone = [stretch(songs_of([0, 4, *range(6, 54, 2)]), seed=seed) for seed in range(30)]
    assert {int(there.sum()) for *_, there in lone} == {2, 48}


def test_cells_are_those_of_their_track():
    cells = np.random.default_rng(0).random((2, *CONFIG.grid.phrase_shape, TRACKS)) < 0.3
    songs = SongBars(CONFIG.grid, packing.pack(cells), [np.arange(2)], [np.array([0, 2])])
    made, _, _ = stretch(songs)
    for phrase, bar, track in np.ndindex(2, 2, TRACKS):
        assert np.array_equal(made[2 * phrase + bar, track], cells[phrase, bar, :, :, track])


def test_of_a_long_song_any_stretch_comes_and_knows_its_place():
    songs, begins = songs_of(np.arange(0, 60, 2)), set()  # 30 phrases, of which 24 fit
    for seed in range(90):
        cells, place, there = stretch(songs, seed=seed)
        numbers = number_of(cells)
        begin = int(numbers[0])
        begins.add(begin)
        assert np.array_equal(numbers, begin + np.arange(UNITS) // 2)
        assert there.all()
        bars = 2 * begin + np.arange(UNITS)
        np.testing.assert_allclose(place, np.exp(-np.stack([bars, 59 - bars], axis=1) / 8), rtol=1e-4)
    assert begins == set(range(7))


def test_a_stretch_moves_as_one_and_its_drums_stay():
    songs, found = songs_of([0, 2, 4]), set()
    plain, *_ = stretch(songs)
    for seed in range(60):
        made, *_ = stretch(songs, seed=seed, transpose=2)
        assert np.array_equal(made[:, 0], plain[:, 0])
        shift = [
            shift for shift in range(-2, 3) if np.array_equal(np.roll(plain[:, 1:], shift, -1), made[:, 1:])
        ]
        assert len(shift) == 1
        found.add(shift[0])
    assert found == {-2, -1, 0, 1, 2}


def test_units_may_be_phrases():
    config = dataclasses.replace(CONFIG, unit="phrase")
    cells, place, there = stretch(songs_of([0, 2, 4]), config=config)
    assert cells.shape == (24, TRACKS, 16, PITCHES)
    assert there.sum() == 3
    np.testing.assert_allclose(place[:3], np.exp(-np.array([[0, 4], [2, 2], [4, 0]]) / 8), rtol=1e-6)


def kind_of(given):
    """Which verb gives this, bool [unit, track]."""
    by_bar, by_track = given.any(axis=1), given.any(axis=0)
    if not given.any():
        return "generate"
    if np.array_equal(given, np.repeat(by_bar[:, None], TRACKS, axis=1)):
        edges = np.flatnonzero(np.diff(by_bar.astype(int)))
        if len(edges) == 1 and by_bar[0]:
            return "continue"
        return "infill" if len(edges) == 2 and by_bar[0] else "whole bars"
    if np.array_equal(given, np.repeat(by_track[None], UNITS, axis=0)):
        return "accompany"
    tracks = given.all(axis=0)
    if np.array_equal(given, tracks[None] | given.all(axis=1)[:, None]):
        return "bars and tracks"
    return "units"


def test_every_verb_comes():
    rng, kinds = np.random.default_rng(0), {}
    for _ in range(600):
        kind = kind_of(song_feed._given(UNITS, TRACKS, rng))
        kinds[kind] = kinds.get(kind, 0) + 1 / 600
    assert kinds["generate"] == pytest.approx(0.3 + 0.25 / 6, abs=0.08)  # no track, too
    assert kinds["accompany"] == pytest.approx(0.25 * 4 / 6, abs=0.06)  # some tracks, not all
    assert min(kinds["continue"], kinds["infill"], kinds["whole bars"]) > 0.03
    assert min(kinds["bars and tracks"], kinds["units"]) > 0.03


@pytest.fixture(scope="module")
def batch():
    cells = np.random.default_rng(1).random((20, *CONFIG.grid.phrase_shape, TRACKS)) < 0.1
    cells[1::2] = cells[::2]
    songs = SongBars(CONFIG.grid, packing.pack(cells), [np.arange(20)], [np.arange(0, 40, 2)])
    return song_batch(CONFIG, songs, np.random.default_rng(2), 0)


def test_a_batch_has_what_the_network_reads(batch):
    songs = (song_feed.SONGS, UNITS, TRACKS)
    assert {name: (array.shape, array.dtype.name) for name, array in batch.items()} == {
        "cells": ((*songs, STEPS * PITCHES), "uint8"),
        "given": (songs, "float32"),
        "place": ((*songs[:2], 2), "float32"),
        "repeats": ((*songs, VOICES - 1), "float32"),
        "open": (songs, "float32"),
        "unit": ((ROWS, LENGTH), "int32"),
        "closing": ((ROWS, LENGTH), "float32"),
        "before": ((ROWS, LENGTH, 3), "int32"),
        "note": ((ROWS, LENGTH, 3), "int32"),
        "agreed": ((ROWS, LENGTH, VOICES), "float32"),
        "voiced": ((ROWS, LENGTH, 3, VOICES), "int32"),
        "weight": ((ROWS, LENGTH, 2), "float32"),
    }
    assert BARS == UNITS


def test_what_is_learnt_is_neither_given_nor_a_repeat_nor_beyond_the_song(batch):
    given, open_, repeats = batch["given"] > 0, batch["open"] > 0, batch["repeats"].any(axis=3)
    assert not (given & open_).any()
    assert not given[:, 40:].any()
    assert not open_[:, 40:].any()
    assert (given | open_)[:, :40].all()
    cells = batch["cells"].reshape(*given.shape, STEPS, PITCHES)
    assert np.array_equal(batch["repeats"], repeats_of(cells > 0, batch["given"]))
    assert (repeats & open_).sum() > 100
    starts = np.zeros(given.size, bool)
    starts[batch["unit"][batch["weight"][..., 0] > 0]] = True
    # Rows have room for most, not for all.
    learnt = (open_ & ~repeats).ravel()
    assert not (starts & ~learnt).any()
    assert starts.sum() > 0.3 * learnt.sum()


@pytest.fixture(scope="module")
def feed():
    songs = songs_of(np.arange(0, 60, 2), [0, 4], [0, 2, 6, 8, 10])
    return SongFeed(dataclasses.replace(CONFIG, transpose=2), songs, songs_of([0, 2]), 2)


def taken(dataset):
    found = []
    for batch, weight in dataset:
        assert np.array_equal(batch["weight"], weight)
        found.append({name: array.numpy() for name, array in batch.items()})
    return found


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_the_same_step_is_the_same_batch_and_a_continued_training_reads_what_it_would_have(feed):
    whole, again = taken(feed.batches(0, 3)), taken(feed.batches(0, 3))
    assert len(whole) == 6
    assert all(same(a, b) for a, b in zip(whole, again, strict=True))
    assert all(same(a, b) for a, b in zip(whole[4:], taken(feed.batches(2, 3)), strict=True))
    assert not any(same(whole[0], other) for other in whole[1:])
    other = dataclasses.replace(feed, config=dataclasses.replace(feed.config, seed=1))
    assert not same(whole[0], taken(other.batches(0, 1))[0])
    assert feed.batches(0, 1).element_spec[0]["note"].shape.as_list() == [ROWS, LENGTH, 3]


def test_long_songs_come_more_often(feed):
    units = [
        int(((batch["given"] + batch["open"])[song, :, 0] > 0).sum())
        for batch in taken(feed.batches(0, 6))
        for song in range(song_feed.SONGS)
    ]
    assert units.count(48) / len(units) == pytest.approx(30 / 37, abs=0.15)


def test_held_out_songs_are_always_the_same_in_their_own_key(feed):
    first, second = taken(feed.held_out()), taken(feed.held_out())
    assert len(first) == 1  # of one song
    assert same(first[0], second[0])
    bits = first[0]["cells"].reshape(-1, STEPS, PITCHES)
    assert bits[..., 2].any()
    assert not bits[..., [0, 1, 3, 4, 5]].any()  # `numbered` sounds at pitch 2 alone
    empty = SongBars(CONFIG.grid, np.zeros((0, TRACKS, 12), np.uint8), [], [])
    assert dataclasses.replace(feed, validation=empty).held_out() is None


def test_an_epoch_has_as_many_bars_as_the_store(store, make_store):
    feed = SongFeed.of(CONFIG, store)
    assert feed.steps == 1
    assert (len(feed.train), len(feed.validation)) == (10, 3)
    # A step reads 8 stretches of 48 bars.
    assert SongFeed.of(CONFIG, make_store(CONFIG, train=193)).steps == 2
