"""Counted by hand on a pitch axis that begins with D: positions 0 and 12 are D, 10 is C, 13 is D sharp."""

import numpy as np
import pytest

from msw2.music import tonality
from msw2.music.grid import Grid

GRID = Grid(bars=3, steps=16, pitches=14, lowest_pitch=26, beat_resolution=4)
D, E, F, F_SHARP, G, G_SHARP, C, C_SHARP, HIGH_D, D_SHARP = 0, 2, 3, 4, 5, 6, 10, 11, 12, 13
NAN = np.nan


def roll_of(*cells, shape=(2, 3, 16, 14, 2)):
    roll = np.zeros(shape, bool)
    for cell in cells:
        roll[cell] = True
    return roll


# Track 0, phrase 0: D, D, high D, C in bar 0; D sharp, E, F in bar 1; phrase 1: F sharp, G sharp, C sharp.
TUNE = roll_of(
    (0, 0, 1, D, 0),
    (0, 0, 4, D, 0),
    (0, 0, 9, HIGH_D, 0),
    (0, 0, 12, C, 0),
    (0, 1, 3, E, 0),
    (0, 1, 3, F, 0),
    (0, 1, 8, D_SHARP, 0),
    (1, 0, 2, F_SHARP, 0),
    (1, 0, 3, G_SHARP, 0),
    (1, 2, 3, C_SHARP, 0),
)


def check(ratio, numerator, denominator, pooled):
    np.testing.assert_allclose(ratio.numerator, numerator)
    np.testing.assert_allclose(ratio.denominator, denominator)
    np.testing.assert_allclose(ratio.pooled(), pooled)


def test_counts_begin_with_c_whatever_the_lowest_pitch():
    cells = np.arange(28).reshape(1, 14, 2)  # [phrase, pitch, track]
    counts = tonality.pitch_class_counts(cells, GRID)
    assert counts.shape == (1, 12, 2)
    assert counts[0, :, 0].tolist() == [20, 22, 0 + 24, 2 + 26, 4, 6, 8, 10, 12, 14, 16, 18]


def test_counts_of_a_grid_that_begins_with_c():
    octaves = np.arange(84).reshape(84, 1)
    counts = tonality.pitch_class_counts(octaves, Grid())
    assert counts[:, 0].tolist() == [7 * pitch_class + 252 for pitch_class in range(12)]


def test_used_pitch_classes_unite_octaves_and_steps():
    check(tonality.used_pitch_classes(TUNE, GRID), [[2 + 3, 0], [2 + 1, 0]], [[2, 0], [2, 0]], [8 / 4, NAN])


@pytest.mark.parametrize(
    ("key", "first", "second"),
    [
        ((0, "major"), 6, 0),
        ((2, "major"), 4, 2),
        ((9, "minor"), 6, 0),
        ((4, "minor"), 5, 1),
        ((4, "major"), 2, 3),
    ],
)
def test_scale_ratio_in_a_given_key(key, first, second):
    ratio = tonality.scale_ratio(TUNE, GRID, *key)
    check(ratio, [[first, 0], [second, 0]], [[7, 0], [3, 0]], [(first + second) / 10, NAN])


def test_best_key_is_chosen_for_each_phrase_and_track():
    roll = TUNE.copy()
    roll[1, 1, 5, C, 1] = True
    check(tonality.best_scale_ratio(roll, GRID), [[6, 0], [3, 1]], [[7, 0], [3, 1]], [9 / 10, 1])


def test_key_that_does_not_exist_is_refused():
    with pytest.raises(
        ValueError, match=r"key 12 'major' is not a tonic in 0\.\.11 with one of major, minor"
    ):
        tonality.scale_ratio(TUNE, GRID, 12)
    with pytest.raises(ValueError, match="key 0 'dorian' is not"):
        tonality.scale_ratio(TUNE, GRID, 0, "dorian")


def test_pitch_class_entropy_in_bits_is_a_mean_of_sounding_phrases():
    roll = roll_of(
        (0, 0, 1, D, 0),
        (0, 1, 4, HIGH_D, 0),
        (0, 1, 5, E, 0),
        (0, 2, 6, F, 0),
        (1, 0, slice(0, 9), C, 0),
        shape=(3, 3, 16, 14, 2),
    )
    bits = 0.5 * 1 + 0.25 * 2 + 0.25 * 2
    ratio = tonality.pitch_class_entropy(roll, GRID)
    check(ratio, [[bits, 0], [0, 0], [0, 0]], [[1, 0], [1, 0], [0, 0]], [1.5 / 2, NAN])


def test_tonal_distance_of_beats_in_which_both_sound():
    shape = (2, 3, 16, 14, 4)
    roll = roll_of(
        (0, 0, slice(0, 2), C, 0),  # beat 0: C, twice
        (0, 0, 3, C, 1),  # beat 0: C once: the same centroid
        (0, 0, 3, F_SHARP, 2),  # beat 0: the tritone
        (0, 1, 6, C, 0),  # beat 5 of the phrase
        (0, 1, 7, G, 1),  # beat 5: the fifth
        (0, 1, 8, F_SHARP, 2),  # beat 6: nobody else
        (1, 2, 15, D, 0),
        (1, 2, 15, HIGH_D, 1),
        shape=shape,
    )
    fifth = np.sqrt(
        (2 * np.sin(np.pi / 12)) ** 2 + 2 + 0.75
    )  # 30, 90 and 120 degrees on circles of 1, 1, 0.5
    tritone = np.sqrt(2**2 + 2**2)  # opposite on two circles, the same on the third
    assert fifth == pytest.approx(1.737225, abs=1e-6)
    ratio = tonality.tonal_distance(roll, GRID, ((0, 1), (2, 1), (0, 3)))
    np.testing.assert_allclose(ratio.numerator, [[fifth, tritone, 0], [0, 0, 0]], atol=1e-12)
    assert ratio.denominator.tolist() == [[2, 1, 0], [1, 0, 0]]
    np.testing.assert_allclose(ratio.pooled(), [fifth / 3, tritone, NAN])


def test_tonal_distance_weighs_a_chord_by_its_cells():
    roll = roll_of((0, 0, slice(0, 3), C, 0), (0, 0, 3, F_SHARP, 0), (0, 0, 0, C, 1), shape=(1, 3, 16, 14, 2))
    # A quarter of the way from C to its tritone.
    np.testing.assert_allclose(tonality.tonal_distance(roll, GRID, ((0, 1),)).pooled(), [np.sqrt(8) / 4])


def test_other_pitch_axis_is_refused():
    with pytest.raises(ValueError, match="pianoroll of 14 pitches does not fit the grid's 84"):
        tonality.used_pitch_classes(TUNE, Grid())


def test_best_tonic_is_that_of_the_key_that_holds_most_cells():
    counts = np.zeros((4, 12), np.int64)
    counts[0, [2, 4, 6, 7, 9, 11, 1]] = 1  # D major
    counts[0, 0] = 1
    counts[1, [0, 7]] = 1, 3  # six keys hold both; G sounds more than C
    counts[2, [0, 2, 4, 5, 7, 9, 11, 6]] = [1, 1, 1, 1, 9, 1, 1, 2]  # with F sharp, not F: G major
    assert tonality.best_tonic(counts).tolist() == [2, 7, 7, 0]
