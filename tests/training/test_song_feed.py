"""What the diffusion prior reads: stretches, their segments, and what of them is given, of songs made by hand."""

import dataclasses
import itertools

import numpy as np
import pytest

from msw2.config import SMOKE
from msw2.data import packing
from msw2.data.song_bars import SongBars
from msw2.training import song_feed
from msw2.training.song_feed import SongFeed

# Two bars a phrase: a stretch of 64 bars has 32 phrases.
CONFIG = dataclasses.replace(
    SMOKE, bars=2, steps=8, pitches=6, lowest_pitch=40, beat_resolution=2, transpose=0, epoch_bars=1500
)
UNITS, TRACKS, CELLS = 64, 5, 48


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
    """Numbers of phrases, from cells [unit, track, cell] of any track."""
    return (cells.reshape(len(cells), TRACKS, 8, 6)[:, 1, :, 2] << np.arange(8)).sum(axis=1)


@pytest.fixture
def one_segment(monkeypatch):
    monkeypatch.setattr(song_feed, "SEGMENTS", {64: 1.0})


def test_a_short_song_is_whole_and_the_rest_has_no_weight():
    made = stretch(songs_of([3, 5, 10]))
    assert {name: (array.shape, array.dtype) for name, array in made.items()} == {
        "cells": ((UNITS, TRACKS, CELLS), np.uint8),
        "given": ((UNITS, TRACKS), np.float32),
        "place": ((UNITS, 2), np.float32),
        "position": ((UNITS,), np.int32),
        "segment": ((UNITS,), np.int32),
        "log_sigma": ((UNITS,), np.float32),
        "weight": ((UNITS, TRACKS), np.float32),
    }
    assert number_of(made["cells"])[:6].tolist() == [0, 0, 1, 1, 2, 2]
    # Between bar 6 and bar 10 there are bars that the store lacks.
    assert made["position"][:6].tolist() == [0, 1, 2, 3, 7, 8]
    bars = np.array([3, 4, 5, 6, 10, 11])
    np.testing.assert_allclose(made["place"][:6, 0], np.exp(-(bars - 3) / 8), rtol=1e-6)
    np.testing.assert_allclose(made["place"][:6, 1], np.exp(-(11 - bars) / 8), rtol=1e-6)
    for name in ("cells", "given", "place", "position", "log_sigma", "weight"):
        assert not made[name][6:].any(), name
    assert (made["segment"][6:] == -1).all()
    assert (made["segment"][:6] > 0).all()


def test_cells_are_those_of_their_track():
    cells = np.random.default_rng(0).random((2, *CONFIG.grid.phrase_shape, TRACKS)) < 0.3
    songs = SongBars(CONFIG.grid, packing.pack(cells), [np.arange(2)], [np.array([0, 2])])
    made = stretch(songs)["cells"]
    for phrase, bar, track in np.ndindex(2, 2, TRACKS):
        expected = cells[phrase, bar, :, :, track].ravel()
        assert np.array_equal(made[2 * phrase + bar, track], expected)


def test_of_a_long_song_any_stretch_comes_and_knows_its_place():
    songs = songs_of(np.arange(0, 80, 2))  # 40 phrases, of which 32 fit
    begins = set()
    for seed in range(120):
        made = stretch(songs, seed=seed)
        numbers = number_of(made["cells"])
        begin = numbers[0]
        begins.add(int(begin))
        assert np.array_equal(numbers, begin + np.arange(UNITS) // 2)
        assert np.array_equal(made["position"], np.arange(UNITS))
        np.testing.assert_allclose(
            made["place"][:, 0], np.exp(-(2 * begin + np.arange(64)) / 8.0), rtol=1e-4, atol=1e-7
        )
        after = 79 - 2 * begin - np.arange(64)
        np.testing.assert_allclose(made["place"][:, 1], np.exp(-after / 8.0), rtol=1e-4, atol=1e-7)
        assert (made["segment"] >= 0).all()
    assert begins == set(range(9))


def test_segments_are_of_one_length_and_one_noise_each(monkeypatch):
    monkeypatch.setattr(song_feed, "SEGMENTS", {16: 1.0})
    songs, offsets = songs_of(np.arange(0, 64, 2)), set()
    for seed in range(60):
        made = stretch(songs, seed=seed)
        ends = np.flatnonzero(np.diff(made["segment"])) + 1
        lengths = np.diff([0, *ends, UNITS])
        assert (lengths[1:-1] == 16).all()
        assert max(lengths[0], lengths[-1]) <= 16
        assert len(set(made["segment"].tolist())) == len(lengths)  # none comes twice
        for part in np.split(made["log_sigma"], ends):
            assert len(set(part.tolist())) == 1
        assert len(set(made["log_sigma"].tolist())) == len(lengths)
        offsets.add(int(lengths[0]))
    assert len(offsets) > 12


def test_lengths_and_noise_come_as_often_as_they_should():
    songs, lengths, noise = songs_of(np.arange(0, 64, 2)), [], []
    for seed in range(600):
        made = stretch(songs, seed=seed)
        parts = np.diff([0, *(np.flatnonzero(np.diff(made["segment"])) + 1), UNITS])
        lengths.append(max(parts))
        noise += list(set(made["log_sigma"].tolist()))
    shares = {length: float(np.mean(np.array(lengths) == length)) for length in (4, 8, 16, 32, 64)}
    assert shares == pytest.approx({4: 0.1, 8: 0.1, 16: 0.15, 32: 0.25, 64: 0.4}, abs=0.08)
    assert (np.mean(noise), np.std(noise)) == pytest.approx((1.1, 0.9), abs=0.1)


def test_what_is_given_has_no_weight_and_all_else_has(one_segment):
    songs = songs_of(np.arange(0, 64, 2))
    for seed in range(40):
        made = stretch(songs, seed=seed)
        assert set(np.unique(made["given"])) <= {0.0, 1.0}
        assert np.array_equal(made["weight"], 1 - made["given"])


def test_every_verb_comes(one_segment):
    songs, kinds = songs_of(np.arange(0, 64, 2)), {}
    for seed in range(400):
        given = stretch(songs, seed=seed)["given"] > 0
        by_bar, by_track = given.any(axis=1), given.any(axis=0)
        if not given.any():
            kind = "generate"
        elif np.array_equal(given, np.repeat(by_bar[:, None], TRACKS, axis=1)):
            edges = np.flatnonzero(np.diff(by_bar.astype(int)))
            kind = "whole bars"
            if len(edges) == 1 and by_bar[0]:
                kind = "continue"
            elif len(edges) == 2 and by_bar[0]:
                kind = "infill"
        elif np.array_equal(given, np.repeat(by_track[None], UNITS, axis=0)):
            kind = "accompany"
        else:
            kind = "bars and tracks"
        kinds[kind] = kinds.get(kind, 0) + 1 / 400
    assert kinds["generate"] == pytest.approx(0.3 + 0.25 / 6, abs=0.1)  # no track, too
    assert kinds["accompany"] > 0.1
    assert kinds["bars and tracks"] > 0.05
    assert min(kinds["continue"], kinds["infill"], kinds["whole bars"]) > 0.02


def test_a_stretch_moves_as_one_and_its_drums_stay():
    songs, found = songs_of([0, 2, 4]), set()
    plain = stretch(songs)["cells"].reshape(UNITS, TRACKS, 8, 6)
    for seed in range(60):
        made = stretch(songs, seed=seed, transpose=2)["cells"].reshape(UNITS, TRACKS, 8, 6)
        assert np.array_equal(made[:, 0], plain[:, 0])
        shift = [
            shift for shift in range(-2, 3) if np.array_equal(np.roll(plain[:, 1:], shift, -1), made[:, 1:])
        ]
        assert len(shift) == 1
        found.add(shift[0])
    assert found == {-2, -1, 0, 1, 2}


def test_units_may_be_phrases(one_segment):
    config = dataclasses.replace(CONFIG, unit="phrase")
    made = stretch(songs_of([0, 5, 7]), config=config)
    assert made["cells"].shape == (32, TRACKS, 96)
    assert made["position"][:3].tolist() == [0, 2, 3]
    np.testing.assert_allclose(made["place"][:3, 1], np.exp(-np.array([7, 2, 0]) / 8), rtol=1e-6)
    assert made["segment"][:4].tolist() == [32, 32, 32, -1]


@pytest.fixture(scope="module")
def feed():
    songs = songs_of(np.arange(0, 80, 2), [0, 4], [0, 2, 6, 8, 10])
    return SongFeed(dataclasses.replace(CONFIG, transpose=2), songs, songs_of([0, 2]), 3)


def taken(dataset):
    return [
        ({name: array.numpy() for name, array in batch.items()}, cells.numpy(), weight.numpy())
        for batch, cells, weight in dataset
    ]


def same(a, b):
    return all(np.array_equal(a[0][name], b[0][name]) for name in a[0]) and np.array_equal(a[2], b[2])


def test_a_batch_is_four_stretches_with_targets_and_weights(feed):
    ((batch, cells, weight),) = taken(feed.batches(0, 1).take(1))
    assert batch.keys() == {"cells", "given", "place", "position", "segment", "log_sigma"}
    assert batch["cells"].shape == cells.shape == (4, UNITS, TRACKS, CELLS)
    assert np.array_equal(batch["cells"], cells)
    assert weight.shape == (4, UNITS, TRACKS)
    spec = feed.batches(0, 1).element_spec
    assert spec[0]["position"].shape.as_list() == [4, UNITS]


def test_the_same_step_is_the_same_batch_and_a_continued_training_reads_what_it_would_have(feed):
    whole, again = taken(feed.batches(0, 3)), taken(feed.batches(0, 3))
    assert len(whole) == 9
    assert all(same(a, b) for a, b in zip(whole, again, strict=True))
    assert all(same(a, b) for a, b in zip(whole[6:], taken(feed.batches(2, 3)), strict=True))
    assert not any(same(whole[0], other) for other in whole[1:])
    other = dataclasses.replace(feed, config=dataclasses.replace(feed.config, seed=1))
    assert not same(whole[0], taken(other.batches(0, 1))[0])


def test_songs_come_as_often_as_they_have_phrases(feed):
    lengths = [
        int((segment >= 0).sum()) for batch, *_ in taken(feed.batches(0, 10)) for segment in batch["segment"]
    ]
    shares = [lengths.count(units) / len(lengths) for units in (64, 4, 10)]
    assert shares == pytest.approx([40 / 47, 2 / 47, 5 / 47], abs=0.12)


def test_held_out_songs_are_always_the_same_in_their_own_key(feed):
    first, second = taken(feed.held_out()), taken(feed.held_out())
    assert len(first) == 1  # of one song
    assert same(first[0], second[0])
    bits = first[0][1].reshape(4, UNITS, TRACKS, 8, 6)
    assert not bits[..., [0, 1, 3, 4, 5]].any()  # `numbered` sounds at pitch 2 alone
    empty = SongBars(CONFIG.grid, np.zeros((0, TRACKS, 12), np.uint8), [], [])
    assert dataclasses.replace(feed, validation=empty).held_out() is None


def test_an_epoch_has_as_many_bars_as_the_config_says_or_all(store):
    for epoch_bars, steps in ((1500, 6), (0, 1), (257, 2)):  # 256 bars a batch; the store has 10 phrases of 2
        config = dataclasses.replace(CONFIG, epoch_bars=epoch_bars)
        feed = SongFeed.of(config, store)
        assert feed.steps == steps
        assert (len(feed.train), len(feed.validation)) == (10, 3)
