"""Songs as the browser reads them: every note, by hand."""

import base64

import numpy as np
import pytest

from msw2.music.grid import Grid
from msw2.music.tracks import TRACK_NAMES
from msw2.page.songs import TICKS, Song, Version, clean, shown, song_data, used_pitches

GRID = Grid()
DRUMS, PIANO, GUITAR, BASS, STRINGS = range(5)


def two_bars():
    """Drums on two steps, a piano note that comes again at once, bass across the bar line, strings to the end."""
    cells = np.zeros((96, 84, len(TRACK_NAMES)), bool)
    cells[[0, 1, 13], 12, DRUMS] = True
    cells[[6], 14, DRUMS] = True
    cells[12:24, 40, PIANO] = True
    cells[25:36, 40, PIANO] = True
    cells[12:15, 36, PIANO] = True
    cells[40:60, 4, BASS] = True
    cells[24:96, 83, STRINGS] = True
    return cells


def version(label="made", cells=None, **others):
    cells = two_bars() if cells is None else cells
    return Version(label, cells, 97.5, "a.mid", b"MThd\x00", **others)


def test_every_note_is_written():
    data = song_data(Song("folder/a", (version(),)), GRID)
    assert data["name"] == "folder/a"
    (made,) = data["versions"]
    assert (made["label"], made["tempo"], made["steps"], made["file"]) == ("made", 97.5, 96, "a.mid")
    assert base64.b64decode(made["midi"]) == b"MThd\x00"
    # Steps since the note before, MIDI pitches, lengths in tenths of a step, velocities by the place in the bar.
    # A hit right before the next one, and the piano's C a step before its repetition, end 0.4 steps early.
    assert made["notes"] == [
        [[0, 1, 5, 7], [36, 36, 38, 36], [6, 10, 10, 10], [108, 78, 88, 78]],
        [[12, 0, 13], [60, 64, 64], [30, 116, 110], [98, 98, 78]],
        [[], [], [], []],
        [[40], [28], [200], [78]],
        [[24], [107], [720], [102]],
    ]
    assert TICKS == 10


def test_pitches_in_use_are_those_of_all_songs_and_versions():
    other = np.zeros((48, 84, len(TRACK_NAMES)), bool)
    other[3, 0, GUITAR] = other[9, 30, PIANO] = True
    songs = [Song("a", (version(),)), Song("b", (version(cells=other), version(cells=other[:, ::-1])))]
    assert used_pitches(songs, GRID) == [{36, 38}, {54, 60, 64, 77}, {24, 107}, {28}, {107}]


def test_facts_are_text_in_their_order():
    facts = {"seed": 3, "F1 %": 91.04999, "cells": 12345, "key": "<C>", "share": 1.0}
    (made,) = song_data(Song("a", (version(facts=facts),)), GRID)["versions"]
    assert made["facts"] == [
        ["seed", "3"],
        ["F1 %", "91.05"],
        ["cells", "12,345"],
        ["key", "<C>"],
        ["share", "1"],
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.25, "-0.25"),
        (0.000012, "1.2e-05"),
        (1234567.25, "1,234,567.25"),
        (2**62, "4,611,686,018,427,387,904"),
    ],
)
def test_numbers_are_short(value, text):
    assert shown(value) == text


def test_bytes_that_are_no_text_do_no_harm():
    assert clean("caf\udce9") == "caf?"


def test_a_song_has_a_version():
    with pytest.raises(ValueError, match="song 'a' has no version"):
        Song("a", ())
