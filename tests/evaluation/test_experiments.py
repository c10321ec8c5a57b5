import dataclasses
import math
import pathlib

import numpy as np
import pytest

from msw2.evaluation import experiments
from msw2.evaluation.eval_report import evaluate, write_reports
from msw2.evaluation.experiments import Experiment, Quantity, Spread
from msw2.evaluation.results import Estimate, Key
from msw2.music.grid import Grid

GRID = Grid(bars=2, steps=16, pitches=14, lowest_pitch=26, beat_resolution=4)
NAN = math.nan
KEY = Key("MSR", "F1", "correct", "mean")
F1 = Quantity("F1 (%)", KEY, 100, higher=True)


def experiment(*estimate, key=KEY):
    return Experiment("paper", 0, pathlib.Path("run"), {key: Estimate(*estimate)} if estimate else {}, {})


def test_interval_of_two_values_is_students_of_one_degree_of_freedom():
    found = experiments.interval([1.0, 3.0], [9.0, 9.0])
    assert (found.mean, found.seeds) == (2.0, 2)
    # The deviation of the mean is 1, the quantile tan(0.475 pi).
    assert found.half == pytest.approx(math.tan(0.475 * math.pi)) == pytest.approx(12.706204736)


def test_interval_of_three_values_is_students_of_two_degrees_of_freedom():
    found = experiments.interval([6.0, 1.0, 2.0], [NAN] * 3)
    assert (found.mean, found.seeds) == (3.0, 3)
    assert found.half == pytest.approx(
        4.302652730 * math.sqrt(7 / 3)
    )  # deviation: the root of (9 + 4 + 1) / 2


def test_a_value_alone_has_its_interval_over_phrases():
    assert experiments.interval([5.0], [0.25]) == Spread(5.0, 0.25, 1)
    assert experiments.interval([NAN, 5.0, NAN], [3.0, 0.25, 4.0]) == Spread(5.0, 0.25, 1)
    alone = experiments.interval([5.0], [NAN])
    assert (alone.mean, alone.seeds, math.isnan(alone.half)) == (5.0, 1, True)


def test_values_that_are_not_known_do_not_count():
    assert experiments.interval([1.0, NAN, 3.0], [1.0] * 3) == experiments.interval([1.0, 3.0], [1.0] * 2)
    for nothing in ([], [NAN], [NAN, NAN]):
        found = experiments.interval(nothing, [1.0] * len(nothing))
        assert found.seeds == 0
        assert math.isnan(found.mean)
        assert math.isnan(found.half)


def test_a_spread_is_in_the_units_of_the_tables():
    one = experiments.spread([experiment(0.5, 0.44, 0.52)], F1)
    assert (one.mean, one.half, one.seeds) == pytest.approx((50.0, 4.0, 1))
    two = experiments.spread([experiment(0.5, 0.4, 0.6), experiment(0.52, 0.4, 0.6), experiment()], F1)
    assert (two.mean, two.half, two.seeds) == pytest.approx((51.0, 12.706204736, 2))
    assert experiments.spread([], F1).seeds == 0


def test_what_an_experiment_does_not_say_is_not_known():
    generated = Key("MSG2", *KEY[1:])
    other = experiment(1.0, 0.0, 2.0, key=generated)
    assert all(math.isnan(value) for value in experiments.estimate_of(other, F1))
    assert experiments.estimate_of(other, Quantity("", generated, 10)) == (10, 0, 20)


@pytest.mark.parametrize(
    ("spread", "text"),
    [
        (Spread(1.25, 0.06, 2), "1.2 ± 0.1"),
        (Spread(-1.25, NAN, 1), "-1.2"),
        (Spread(NAN, NAN, 0), "n/a"),
        (Spread(NAN, 0.5, 0), "n/a"),
    ],
)
def test_a_spread_as_text(spread, text):
    assert spread.text(1) == text


def test_what_an_evaluation_wrote_is_read(tmp_path):
    estimates = {
        Key("MSG2", *KEY[1:]): Estimate(0.125, 0.1, 0.25),
        Key("MSG2", "FD", "correct", "all"): Estimate(1234.5, NAN, NAN),
        Key("MSG1", "TD", "correct", "piano-bass"): Estimate(NAN, NAN, NAN),
    }
    phrases = np.zeros((1, *GRID.phrase_shape, 5), bool)
    written = evaluate({"dataset": phrases}, GRID, seed=0, resamples=1)
    estimates = written.estimates | estimates  # the tables want all of a row
    written = dataclasses.replace(written, estimates=estimates)
    _, path = write_reports(tmp_path, written, split="test", preset="none")
    found = experiments.read_metrics(path)
    assert list(found) == list(estimates)
    for key, estimate in estimates.items():
        assert isinstance(found[key], Estimate)
        np.testing.assert_allclose(found[key], estimate, rtol=1e-5)
