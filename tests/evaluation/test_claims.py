import math
import pathlib

import numpy as np
import pytest

from msw2.evaluation.claims import (
    Comparison,
    claims,
    distance,
    f1,
    frechet,
    is_measured,
    judge,
    note_f1,
    together,
)
from msw2.evaluation.eval_report import evaluate
from msw2.evaluation.experiments import Experiment
from msw2.evaluation.results import Estimate
from msw2.music.grid import Grid

NAN = math.nan
F1, FD = f1(), frechet("MSG2")
MORE, LESS = Comparison(("a", F1), ("b", F1)), Comparison(("a", FD), ("b", FD))


def runs(quantity, **values):
    """Returns experiments: a recipe's values are seed: mean, or seed: (mean, low, high)."""
    return {
        recipe: [
            Experiment(
                recipe,
                seed,
                pathlib.Path(recipe),
                {quantity.key: Estimate(*value) if isinstance(value, tuple) else Estimate(value, NAN, NAN)},
                {},
            )
            for seed, value in by_seed.items()
        ]
        for recipe, by_seed in values.items()
    }


# Gains of 3, 4, 5: 4 ± 4.3027 / sqrt(3) = 4 ± 2.48, though a's and b's own intervals overlap.
APART = {"a": {0: 10.0, 1: 24.0, 2: 40.0}, "b": {0: 7.0, 1: 20.0, 2: 35.0}}


def test_it_holds_where_the_interval_over_seeds_lies_on_its_side():
    found = judge(LESS, runs(FD, a=APART["b"], b=APART["a"]))
    assert found.outcome == "holds"
    assert (found.better, found.worse) == pytest.approx((62 / 3, 74 / 3))
    assert (found.gain.mean, found.gain.seeds) == (pytest.approx(4.0), 3)
    assert found.gain.half == pytest.approx(4.302652730 / math.sqrt(3))
    assert judge(LESS, runs(FD, **APART)).outcome == "does not hold"
    assert judge(LESS, runs(FD, **APART)).gain.mean == pytest.approx(-4.0)


def test_more_is_better_of_f1_and_less_of_distances():
    experiments = runs(F1, a={0: 0.50, 1: 0.60}, b={0: 0.30, 1: 0.3999})
    found = judge(MORE, experiments)
    assert found.outcome == "holds"
    assert (found.better, found.worse, found.gain.mean) == pytest.approx((55.0, 34.995, 20.005))  # percent
    assert judge(Comparison(("b", F1), ("a", F1)), experiments).outcome == "does not hold"
    assert judge(LESS, runs(FD, a={0: 1.0, 1: 1.01}, b={0: 2.0, 1: 2.0})).outcome == "holds"


def test_it_cannot_be_told_where_the_interval_includes_0():
    assert judge(LESS, runs(FD, a={0: 1.0, 1: 3.0}, b={0: 2.0, 1: 4.5})).outcome == "cannot be told"
    assert judge(LESS, runs(FD, a={0: 1.0, 1: 3.0}, b={0: 1.0, 1: 3.0})).outcome == "cannot be told"
    assert judge(LESS, runs(FD, a={0: 1.0}, b={0: 50.0})).outcome == "cannot be told"  # no interval at all
    assert judge(LESS, runs(FD, a={0: NAN}, b={0: 2.0})).outcome == "cannot be told"


def test_of_one_seed_the_intervals_of_both_count():
    half = {"a": {0: (0.5, 0.47, 0.53)}, "b": {0: (0.44, 0.40, 0.48)}}  # 6 ± hypot(3, 4)
    found = judge(MORE, runs(F1, **half))
    assert found.outcome == "holds"
    assert (found.gain.mean, found.gain.half, found.gain.seeds) == pytest.approx((6.0, 5.0, 1))
    half["b"] = {0: (0.46, 0.42, 0.50)}  # 4 ± 5
    assert judge(MORE, runs(F1, **half)).outcome == "cannot be told"


def test_seeds_are_compared_with_themselves():
    seeds = {"a": {2: 40.0, 0: 10.0, 1: 24.0, 7: 1000.0}, "b": {5: 0.0, 1: 20.0, 2: 35.0, 0: 7.0}}
    assert judge(LESS, runs(FD, **seeds)) == judge(LESS, runs(FD, **APART))
    nothing = judge(LESS, runs(FD, a={0: 1.0}, b={1: 2.0}))
    assert (nothing.outcome, nothing.gain.seeds, math.isnan(nothing.better)) == ("not run", 0, True)


@pytest.mark.parametrize("there", [{}, {"a": {0: 1.0}}, {"b": {0: 1.0}}, {"a": {}, "b": {0: 1.0}}])
def test_what_is_not_there_was_not_run(there):
    assert judge(LESS, runs(FD, **there)).outcome == "not run"


def test_notes_are_not_compared_where_an_evaluation_did_not_count_them():
    notes = Comparison(("a", note_f1()), ("b", note_f1()))
    both = {"a": {0: 0.5}, "b": {0: 0.4}}
    assert is_measured(notes, runs(note_f1(), **both))
    assert is_measured(notes, runs(note_f1(), a={0: 0.5}))  # b was not run, and may have notes
    assert not is_measured(notes, runs(F1, **both))
    assert not is_measured(notes, runs(F1, b={0: 0.5}))
    assert not is_measured(notes, runs(note_f1(), a={0: 0.5}) | runs(F1, b={0: 0.5}))
    assert is_measured(MORE, runs(note_f1(), **both))


def test_two_quantities_of_one_recipe():
    near, far = distance("SR", "MSG2"), distance("SR", "MSG1")
    experiments = [
        Experiment(
            "a", 0, pathlib.Path(), {near.key: Estimate(1.0, 0.5, 1.5), far.key: Estimate(3.0, 2.0, 4.0)}, {}
        )
    ]
    assert judge(Comparison(("a", near), ("a", far)), {"a": experiments}).outcome == "holds"
    assert judge(Comparison(("a", far), ("a", near)), {"a": experiments}).outcome == "does not hold"


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (["holds", "holds"], "holds"),
        (["does not hold", "does not hold"], "does not hold"),
        (["does not hold", "cannot be told", "not run"], "does not hold"),
        (["holds", "does not hold", "cannot be told"], "holds in 1 of 3"),
        (["holds", "holds", "cannot be told"], "holds in 2 of 3, rest open"),
        (["holds", "not run"], "holds in 1 of 2, rest open"),
        (["cannot be told", "not run"], "cannot be told"),
        (["not run", "not run"], "not run"),
    ],
)
def test_the_comparisons_of_a_claim_together(outcomes, expected):
    one, none = judge(LESS, runs(FD, **APART)), judge(LESS, {})
    made = {"does not hold": one, "not run": none}
    made["holds"] = judge(LESS, runs(FD, a=APART["b"], b=APART["a"]))
    made["cannot be told"] = judge(LESS, runs(FD, a={0: 1.0}, b={0: 2.0}))
    assert together([made[outcome] for outcome in outcomes]) == expected


def test_claims_compare_alike_quantities_of_a_base_and_its_variants():
    found = claims("base")
    assert len(found) == 10
    for claim in found:
        assert claim.comparisons
        for comparison in claim.comparisons:
            (first, better), (second, worse) = comparison.better, comparison.worse
            assert (better.higher, better.scale) == (worse.higher, worse.scale)
            assert (first, better) != (second, worse)
            assert all(name == "base" or name.startswith("base-") for name in (first, second))


def test_every_quantity_of_a_claim_is_in_an_evaluation():
    grid = Grid(bars=2, steps=16, pitches=14, lowest_pitch=26, beat_resolution=4)
    rows = {
        row: np.random.default_rng(seed).random((4, 2, 16, 14, 5)) < 0.3
        for seed, row in enumerate(("dataset", "MSG1", "MSG2", "MSR"))
    }
    both = {"original": rows["dataset"], "restored": rows["MSR"]}
    found = evaluate(rows, grid, seed=0, resamples=2, songs=np.array([0, 0, 1, 1]), **both).estimates
    asked = {
        quantity.key
        for claim in claims("base")
        for comparison in claim.comparisons
        for _, quantity in (comparison.better, comparison.worse)
    }
    assert len(asked) == 14
    for key in asked:
        assert not math.isnan(found[key].mean), key
