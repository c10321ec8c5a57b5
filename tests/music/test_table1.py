import numpy as np
import pytest

from msw2.music import table1

NAN = np.nan


def roll_of(*cells, shape=(2, 3, 16, 14, 2)):
    roll = np.zeros(shape, bool)
    for cell in cells:
        roll[cell] = True
    return roll


# 14 pitches are padded to 24: bands of two. Bands a step: 0 and 1; 0; 6. Phrase 1 is silent.
ROLL = roll_of((0, 0, 0, slice(0, 3), 0), (0, 0, 1, 0, 0), (0, 2, 15, 13, 0))


def check(ratio, numerator, denominator, pooled):
    np.testing.assert_allclose(ratio.numerator, numerator)
    np.testing.assert_allclose(ratio.denominator, denominator)
    np.testing.assert_allclose(ratio.pooled(), pooled)


def test_empty_bar_rate_counts_the_bars_that_are_not_empty():
    check(table1.released_empty_bar_rate(ROLL), [[2, 0], [0, 0]], 3, [2 / 6, 0])


def test_used_pitch_classes_are_cells_of_bands_added_over_steps():
    check(table1.released_used_pitch_classes(ROLL), [[2 + 1 + 1, 0], [0, 0]], 3, [4 / 6, 0])


def test_scale_ratio_counts_cells_of_c_major_bands():
    check(table1.released_scale_ratio(ROLL), [[3, 0], [0, 0]], [[5, 0], [0, 0]], [3 / 5, NAN])


def test_bands_of_84_pitches_are_seven_neighbours():
    in_scale = []
    for pitch in range(84):
        roll = np.zeros((1, 1, 48, 84, 1), bool)
        roll[0, 0, 3, pitch, 0] = True
        in_scale.append(table1.released_scale_ratio(roll).pooled()[0])
    assert [in_scale[band * 7] for band in range(12)] == [1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1]
    assert in_scale == list(np.repeat(in_scale[::7], 7))


def test_drum_pattern_weighs_every_hit():
    roll = roll_of(
        *[(0, 1, step, 5, 0) for step in (0, 3, 4, 47)], (1, 0, 6, slice(2, 5), 0), shape=(2, 3, 48, 14, 2)
    )
    check(table1.released_drum_pattern_rate(roll), [[2.2, 0], [3, 0]], [[4, 0], [3, 0]], [5.2 / 7, 0])


@pytest.mark.parametrize(
    ("row", "distance"),
    [
        ("dataset", (0, 0, 0)),
        ("MSG1", (11.78, 16.0, 4.1)),
        ("MSG2", (4.26, 7.5, 3.0)),
        ("MSR", (3.18, 3.75, 3.2)),
    ],
)
def test_printed_rows_lie_at_the_known_distances(row, distance):
    assert table1.distance(table1.PRINTED[row], table1.PRINTED["dataset"]) == pytest.approx(distance)


def test_distance_leaves_out_the_piano_cells_that_the_paper_does_not_print():
    ours = table1.Row((60.4, 72.1, 71.7, 46.1, 76.4), (16, 999, 75, 41, 79), 90.4)
    dataset = table1.Row((60.4, 72.1, 71.7, 46.1, 71.4), (15, 80, 75, 41, 82), 94.4)
    assert table1.distance(ours, dataset) == pytest.approx((1, 1, 4))
