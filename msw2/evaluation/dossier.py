"""The dossier of many experiments as Markdown: claims, tables, novelty, times."""

import itertools
import math

import pandas as pd

from msw2.evaluation import distances
from msw2.evaluation.claims import (
    Claim,
    Verdict,
    claims,
    f1,
    frechet,
    judge,
    table1,
    together,
)
from msw2.evaluation.experiments import Experiment, Quantity, Spread, spread
from msw2.evaluation.markdown import italic, number, table
from msw2.evaluation.measures import CORRECT
from msw2.evaluation.novelty import METRICS
from msw2.evaluation.results import (
    ALL,
    DATASET,
    FLOOR,
    GENERATED,
    MEAN,
    RESTORED,
    RESTORED_TRAIN,
    UNREFINED,
    Key,
    mean_of_known,
)
from msw2.evaluation.table2 import PRINTED
from msw2.music import table1 as printed
from msw2.music.tracks import DRUMS, TRACK_NAMES

Runs = dict[str, list[Experiment]]


def markdown(runs: Runs, *, header: list[str], bases: tuple[str, ...], main: tuple[str, ...]) -> str:
    """Returns the dossier.

    Args:
        runs: evaluated experiments by recipe, in the order of the report.
        header: paragraphs on what was run, on what.
        bases: recipes that test the claims.
        main: recipes whose rows of Table I are given in full.
    """
    parts = ["# Dossier", *header, "## The claims of the paper", _INTERVALS]
    for base in bases:
        if base in runs:
            parts += [f"### On `{base}`", *_claims(base, runs)]
    parts += ["## Every run", _EVERY_RUN, _every_run(runs)]
    shown = [name for name in main if name in runs]
    parts += ["## Table I, by the released functions", _TABLE1, _table1(runs, shown)]
    parts += ["## Table I, by the correct definitions", _CORRECT, _correct(runs, shown)]
    for base in bases:
        if base in runs:
            parts += [f"## Table II without listeners, on `{base}`", _TABLE2, _table2(base, runs)]
    parts += ["## Is it copied?", _NOVELTY, _novelty(runs, shown), "## Wall time", _times(runs)]
    return "\n\n".join(parts) + "\n"


_INTERVALS = (
    "A gain is how much the first is better than the second, seed by seed, in the unit of the quantity. ± is half of "
    "a 95 % interval: Student's over seeds where there are several, else over phrases (bootstrap; of FD and OA a "
    "jackknife). A claim holds, or does not, where that interval does not include 0; where neither interval is known, "
    "it cannot be told."
)
_EVERY_RUN = (
    "F1 over cells of restored songs, in percent, of test and of training songs, mean of the tracks; distances to the "
    "dataset row of Table I by the released functions; FD, Fréchet distance, and OA, overlapping area in percent, to "
    "the test songs. The first group is restored (MSR), the second generated (MSG2). The row *paper* is printed there."
)
_TABLE1 = "Rows in italics are the paper's, columns re-labelled. SR and DP in percent, cells a bar."
_CORRECT = (
    "Mean of the tracks (DP: drums). What each metric is stands in `msw2/music/metrics.py` and `tonality.py`."
)
_TABLE2 = (
    "The paper asked thirteen listeners. In their place: distance of the same systems' music to songs that were not "
    "heard. What one half of these songs is to the other is the floor, to be compared with the column that has as few. "
    "Off: mean over tracks of how far a correct metric is from that of these songs, in its unit in the table above."
)
_NOVELTY = (
    "Distance (1 - F1 over the cells of all tracks, %) from generated phrases, and from phrases of songs that were not "
    "heard, to the nearest phrase trained on, in any of 13 transpositions; shares of copies and near copies, %."
)


def _claims(base: str, runs: Runs) -> list[str]:
    summary, details = [], []
    for place, claim in enumerate(claims(base), start=1):
        verdicts = [judge(comparison, runs) for comparison in claim.comparisons]
        summary.append([str(place), claim.text, claim.source, f"**{together(verdicts)}**"])
        details += _details(place, claim, verdicts)
    return [
        table(["row", "claim", "source", "outcome"], summary),
        table(["row", "first", "second", "quantity", "first", "second", "gain", "outcome"], details),
    ]


def _details(place: int, claim: Claim, verdicts: list[Verdict]) -> list[list[str]]:
    lines = []
    for comparison, verdict in zip(claim.comparisons, verdicts, strict=True):
        (first, better), (second, worse) = comparison.better, comparison.worse
        title = better.title if better == worse else f"{better.title} / {worse.title}"
        numbers = [number(verdict.better, 2), number(verdict.worse, 2), verdict.gain.text(2)]
        lines.append([str(place), f"`{first}`", f"`{second}`", title, *numbers, verdict.outcome])
    return lines


def _every_run(runs: Runs) -> str:
    trained = Quantity("", Key(RESTORED_TRAIN, "F1", "correct", MEAN), 100)
    groups = [
        (*table1(row), frechet(row), Quantity("", Key(row, "OA", "correct", MEAN), 100))
        for row in (RESTORED, GENERATED)
    ]
    header = ["row", "seeds", "F1", "F1 training", *["SR", "cells", "DP", "FD", "OA"] * 2]
    paper = [
        printed.distance(printed.PRINTED[row], printed.PRINTED[DATASET]) for row in (RESTORED, GENERATED)
    ]
    numbers = itertools.chain(*([*(italic(round(value, 2)) for value in row), "", ""] for row in paper))
    lines = [["*paper*", "", "", "", *numbers]]
    for recipe, experiments in runs.items():
        found = [spread(experiments, quantity) for quantity in (f1(), trained, *groups[0], *groups[1])]
        lines.append([f"`{recipe}`", str(len(experiments)), *(each.text(1) for each in found)])
    return table(header, lines)


def _table1(runs: Runs, recipes: list[str]) -> str:
    cells = [TRACK_NAMES[index] for index in printed.PRINTED_CELL_TRACKS]
    header = ["row", *(f"SR {track}" for track in TRACK_NAMES), *(f"cells {track}" for track in cells), "DP"]
    lines = []
    for row in (DATASET, UNREFINED, GENERATED, RESTORED):
        paper = printed.PRINTED[row]
        numbers = [
            *paper.scale_ratio,
            *(paper.cells[i] for i in printed.PRINTED_CELL_TRACKS),
            paper.drum_pattern,
        ]
        lines.append([f"*{row}, paper*", *map(italic, numbers)])
        for recipe in recipes:
            keys = [("SR", track, 100) for track in TRACK_NAMES] + [("cells", track, 1) for track in cells]
            found = [
                spread(runs[recipe], Quantity("", Key(row, metric, "released", track), scale))
                for metric, track, scale in (*keys, ("DP", TRACK_NAMES[DRUMS], 100))
            ]
            lines.append([f"{row}, `{recipe}`", *(each.text(1) for each in found)])
    return table(header, lines)


def _correct(runs: Runs, recipes: list[str]) -> str:
    lines = []
    for recipe in recipes:
        for row in (DATASET, UNREFINED, GENERATED, RESTORED):
            cells = []
            for measure in CORRECT:
                found = [
                    spread(
                        runs[recipe], Quantity("", Key(row, measure.name, "correct", track), measure.scale)
                    ).mean
                    for track in measure.columns
                ]
                cells.append(number(mean_of_known(found), 2))
            lines.append([f"{row}, `{recipe}`", *cells])
    return table(["row", *(measure.title for measure in CORRECT)], lines)


def _table2(base: str, runs: Runs) -> str:
    systems = [
        ("songs that were not heard", base, FLOOR, None),
        ("restore", base, RESTORED, PRINTED["restore"].average),
        ("MuseGAN", None, "", PRINTED["MuseGAN"].average),
        ("generate", base, GENERATED, PRINTED["generate"].average),
        ("MidiNet", None, "", PRINTED["MidiNet"].average),
        ("no fusion", f"{base}-no_fusion", GENERATED, PRINTED["no fusion"].average),
    ]
    lines = []
    for title, recipe, row, listeners in systems:
        experiments = runs.get(recipe, []) if recipe else []
        quantities = [
            frechet(row),
            Quantity("", Key(row, "FD_half", "correct", ALL)),
            Quantity("", Key(row, "OA", "correct", MEAN), 100),
            *(Quantity("", Key(row, distances.name(measure.name), "correct", ALL)) for measure in CORRECT),
        ]
        found = [spread(experiments, quantity) for quantity in quantities]
        shown = [_blank(each) for each in found] if recipe else ["printed only"] + [""] * (len(found) - 1)
        lines.append([title, "" if listeners is None else italic(listeners), *shown])
    off = [f"off in {measure.name}" for measure in CORRECT]
    return table(["row", "listeners, printed", "FD", "FD to half", "OA", *off], lines)


def _novelty(runs: Runs, recipes: list[str]) -> str:
    lines = []
    for recipe in recipes:
        for row, title in ((GENERATED, "generated"), (DATASET, "not heard")):
            found = [
                spread(runs[recipe], Quantity("", Key(row, metric, "correct", ALL), 100))
                for metric in METRICS
            ]
            lines.append([f"{title}, `{recipe}`", *(each.text(1) for each in found)])
    return table(["row", "median", "5 % quantile", "copies", "near copies"], lines)


def _times(runs: Runs) -> str:
    experiments = [*itertools.chain(*runs.values())]
    minutes = pd.DataFrame([each.seconds for each in experiments], dtype=float) / 60
    lines = []
    for each, (_, own) in zip(experiments, minutes.iterrows(), strict=True):
        numbers = ["" if math.isnan(value) else f"{value:.1f}" for value in own]
        lines.append([f"`{each.recipe}`, seed {each.seed}", *numbers, f"{own.sum():.1f}"])
    lines.append(["all", *[""] * len(minutes.columns), f"{minutes.sum().sum():.0f}"])
    return table(["row", *(f"{name}, minutes" for name in minutes), "all"], lines)


def _blank(found: Spread) -> str:
    return found.text(1) if found.seeds else ""
