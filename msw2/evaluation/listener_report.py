"""Table II from listeners: Markdown to read, CSV to compute with."""

import csv
import dataclasses
import itertools
import math
import pathlib

import numpy as np

from msw2.evaluation.listener_statistics import (
    ALPHA,
    POWER,
    holm,
    listeners_needed,
    mean_interval,
    ordinal_alpha,
    signed_rank,
)
from msw2.evaluation.listeners import Ratings
from msw2.evaluation.markdown import NONE, italic, number, table
from msw2.evaluation.table2 import LISTENERS, PRINTED
from msw2.page.questions import QUESTIONS
from msw2.system.files import replacing

OVERALL = "overall"
COLUMNS = (*(question.name for question in QUESTIONS), OVERALL)
DIFFERENCE = (
    0.3  # of two systems' means: that of restore and MuseGAN in Table II is 0.15, of the next two 0.42
)
FILES = ("table2.md", "table2.csv", "pairs.csv", "agreement.csv")


@dataclasses.dataclass(frozen=True)
class Score:
    """What listeners say of a system.

    Attributes:
        mean: of the listeners' means, float64 [column]: the six questions, then overall.
        half: half of the 95 % interval, float64 [column]; NaN for one listener.
    """

    mean: np.ndarray
    half: np.ndarray


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two systems, compared by the listeners' overall means.

    Attributes:
        first: the system with the higher mean.
        second: the other one.
        difference: of their means.
        half: half of its 95 % interval.
        deviation: standard deviation of the listeners' differences; NaN for one listener.
        p: of Wilcoxon's signed-rank test.
        adjusted: the same after Holm's correction over all pairs.
        needed: listeners who show a difference of `DIFFERENCE` between these two alone.
        needed_in_all: the same if every pair is tested: at the first and strictest level of Holm's correction.
    """

    first: str
    second: str
    difference: float
    half: float
    deviation: float
    p: float
    adjusted: float
    needed: float
    needed_in_all: float


def score(ratings: Ratings) -> dict[str, Score]:
    """Returns the scores of each system, the best overall first."""
    means = _means(ratings)
    scores = {system: Score(*mean_interval(values)) for system, values in means.items()}
    return dict(sorted(scores.items(), key=lambda item: -item[1].mean[-1]))


def compare(ratings: Ratings) -> list[Pair]:
    """Returns every pair of systems, in the order of `score`."""
    means = _means(ratings)
    pairs = list(itertools.combinations(score(ratings), 2))
    differences = [means[first][:, -1] - means[second][:, -1] for first, second in pairs]
    p = [signed_rank(values) for values in differences]
    found = []
    for (first, second), values, alone, adjusted in zip(pairs, differences, p, holm(p), strict=True):
        mean, half = mean_interval(values)
        deviation = float(values.std(ddof=1)) if len(values) > 1 else math.nan
        needed = [listeners_needed(DIFFERENCE, deviation, level) for level in (ALPHA, ALPHA / len(pairs))]
        found.append(
            Pair(first, second, float(mean), float(half), deviation, alone, float(adjusted), *needed)
        )
    return found


def agree(ratings: Ratings) -> dict[str, float]:
    """Returns Krippendorff's ordinal alpha between the listeners, over the clips, for each question."""
    return {
        question.name: ordinal_alpha(ratings.scores[..., place]) for place, question in enumerate(QUESTIONS)
    }


def markdown(ratings: Ratings) -> str:
    """Returns the report."""
    pairs = compare(ratings)
    listeners, clips = ratings.scores.shape[:2]
    parts = [
        "# Listening test",
        f"{_count(listeners, 'listener')}, {_count(clips, 'clip')} of "
        f"{_count(len(ratings.key.systems), 'system')}, scores from 1 (bad) to 5 (excellent). "
        f"Test `{ratings.key.test}`, seed {ratings.key.seed}. "
        f"A listener heard a clip for {np.median(ratings.seconds):.0f} seconds (median).",
        "## Table II",
        "± is half of a 95 % interval: Student's t over listeners, each with one mean a system. It says what other "
        "listeners would answer on the same clips. It does not say how other clips of a system would do. "
        f"{NONE}: one listener has no interval.",
        _table2(ratings),
        f"Rows in italics are printed in the paper: {LISTENERS} other listeners, other music.",
    ]
    if pairs:
        parts += ["## Pairs of systems", _explained(listeners, len(pairs)), _pairs(pairs)]
    parts += [
        "## Do the listeners agree?",
        "Krippendorff's alpha for ordinal scores, over the clips: 1 is full agreement, 0 is chance. "
        f"{NONE}: it needs two listeners, and scores that differ.",
        table(["quantity", "alpha"], [[name, number(value, 2)] for name, value in agree(ratings).items()]),
    ]
    return "\n\n".join(parts) + "\n"


def write_report(folder: pathlib.Path, ratings: Ratings) -> list[pathlib.Path]:
    """Writes the report and its numbers, each file whole or not at all; returns their paths.

    `table2.md` is `markdown`. `table2.csv` has a line a system and column, with the printed figure where Table II
    has one; `pairs.csv` a line a pair; `agreement.csv` a line a question. A number that is not known is empty.
    """
    paths = [folder / name for name in FILES]
    with replacing(paths[0]) as temporary:
        temporary.write_text(markdown(ratings), "utf-8")
    _write_csv(paths[1], ["system", "question", "mean", "low", "high", "printed"], _score_lines(ratings))
    names = [field.name for field in dataclasses.fields(Pair)]
    _write_csv(paths[2], names, [list(dataclasses.astuple(pair)) for pair in compare(ratings)])
    _write_csv(paths[3], ["question", "alpha"], [list(item) for item in agree(ratings).items()])
    return paths


def _means(ratings: Ratings) -> dict[str, np.ndarray]:
    """Returns the listeners' means of each system, [listener, column]."""
    return {
        system: np.concatenate([values, values.mean(axis=1, keepdims=True)], axis=1)
        for system, values in ratings.by_system().items()
    }


def _table2(ratings: Ratings) -> str:
    lines = []
    for system, found in score(ratings).items():
        cells = [number(mean, 2, half) for mean, half in zip(found.mean, found.half, strict=True)]
        lines.append([_cell(system), *cells])
    for system, printed in PRINTED.items():
        cells = [italic(value, ".2f") for value in (*printed.scores, printed.average)]
        lines.append([f"*{system}, paper*", *cells])
    return table(["row", *(question.short for question in QUESTIONS), OVERALL], lines)


def _explained(listeners: int, pairs: int) -> str:
    return (
        "p is of Wilcoxon's signed-rank test over the listeners' overall means, exact. Holm's correction is over all "
        f"{_count(pairs, 'pair')}. {_count(listeners, 'listener')} cannot reach a p below {2 / 2**listeners:.2g}. "
        f"The last two columns say how many listeners show a difference of {DIFFERENCE:g}, with a power of "
        f"{POWER:g} at the level {ALPHA:g}, from the deviation of the differences. The first holds for one pair that "
        "was chosen beforehand. The second holds for each pair when all are tested: it takes the strictest level of "
        f"Holm's correction, {ALPHA / pairs:.2g}. Few listeners make a rough deviation, and so a rough number."
    )


def _pairs(pairs: list[Pair]) -> str:
    header = [
        "comparison",
        "difference",
        "deviation",
        "p",
        "p, Holm",
        "needed, one pair",
        "needed, all pairs",
    ]
    lines = []
    for pair in pairs:
        lines.append(
            [
                f"{_cell(pair.first)} / {_cell(pair.second)}",
                number(pair.difference, 2, pair.half),
                number(pair.deviation, 2),
                f"{pair.p:.2g}",
                f"{pair.adjusted:.2g}",
                number(pair.needed, 0),
                number(pair.needed_in_all, 0),
            ]
        )
    return table(header, lines)


def _score_lines(ratings: Ratings) -> list[list]:
    lines = []
    for system, found in score(ratings).items():
        printed = PRINTED.get(system)
        papers = [math.nan] * len(COLUMNS) if printed is None else [*printed.scores, printed.average]
        for column, mean, half, paper in zip(COLUMNS, found.mean, found.half, papers, strict=True):
            lines.append([system, column, mean, mean - half, mean + half, paper])
    return lines


def _write_csv(path: pathlib.Path, header: list[str], lines: list[list]) -> None:
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([_field(value) for value in line] for line in lines)


def _field(value: str | float) -> str | int:
    """Returns a value for a CSV: six digits, and nothing for what is not known."""
    if isinstance(value, str | int):
        return value
    return "" if math.isnan(value) else f"{value:.6g}"


def _cell(name: str) -> str:
    """Returns a system's name for a cell of a table."""
    return name.replace("|", "\\|")


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
