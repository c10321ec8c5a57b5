import numpy as np
import pytest

from msw2.evaluation import distances, eval_report
from msw2.evaluation.bootstrap import Sample
from msw2.evaluation.measures import MEASURES
from msw2.music import table1
from msw2.music.grid import Grid

GRID = Grid(bars=1, steps=16, pitches=12, lowest_pitch=24, beat_resolution=4)


def samples(**changed):
    """Zeros, but for measures `<name>_<definition>`: a value and draws [resample, column]."""
    found = {}
    for measure in MEASURES:
        zeros = np.zeros(len(measure.columns))
        value, draws = changed.pop(f"{measure.name}_{measure.definition}", (zeros, [zeros]))
        found[measure.name, measure.definition] = Sample(np.array(value, float), np.array(draws, float))
    assert not changed
    return found


def distance_of(metric, definition, row, dataset):
    return distances.estimates("MSG2", row, dataset)["MSG2", f"distance_{metric}", definition, "all"]


def as_samples(row):
    scale, cells = np.divide(row.scale_ratio, 100), np.where(np.isnan(row.cells), len(row.cells), row.cells)
    pattern = np.array([row.drum_pattern / 100])
    return samples(
        SR_released=(scale, [scale]), cells_released=(cells, [cells]), DP_released=(pattern, [pattern])
    )


@pytest.mark.parametrize("row", ["MSG1", "MSG2", "MSR"])
def test_printed_rows_have_the_distances_of_table_1(row):
    ours, real = as_samples(table1.PRINTED[row]), as_samples(table1.PRINTED["dataset"])
    expected = table1.distance(table1.PRINTED[row], table1.PRINTED["dataset"])
    for metric, value in zip(("SR", "cells", "DP"), expected, strict=True):
        assert distance_of(metric, "released", ours, real) == pytest.approx((value,) * 3)


def test_released_cells_leave_the_piano_out_and_correct_cells_do_not():
    row, real = (10, 200, 30, 44, 50), (14, 100, 30, 40, 50)
    ours = samples(cells_released=(row, [row]), cells_correct=(row, [row]))
    dataset = samples(cells_released=(real, [real]), cells_correct=(real, [real]))
    assert distance_of("cells", "released", ours, dataset).mean == 2  # (4 + 0 + 4 + 0) / 4
    assert distance_of("cells", "correct", ours, dataset).mean == pytest.approx(108 / 5)


def test_correct_metrics_are_averaged_over_their_own_columns_in_the_units_of_the_tables():
    ours = samples(
        SR_correct=((0.5, 0.9, 0.7, 0.7), [(0, 0, 0, 0)]),
        TD_correct=((1, 0, 0, 0, 0, 0.5), [(0,) * 6]),
        EB_correct=((0.1, 0, 0, 0, 0.3), [(0,) * 5]),
    )
    dataset = samples(SR_correct=((0.6, 0.7, 0.7, 0.6), [(0, 0, 0, 0)]))
    assert distance_of("SR", "correct", ours, dataset).mean == pytest.approx(10)  # 10, 20, 0, 10
    assert distance_of("TD", "correct", ours, dataset).mean == pytest.approx(0.25)
    assert distance_of("EB", "correct", ours, dataset).mean == pytest.approx(8)
    assert distance_of("SR", "released", ours, dataset).mean == 0


def test_interval_is_the_percentile_interval_mirrored_at_the_value():
    # Distances 5, 5.04 .. 9 of the resamples, half from either side: 95 % of them in 5.1 .. 8.9.
    half = np.linspace(0.025, 0.045, 101)[:, None]
    ours, dataset = samples(DP_correct=([0.93], 0.9 + half)), samples(DP_correct=([0.99], 0.9 - half))
    assert distance_of("DP", "correct", ours, dataset) == pytest.approx((6, 12 - 8.9, 12 - 5.1))


def test_interval_ends_at_0():
    draws = np.linspace(0, 0.08, 101)[:, None]  # 95 % in 0.2 .. 7.8
    ours, dataset = samples(DP_correct=([0.02], draws)), samples(DP_correct=([0], np.zeros((101, 1))))
    assert distance_of("DP", "correct", ours, dataset) == pytest.approx((2, 0, 4 - 0.2))


def test_a_silent_track_leaves_no_distance():
    silent = (np.nan, 0.5, 0.5, 0.5, 0.5)
    ours = samples(SR_released=(silent, [silent]))
    for pair in ((ours, samples()), (samples(), ours)):
        assert np.isnan(distance_of("SR", "released", *pair)).all()
        assert distance_of("DP", "released", *pair) == (0, 0, 0)


def drums(number, off_beat):
    """Phrases with one hit each, `off_beat` of them between the sixteenths of the released pattern."""
    phrases = np.zeros((number, *GRID.phrase_shape, 5), bool)
    phrases[:off_beat, 0, 1, 0, 0] = True  # weight 0.1
    phrases[off_beat:, 0, 3, 0, 0] = True  # weight 1
    return phrases


def evaluated(dataset, row, resamples=400):
    evaluation = eval_report.evaluate({"MSR": row, "dataset": dataset}, GRID, seed=3, resamples=resamples)
    assert not any(key[:2] == ("dataset", "distance_DP") for key in evaluation.estimates)
    return evaluation.estimates["MSR", "distance_DP", "released", "all"]


def test_both_sides_are_resampled():
    half = 90 * 1.96 * np.sqrt(0.2 * 0.8 / 100)  # percentage points, of one side that varies
    for dataset, row in ((drums(100, 20), drums(50, 50)), (drums(50, 50), drums(100, 20))):
        assert evaluated(dataset, row, 2000) == pytest.approx((72, 72 - half, 72 + half), abs=1)


def test_restorations_are_resampled_with_their_originals():
    assert evaluated(drums(40, 10), drums(40, 10)) == (0, 0, 0)
    assert evaluated(drums(40, 10), drums(41, 10)).high > 0  # other resamples


def test_what_chance_makes_of_two_alike_is_not_told_from_0():
    estimate = evaluated(drums(60, 20), drums(61, 22))
    assert estimate.mean == pytest.approx(90 * (22 / 61 - 20 / 60))
    assert estimate.low == 0
