"""The dossier of many experiments as Markdown: claims, tables, novelty, times."""

import dataclasses
import itertools
import math
from collections.abc import Iterable

import pandas as pd

from msw2.evaluation import distances, dossier_claims, dossier_notes
from msw2.evaluation.claims import f1, frechet, note_f1, table1
from msw2.evaluation.experiments import Quantity, Runs, Spread, is_known, spread
from msw2.evaluation.markdown import italic, number, table
from msw2.evaluation.measures import COMPARED, CORRECT, NOTE_MEASURES, Measure
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


def markdown(runs: Runs, *, header: list[str], bases: tuple[str, ...], main: tuple[str, ...]) -> str:
    """Returns the dossier.

    Args:
        runs: evaluated experiments by recipe, in the order of the report.
        header: paragraphs on what was run, on what.
        bases: recipes that test the claims.
        main: recipes whose rows of Table I are given in full.
    """
    parts = [
        "# Dossier",
        *header,
        *dossier_claims.section(runs, bases),
        "## Every run",
        _EVERY_RUN,
        _every_run(runs),
    ]
    shown = [name for name in main if name in runs]
    parts += dossier_notes.section(runs, shown)
    parts += ["## Table I, by the released functions", _TABLE1, _table1(runs, shown)]
    parts += ["## Table I, by the correct definitions", _CORRECT, _correct(runs, shown)]
    for base in bases:
        if base in runs:
            parts += [f"## Table II without listeners, on `{base}`", _TABLE2, _table2(base, runs)]
    parts += ["## Is it copied?", _NOVELTY, _novelty(runs, shown), "## Wall time", _times(runs)]
    return "\n\n".join(parts) + "\n"


_EVERY_RUN = (
    "F1 of the notes and of the cells of restored songs, in percent, of test and of training songs, mean of the "
    "tracks; a note is right if its pitch and the step of its start are exact. Distances to the "
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


def _every_run(runs: Runs) -> str:
    titles = {f1(): "F1 of cells"}
    if is_known(itertools.chain(*runs.values()), note_f1()):
        titles = {note_f1(): "F1 of notes", **titles}
    scores = {
        f"{title}{songs}": dataclasses.replace(quantity, key=quantity.key._replace(row=row))
        for quantity, title in titles.items()
        for songs, row in (("", RESTORED), (", training", RESTORED_TRAIN))
    }
    groups = [
        (*table1(row), frechet(row), Quantity("", Key(row, "OA", "correct", MEAN), 100))
        for row in (RESTORED, GENERATED)
    ]
    header = ["row", "seeds", *scores, *["SR", "cells", "DP", "FD", "OA"] * 2]
    paper = [
        printed.distance(printed.PRINTED[row], printed.PRINTED[DATASET]) for row in (RESTORED, GENERATED)
    ]
    numbers = itertools.chain(*([*(italic(round(value, 2)) for value in row), "", ""] for row in paper))
    lines = [["*paper*", "", *[""] * len(scores), *numbers]]
    for recipe, experiments in runs.items():
        found = [spread(experiments, quantity) for quantity in (*scores.values(), *groups[0], *groups[1])]
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
    measures = _known((*NOTE_MEASURES, *CORRECT), {recipe: runs[recipe] for recipe in recipes})
    for recipe in recipes:
        for row in (DATASET, UNREFINED, GENERATED, RESTORED):
            cells = []
            for measure in measures:
                found = [
                    spread(
                        runs[recipe], Quantity("", Key(row, measure.name, "correct", track), measure.scale)
                    ).mean
                    for track in measure.columns
                ]
                cells.append(number(mean_of_known(found), 2))
            lines.append([f"{row}, `{recipe}`", *cells])
    return table(["row", *(measure.title for measure in measures)], lines)


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
    measures = _known(COMPARED, runs)
    for title, recipe, row, listeners in systems:
        experiments = runs.get(recipe, []) if recipe else []
        quantities = [
            frechet(row),
            Quantity("", Key(row, "FD_half", "correct", ALL)),
            Quantity("", Key(row, "OA", "correct", MEAN), 100),
            *(Quantity("", Key(row, distances.name(measure.name), "correct", ALL)) for measure in measures),
        ]
        found = [spread(experiments, quantity) for quantity in quantities]
        shown = [_blank(each) for each in found] if recipe else ["printed only"] + [""] * (len(found) - 1)
        lines.append([title, "" if listeners is None else italic(listeners), *shown])
    off = [f"off in {measure.name}" for measure in measures]
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


def _known(measures: Iterable[Measure], runs: Runs) -> list[Measure]:
    """Returns those of some measures that are of notes only if any run has them: earlier evaluations do not."""
    experiments = [*itertools.chain(*runs.values())]
    return [
        measure
        for measure in measures
        if measure not in NOTE_MEASURES
        or is_known(experiments, Quantity("", Key(DATASET, measure.name, "correct", measure.columns[0])))
    ]


def _blank(found: Spread) -> str:
    return found.text(1) if found.seeds else ""
