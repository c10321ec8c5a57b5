"""Counted by hand: three bars of four beats of two steps, two octaves and a bit."""

import numpy as np
import pytest

from msw2.music.grid import Grid
from msw2.music.ordering import NAMES, order_features

GRID = Grid(bars=3, steps=8, pitches=26, lowest_pitch=30, beat_resolution=2)
DRUMS, PIANO, GUITAR, BASS, STRINGS = range(5)


def vector(*notes):
    """Returns the components other than 0 of a phrase of notes (track, pitch, start, end), in steps of the phrase."""
    phrase = np.zeros((24, 26, 5), bool)
    for track, pitch, start, end in notes:
        phrase[start:end, pitch, track] = True
    found = order_features(phrase.reshape(1, 3, 8, 26, 5), GRID)
    assert found.shape == (1, len(NAMES))
    return {name: value for name, value in zip(NAMES, found[0], strict=True) if value}


def picked(found, *names):
    return [found.get(name, 0) for name in names]


def test_names_are_different_and_silence_has_nothing():
    assert len(set(NAMES)) == len(NAMES) == 24
    assert vector() == {}
    assert order_features(np.zeros((0, 3, 8, 26, 5), bool), GRID).shape == (0, 24)


def test_repeats_of_drums_are_by_instrument_and_step():
    hits = [
        (DRUMS, pitch, step, step + 1) for pitch, step in ((4, 0), (4, 1), (7, 8), (4, 9), (4, 17), (7, 18))
    ]
    found = vector(*hits)
    # A bar later: of 4 and 4 hits (bars 1 and 2, 2 and 3), one in each pair of bars comes again.
    assert found["drums_repeats_1"] == 2 * 2 / (4 + 4)
    assert found["drums_repeats_2"] == 2 * 1 / (2 + 2)
    # Starts 0 1 8 9 17 18: distances 1 7 1 8 1, no two alike. Of instrument 4: 0 1 9 17, distances 1 8 8.
    assert picked(found, "drums_pulse", "drums_returns") == [0, 1 / 2]
    assert set(found) == {"drums_repeats_1", "drums_repeats_2", "drums_returns"}


def test_neighbouring_hits_are_two():
    found = vector(*((DRUMS, 3, step, step + 1) for step in (4, 5, 6)))
    assert found == {"drums_pulse": 1, "drums_returns": 1}


def test_a_line_of_notes():
    found = vector(
        (PIANO, 5, 0, 2), (PIANO, 7, 2, 4), (PIANO, 7, 5, 6), (PIANO, 20, 8, 10), (PIANO, 7, 10, 12)
    )
    expected = {
        # Two of the notes that end before the phrase does end where another starts.
        "pitched_legato": 2 / 5,
        # Starts 0 2 5 8 10: distances 2 3 3 2, so one pair of three is even.
        "pitched_pulse": 1 / 3,
        # Lengths 2 2 1 2 2.
        "pitched_lengths": 2 / 4,
        # Pitch 7 starts at 2, 5 and 10.
        "pitched_returns": 0,
        # Intervals 2 0 13 13.
        "pitched_near": 2 / 4,
        "pitched_leaps": 2 / 4,
        # Bars 1 and 2 have starts at 0 2 5 and at 0 2; bar 3 has none.
        "pitched_groove": 2 * 2 / (5 + 2),
        "pitched_repeats_1": 2 * 1 / (5 + 2),
    }
    assert {name: found.pop(name, 0) for name in expected} == pytest.approx(expected)
    assert set(found) == {"next_bar", "beat_classes"}


def test_notes_that_start_together():
    found = vector(
        *((STRINGS, pitch, 0, end) for pitch, end in ((3, 4), (7, 4), (10, 6))),
        (STRINGS, 1, 6, 7),
        (STRINGS, 2, 7, 24),
    )
    # Three at step 0: the first two of the two neighbouring pairs end together.
    assert found["pitched_ends"] == 1 / 2
    # Lengths 4 4 6 1 17. The last lasts to the end, and does not count; the third ends where the fourth starts.
    assert found["pitched_lengths"] == 1 / 4
    assert found["pitched_legato"] == 2 / 4
    assert "pitched_overlaps" not in found
    # The highest notes are 10 1 2.
    assert picked(found, "pitched_near", "pitched_leaps") == [1 / 2, 1 / 2]


def test_a_note_under_others_overlaps_their_starts():
    found = vector((BASS, 2, 0, 9), (BASS, 5, 4, 5), (BASS, 6, 8, 10), (GUITAR, 9, 0, 1), (GUITAR, 9, 8, 9))
    assert found["bass_overlaps"] == 2 / 3
    assert found["pitched_overlaps"] == 2 / 5
    # Bass: starts 0 4 8, so bar 2 has one of bar 1. Guitar: 0 and 8.
    assert found["bass_groove"] == 2 * 1 / (3 + 1)
    assert found["pitched_groove"] == 2 * 2 / (3 + 1 + 2 + 1)


def test_what_sounds_together():
    found = vector((PIANO, 0, 0, 4), (PIANO, 13, 0, 2), (GUITAR, 12, 1, 3), (GUITAR, 4, 1, 2))
    # Piano has pitch classes 0 and 1 for two steps: two pairs, both a semitone. Guitar 0 and 4: one pair, none.
    assert found["clash_within"] == pytest.approx((2 / 3) ** 0.5)
    # At step 1: 0 1 against 0 4, four pairs; 1 and 0 clash, 0 and 0 are the same. At step 2: 0 against 0.
    assert found["clash_between"] == pytest.approx((1 / 5) ** 0.5)
    assert found["unison"] == 2 / 5
    assert "starts_together" not in found
    # Beats of two steps: {0, 1, 4}, {0}, then nothing, of three classes and twelve beats.
    assert found["beat_classes"] == 4 / (12 * 3)


def test_a_class_and_the_one_an_octave_and_a_semitone_below_clash_from_either_side():
    assert vector((PIANO, 13, 0, 1), (BASS, 0, 0, 1))["clash_between"] == 1
    assert vector((PIANO, 0, 0, 1), (BASS, 13, 0, 1))["clash_between"] == 1
    assert vector((PIANO, 11, 0, 1), (BASS, 12, 0, 1))["clash_between"] == 1
    assert "clash_between" not in vector((PIANO, 10, 0, 1), (BASS, 12, 0, 1))


def test_company_counts_only_tracks_that_play():
    found = vector((PIANO, 4, 0, 1), (PIANO, 4, 3, 4), (BASS, 4, 0, 1), (BASS, 4, 5, 6), (BASS, 4, 7, 8))
    assert found["starts_together"] == 2 * 1 / 5
    assert "with_drums" not in found
    found = vector((PIANO, 4, 0, 1), (PIANO, 4, 3, 4), (BASS, 4, 3, 4), (DRUMS, 4, 3, 4), (DRUMS, 4, 5, 6))
    assert found["with_drums"] == 2 / 3


def test_beats_come_again_a_bar_later():
    found = vector((PIANO, 0, 0, 2), (PIANO, 4, 8, 9), (GUITAR, 12, 9, 10), (BASS, 7, 2, 3))
    # Bar 1: {0} {7}; bar 2: {0, 4}; bar 3: nothing.
    assert found["next_bar"] == 2 * 1 / (2 + 2 + 2)


def test_phrases_do_not_touch(monkeypatch):
    rng = np.random.default_rng(0)
    phrases = rng.random((7, 3, 8, 26, 5)) < 0.05
    alone = np.concatenate([order_features(each[None], GRID) for each in phrases])
    assert (order_features(phrases, GRID) == alone).all()
    monkeypatch.setattr("msw2.music.ordering._CHUNK", 3)
    assert (order_features(phrases, GRID) == alone).all()


def test_no_component_knows_the_key():
    phrases = np.random.default_rng(0).random((7, 3, 8, 26, 5)) < 0.05
    phrases[:, :, :, 21:, 1:] = False
    moved = phrases.copy()
    moved[..., 1:] = np.roll(phrases[..., 1:], 5, axis=3)
    assert order_features(moved, GRID) == pytest.approx(order_features(phrases, GRID))
