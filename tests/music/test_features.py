"""Counted by hand on a pitch axis that begins with D; its middle lies between positions 6 and 7."""

import numpy as np
import pytest

from msw2.music.features import NAMES, features
from msw2.music.grid import Grid

GRID = Grid(bars=3, steps=16, pitches=14, lowest_pitch=26, beat_resolution=4)
SHAPE = (3, 16, 14, 5)
DRUMS, PIANO, GUITAR, BASS, STRINGS = range(5)


def vectors(phrases, grid=GRID):
    found = features(phrases, grid)
    assert found.dtype == np.float64
    assert found.shape == (len(phrases), len(NAMES))
    return [dict(zip(NAMES, row, strict=True)) for row in found]


def picked(vector, prefix):
    return {
        name.removeprefix(prefix): value
        for name, value in vector.items()
        if name.startswith(prefix) and value
    }


def a_phrase():
    phrase = np.zeros((1, *SHAPE), bool)
    phrase[0, 0, 0:2, 10, DRUMS] = True  # two hits, one step after the other
    phrase[0, 1, 6, 1, DRUMS] = True
    phrase[0, 0, 14:, 0, BASS] = True  # a note of D over the bar line, four steps
    phrase[0, 1, :2, 0, BASS] = True
    phrase[0, 1, 0, 7, BASS] = True  # A above it, one step
    phrase[0, 2, 3, 12, BASS] = True  # D an octave higher
    phrase[0, 2, 3, 4, GUITAR] = True  # F sharp in the same beat
    return phrase


def test_every_component_has_a_name_of_its_own():
    assert len(set(NAMES)) == len(NAMES) == 5 * 10 + 4 * 12 + 6
    assert NAMES[0] == "drums_sounding"
    assert NAMES[50:52] == ("piano_degree_0", "guitar_degree_0")
    assert NAMES[-1] == "TD_bass_strings"


def test_drums_are_counted_hit_by_hit():
    (vector,) = vectors(a_phrase())
    pitches = np.array([10, 10, 1]) - 6.5
    assert picked(vector, "drums_") == pytest.approx(
        {
            "sounding": 2 / 3,
            "cells": np.log2(1 + 3 / 3),
            "notes": np.log2(1 + 3 / 3),
            "polyphony": 1,
            "pitch": pitches.mean() / 12,
            "spread": pitches.std() / 12,
            "sixteenth_0": 1 / 3,
            "sixteenth_1": 1 / 3,
            "sixteenth_2": 1 / 3,
        }
    )


def test_pitched_tracks_are_counted_note_by_note_and_by_degrees_of_the_key():
    (vector,) = vectors(a_phrase())
    # D five times, A, F sharp: in the major keys of D, G and A; D sounds most.
    pitches = np.array([0, 0, 0, 0, 7, 12]) - 6.5
    assert picked(vector, "bass_") == pytest.approx(
        {
            "sounding": 1,
            "cells": np.log2(1 + 6 / 3),
            "notes": np.log2(1 + 3 / 3),
            "polyphony": 6 / 5,
            "pitch": pitches.mean() / 12,
            "spread": pitches.std() / 12,
            "sixteenth_0": 1 / 3,
            "sixteenth_2": 1 / 3,
            "sixteenth_3": 1 / 3,
            "degree_0": 5 / 6,
            "degree_7": 1 / 6,
        }
    )
    assert vector["guitar_degree_4"] == 1
    # A major third: half a turn of the third circle by 4 x 2/3 pi, and so on.
    angles = 4 * np.pi * np.array([7 / 6, 3 / 2, 2 / 3])
    distance = np.linalg.norm(np.array([1, 1, 0.5]) * np.abs(np.exp(1j * angles) - 1))
    assert picked(vector, "TD_") == pytest.approx({"guitar_bass": distance})


def test_transposing_changes_only_the_pitch():
    phrase = a_phrase()
    phrase[..., 12, BASS] = False
    moved = phrase.copy()
    moved[..., 1:] = np.roll(phrase[..., 1:], 3, axis=3)
    (first,), (second,) = vectors(phrase), vectors(moved)
    changed = {
        name: second[name] - first[name] for name in NAMES if not np.isclose(first[name], second[name])
    }
    assert changed == pytest.approx({"bass_pitch": 0.25, "guitar_pitch": 0.25})


def test_silence_is_zero_throughout():
    phrases = np.zeros((2, *SHAPE), bool)
    phrases[1] = a_phrase()
    vector, _ = vectors(phrases)
    assert set(vector.values()) == {0}
    assert picked(vectors(phrases)[1], "piano_") == picked(vectors(phrases)[1], "strings_") == {}
    assert features(phrases[:0], GRID).shape == (0, len(NAMES))


def test_steps_belong_to_the_nearest_sixteenth_and_phrases_do_not_depend_on_each_other():
    phrases = np.zeros((200, 1, 48, 84, 5), bool)  # more than are measured at a time
    for phrase in range(200):
        phrases[phrase, 0, phrase % 12, 40, DRUMS] = True
    found = features(phrases, Grid(bars=1))
    first = NAMES.index("drums_sixteenth_0")
    nearest = found[:, first : first + 20 : 5].argmax(axis=1)
    assert nearest[:12].tolist() == [0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 0]
    np.testing.assert_array_equal(found[:188], found[12:])
