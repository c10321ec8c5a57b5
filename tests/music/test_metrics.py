"""Every literal is counted by hand; every axis has another size, so that no axis can stand for another."""

import numpy as np
import pytest

from msw2.music import metrics
from msw2.music.grid import Grid

NAN = np.nan


def roll_of(*cells, shape=(2, 3, 16, 14, 2)):
    """[phrase, bar, step, pitch, track] with the given cells on; slices are allowed."""
    roll = np.zeros(shape, bool)
    for cell in cells:
        roll[cell] = True
    return roll


# Track 0, phrase 0: a note over the bar line, one of two steps, one up to the phrase's end, one of one step.
# Track 0, phrase 1: one note of two steps in the pitch that ended phrase 0, one of three. Track 1: silent.
NOTES = roll_of(
    (0, 0, slice(14, 16), 5, 0),
    (0, 1, 0, 5, 0),
    (0, 0, slice(3, 5), 6, 0),
    (0, 1, 8, 0, 0),
    (0, 2, slice(12, 16), 13, 0),
    (1, 0, slice(0, 2), 13, 0),
    (1, 0, slice(0, 3), 5, 0),
)


def check(ratio, numerator, denominator, pooled):
    np.testing.assert_allclose(ratio.numerator, numerator)
    np.testing.assert_allclose(ratio.denominator, denominator)
    np.testing.assert_allclose(ratio.pooled(), pooled)


def test_pooled_divides_sums_and_says_nan_or_another_value_for_nothing():
    ratio = metrics.ratio([[1, 0], [2, 0]], [[4, 0], [1, 0]])
    np.testing.assert_equal(ratio.pooled(), [3 / 5, NAN])
    np.testing.assert_equal(metrics.ratio([[0]], [[0]], silence=0.0).pooled(), [0.0])


def test_pooled_counts_a_phrase_as_often_as_its_weight():
    ratio = metrics.ratio([[1], [2], [0]], [[4], [1], [0]])
    weights = np.array([[2.0, 1, 0], [0, 0, 3]])
    np.testing.assert_equal(ratio.pooled(weights), [[4 / 9], [NAN]])


def test_empty_bar_rate():
    check(metrics.empty_bar_rate(NOTES), [[0, 3], [2, 3]], 3, [2 / 6, 1])


def test_cells_a_bar_counts_silent_bars_too():
    check(metrics.cells_a_bar(NOTES), [[10, 0], [5, 0]], 3, [15 / 6, 0])


def test_polyphonicity_needs_more_than_two_pitches():
    roll = roll_of((0, 1, 4, slice(2, 5), 0), (1, 2, slice(7, 9), slice(0, 4), 0), (1, 0, 3, slice(0, 2), 1))
    check(metrics.polyphonicity(roll), [[1, 0], [2, 0]], 48, [3 / 96, 0])
    check(metrics.polyphonicity(roll, more_than=1), [[1, 0], [2, 1]], 48, [3 / 96, 1 / 96])


def test_qualified_notes_are_joined_over_bars_but_not_over_phrases():
    check(metrics.qualified_note_rate(NOTES), [[2, 0], [1, 0]], [[4, 0], [2, 0]], [3 / 6, NAN])
    check(metrics.qualified_note_rate(NOTES, shortest=4), [[1, 0], [0, 0]], [[4, 0], [2, 0]], [1 / 6, NAN])
    check(metrics.qualified_note_rate(NOTES, shortest=1), [[4, 0], [2, 0]], [[4, 0], [2, 0]], [1, NAN])


def test_drum_pattern_counts_hits_on_sixteenths():
    hits = [(0, 1, step, 2, 0) for step in (0, 3, 4, 47)] + [(0, 0, 6, slice(4, 6), 0)]
    roll = roll_of(*hits, shape=(1, 2, 48, 7, 2))
    grid = Grid(pitches=7)
    check(metrics.drum_pattern_rate(roll, grid), [[4, 0]], [[6, 0]], [4 / 6, NAN])
    check(metrics.drum_pattern_rate(roll, grid, tolerance=1), [[6, 0]], [[6, 0]], [1, NAN])


def test_drum_pattern_where_a_sixteenth_is_not_whole():
    grid = Grid(steps=24, beat_resolution=6, pitches=7)  # a sixteenth is 1.5 steps
    roll = roll_of((0, 0, slice(0, 4), 2, 0), (0, 1, 9, 3, 0), shape=(1, 2, 24, 7, 1))
    check(metrics.drum_pattern_rate(roll, grid), [[3]], [[5]], [3 / 5])


def test_groove_compares_onsets_of_neighbouring_bars():
    # Onsets: bar 0 {0, 15}, bar 1 {6}, as the note from step 15 is only held there, bar 2 {0}.
    roll = roll_of(
        (0, 0, 0, 3, 0),
        (0, 0, 15, 4, 0),
        (0, 1, slice(0, 2), 4, 0),
        (0, 1, 6, slice(1, 4), 0),
        (0, 2, 0, 3, 0),
    )
    alike = (16 - 3) / 16 + (16 - 2) / 16
    check(metrics.groove_consistency(roll), [[alike, 0], [0, 0]], [[2, 0], [0, 0]], [alike / 2, NAN])


def test_groove_of_one_bar_has_no_value():
    assert np.isnan(
        metrics.groove_consistency(roll_of((0, 0, 2, 3, 1), shape=(1, 1, 16, 14, 2))).pooled()
    ).all()


def test_silent_phrase_rate():
    roll = roll_of((1, 2, 15, 13, 1), shape=(4, 3, 16, 14, 2))
    check(metrics.silent_phrase_rate(roll), [[1, 1], [1, 0], [1, 1], [1, 1]], 1, [1, 3 / 4])


def test_kept_bars_are_those_that_sounded_before():
    truth = roll_of((0, 0, 1, 1, 0), (0, 1, 2, 2, 0), (1, 2, 3, 3, 0), (1, 0, 1, 1, 1))
    prediction = roll_of((0, 0, 9, 9, 0), (0, 2, 2, 2, 0), (1, 2, 3, 3, 0))
    check(metrics.kept_bar_rate(truth, prediction), [[1, 0], [1, 0]], [[2, 0], [1, 1]], [2 / 3, 0])


def test_f1_pools_cells_and_not_phrases():
    truth = roll_of((0, 0, slice(0, 4), 1, 0), (1, 2, 5, 6, 0), (1, 2, 5, 6, 1), shape=(2, 3, 16, 14, 3))
    prediction = roll_of((0, 0, slice(1, 3), 1, 0), (1, 2, slice(5, 10), 6, 0), shape=(2, 3, 16, 14, 3))
    precision, recall, f1 = metrics.f1_scores(truth, prediction)
    check(precision, [[2, 0, 0], [1, 0, 0]], [[2, 0, 0], [5, 0, 0]], [3 / 7, NAN, NAN])
    check(recall, [[2, 0, 0], [1, 0, 0]], [[4, 0, 0], [1, 1, 0]], [3 / 5, 0, NAN])
    check(f1, [[4, 0, 0], [2, 0, 0]], [[6, 0, 0], [6, 1, 0]], [6 / 12, 0, NAN])


@pytest.mark.parametrize("score", [metrics.f1_scores, metrics.kept_bar_rate])
def test_other_shapes_are_refused(score):
    with pytest.raises(
        ValueError, match=r"shape \(1, 3, 16, 14, 2\) does not match truth of shape \(2, 3, 16, 14, 2\)"
    ):
        score(NOTES, NOTES[:1])


@pytest.mark.parametrize("axis", [0, 2, (0, 1), (1, 2), (0, 1, 2)])
def test_counts_are_exact_beyond_the_types_they_are_summed_in(axis):
    full = np.ones((3, 300, 255), bool)
    full[0, 0, 0] = False
    counted = metrics.count(full, axis)
    np.testing.assert_array_equal(counted, np.count_nonzero(full, axis=axis))
    assert counted.dtype == np.int64
    np.testing.assert_array_equal(metrics.count(full[:, ::2, 1:], axis), full[:, ::2, 1:].sum(axis=axis))
