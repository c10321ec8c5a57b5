"""The claims of the paper, as comparisons of recipes that can come out either way."""

import dataclasses

import numpy as np

from msw2.evaluation import distances
from msw2.evaluation.experiments import Experiment, Quantity, Spread, by_seed, interval, is_known
from msw2.evaluation.results import ALL, GENERATED, MEAN, NOTES, RESTORED, UNREFINED, Key, mean_of_known

HOLDS, FAILS, UNKNOWN, NOT_RUN = "holds", "does not hold", "cannot be told", "not run"


def note_f1() -> Quantity:
    """F1 of the notes of restored songs that were not heard, mean of the tracks."""
    return Quantity("restored F1 of notes (%)", Key(RESTORED, NOTES, "correct", MEAN), 100, higher=True)


def f1() -> Quantity:
    """F1 of their cells."""
    return Quantity("restored F1 of cells (%)", Key(RESTORED, "F1", "correct", MEAN), 100, higher=True)


def distance(metric: str, row: str) -> Quantity:
    """Mean distance to the dataset row of Table I, by the released functions: `SR`, `cells` or `DP`."""
    return Quantity(f"{metric} distance, {row}", Key(row, distances.name(metric), "released", ALL))


def frechet(row: str) -> Quantity:
    """Fréchet distance to songs that were not heard."""
    return Quantity(f"Fréchet distance, {row}", Key(row, "FD", "correct", ALL))


def harmony(row: str) -> Quantity:
    """How far the tonal distances between tracks are from those of songs that were not heard."""
    return Quantity(f"tonal distance off, {row}", Key(row, distances.name("TD"), "correct", ALL))


def table1(row: str) -> tuple[Quantity, ...]:
    """The three columns of Table I."""
    return tuple(distance(metric, row) for metric in ("SR", "cells", "DP"))


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two measurements. The paper claims that the first is the better one.

    Attributes:
        better: recipe and quantity.
        worse: the same; the quantities have the same direction.
    """

    better: tuple[str, Quantity]
    worse: tuple[str, Quantity]


@dataclasses.dataclass(frozen=True)
class Claim:
    """A sentence of the paper.

    Attributes:
        text: what it says.
        source: where.
        comparisons: all come out if it holds.
    """

    text: str
    source: str
    comparisons: tuple[Comparison, ...]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What came out of a comparison.

    Attributes:
        outcome: HOLDS, FAILS, UNKNOWN or NOT_RUN.
        better: mean of the measurement that should be better.
        worse: of the other one.
        gain: by how much it is better, seed by seed.
    """

    outcome: str
    better: float
    worse: float
    gain: Spread


def claims(base: str) -> list[Claim]:
    """Returns the claims, tested on a recipe and its variants `<base>-<variant>`."""

    def same(first: str, second: str, *pairs: tuple[Quantity, Quantity]) -> tuple[Comparison, ...]:
        return tuple(Comparison((first, better), (second, worse)) for better, worse in pairs)

    def over(*others: str, by: tuple[Quantity, ...]) -> tuple[Comparison, ...]:
        return tuple(Comparison((base, q), (f"{base}-{other}", q)) for other in others for q in by)

    restored = (note_f1(), f1())
    quality = (*restored, frechet(GENERATED))
    fused = (base, f"{base}-no_fusion")
    return [
        Claim(
            "After adding refine networks, each index has been improved",
            "Section V.A, Table I",
            same(base, base, *zip(table1(GENERATED), table1(UNREFINED), strict=True)),
        ),
        Claim(
            "What is restored is closest to the original data",
            "Section V.A, Table I",
            same(base, base, *zip(table1(RESTORED), table1(GENERATED), strict=True)),
        ),
        Claim(
            "Strategy 3 of fusion is the best of the three",
            "Section V.A",
            over("concatenate", "project", by=quality),
        ),
        Claim(
            "Strategy 1 with the released ReLU output does not converge (the authors' note)",
            "released code",
            same(f"{base}-concatenate", f"{base}-concatenate_relu", *((q, q) for q in restored)),
        ),
        Claim("Independent BVAEs beat a shared one", "Section V.B, Fig. 9", over("shared", by=quality)),
        Claim(
            "Fusion beats none: tracks drawn each by itself do not go together",
            "Section V.C, Table II",
            same(*fused, *((q, q) for q in (frechet(GENERATED), harmony(GENERATED)))),
        ),
        Claim(
            "Multi-label classification beats binary neurons",
            "Sections I and III.A",
            over("deterministic", "stochastic", by=quality),
        ),
        Claim("Refining in notes beats refining in bars", "Section V.A, Fig. 7", over("bars", by=restored)),
        Claim(
            "Restored music is better than generated, and that better than without fusion",
            "Section V.C, Table II",
            (
                *same(base, base, (frechet(RESTORED), frechet(GENERATED))),
                *same(*fused, (frechet(GENERATED), frechet(GENERATED))),
            ),
        ),
        Claim(
            "A bar is a better unit than a phrase of four (Section IV.A has the phrase, the code the bar)",
            "released code",
            over("phrase", by=quality),
        ),
    ]


def is_measured(comparison: Comparison, experiments: dict[str, list[Experiment]]) -> bool:
    """Returns whether the evaluations of a comparison count notes, if that is what it compares.

    An evaluation of an earlier version does not. A recipe that was not run may still do.
    """
    return all(
        quantity != note_f1() or not experiments.get(recipe) or is_known(experiments[recipe], quantity)
        for recipe, quantity in (comparison.better, comparison.worse)
    )


def judge(comparison: Comparison, experiments: dict[str, list[Experiment]]) -> Verdict:
    """Compares seed by seed; it holds, or not, where the 95 % interval of the gain does not include 0.

    Over several seeds that is Student's interval; of a single one, the intervals over songs of both, as if they
    were independent, which is wide for rows of the same songs.
    """
    (first, better), (second, worse) = comparison.better, comparison.worse
    sign = 1 if better.higher else -1
    ours, theirs = by_seed(experiments.get(first, []), better), by_seed(experiments.get(second, []), worse)
    both = ours.merge(theirs, left_index=True, right_index=True, suffixes=("", "_other"))
    gain = interval(sign * (both["mean"] - both["mean_other"]), np.hypot(both["half"], both["half_other"]))
    outcome = NOT_RUN if both.empty else UNKNOWN
    if gain.mean - gain.half > 0:
        outcome = HOLDS
    elif gain.mean + gain.half < 0:
        outcome = FAILS
    return Verdict(outcome, mean_of_known(both["mean"]), mean_of_known(both["mean_other"]), gain)


def together(verdicts: list[Verdict]) -> str:
    """Returns what the verdicts of a claim's comparisons come to."""
    outcomes = [verdict.outcome for verdict in verdicts]
    if all(outcome == NOT_RUN for outcome in outcomes):
        return NOT_RUN
    if all(outcome == HOLDS for outcome in outcomes):
        return HOLDS
    if HOLDS not in outcomes and FAILS in outcomes:
        return FAILS
    if FAILS in outcomes:
        return f"holds in {outcomes.count(HOLDS)} of {len(outcomes)}"
    return (
        UNKNOWN
        if HOLDS not in outcomes
        else f"holds in {outcomes.count(HOLDS)} of {len(outcomes)}, rest open"
    )
