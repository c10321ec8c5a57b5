"""An evaluation as Markdown: our rows beside the paper's Table I, then the correct metrics."""

from collections.abc import Sequence

from msw2.evaluation import distances, quality_tables
from msw2.evaluation.markdown import NONE, italic, table, text
from msw2.evaluation.measures import (
    COLLAPSE,
    CORRECT,
    NOTE_MEASURES,
    SCORES,
    SCORES_TEXT,
    TABLE1,
    TONAL_DISTANCE,
    Measure,
)
from msw2.evaluation.results import (
    ALL,
    DATASET,
    GENERATED,
    MEAN,
    RESTORED,
    RESTORED_TRAIN,
    UNREFINED,
    Evaluation,
)
from msw2.music import table1
from msw2.music.tracks import DRUMS, TRACK_NAMES

_DESCRIPTIONS = {
    UNREFINED: f"{UNREFINED}, generate without refine",
    GENERATED: f"{GENERATED}, generate",
    RESTORED: f"{RESTORED}, restore",
}


def markdown(evaluation: Evaluation, *, split: str, preset: str) -> str:
    """Returns the whole report; numbers are means ± half the width of their 95 % intervals."""
    phrases = ", ".join(f"{count:,} in {row}" for row, count in evaluation.phrases.items())
    if evaluation.songs is not None:
        phrases += f"; those of {DATASET} are of {evaluation.songs:,} songs"
    parts = [
        "# Evaluation",
        f"Preset `{preset}`, split `{split}`, seed {evaluation.seed}; phrases: {phrases}. "
        f"± is half of the 95 % interval: bootstrap ({evaluation.resamples:,} resamples of songs with all their "
        "phrases; a generated phrase is a song of its own), of overlapping areas and Fréchet distances a jackknife of "
        "tenths of the songs; "
        "`metrics.csv` has its bounds, and shares for percent, but distances as here. "
        f"{NONE}: nothing defines the value.",
        *_restorations(evaluation),
        "## Notes",
        "A note is a run of cells of one pitch; on drums every cell is a note. A bar repeats the bar before it if "
        "all its cells are the same.",
        by_measure(evaluation, NOTE_MEASURES),
        "## Table I, by the released functions",
        "As the released code computes them, faults included (`msw2/music/table1.py`): SR and DP in percent, "
        'and cells a bar for "UPC". Rows in italics are the paper\'s, with its columns re-labelled.',
        _table1(evaluation),
        "Mean distance to the dataset row, over the columns that the paper prints (all but the piano's "
        "cells). Smaller is better. Chance alone makes some distance, which intervals allow for: they may lie "
        "below their values.",
        _distances(evaluation),
        "## The correct metrics",
        by_measure(evaluation, CORRECT),
        "Tonal distance of two tracks in the same beat: 0 for the same pitch classes, at most 3.",
        by_measure(evaluation, [TONAL_DISTANCE], TONAL_DISTANCE.columns),
    ]
    if len(evaluation.phrases) > 1:
        parts += [
            "Mean distance to the dataset row, over the tracks (of TD over the pairs), each in the unit of its "
            "metric. Smaller is better.",
            _correct_distances(evaluation),
        ]
    parts += quality_tables.sections(evaluation)
    parts += ["## Has a track collapsed?", _collapse(evaluation)]
    return "\n\n".join(parts) + "\n"


def _restorations(evaluation: Evaluation) -> list[str]:
    """Returns paragraphs on restored songs: those held out, and those trained on. What was not measured is left out."""
    parts = []
    for row, title in (
        (RESTORED, "Restored against original (%)"),
        (RESTORED_TRAIN, "The same for training songs (%)"),
    ):
        if (row, "F1", "correct", MEAN) in evaluation.estimates:
            parts += [f"## {title}", *([] if parts else [SCORES_TEXT]), _restoration(evaluation, row)]
    return parts


def _table1(evaluation: Evaluation) -> str:
    header = [
        "row",
        *(f"SR {track}" for track in TRACK_NAMES),
        *(f"cells {track}" for track in TRACK_NAMES),
        "DP",
    ]
    columns = [(measure, track) for measure in TABLE1 for track in measure.columns]
    lines = []
    for row in evaluation.phrases:
        cells = [text(evaluation.estimates[row, m.name, "released", track], m.scale) for m, track in columns]
        lines.append([_DESCRIPTIONS.get(row, row), *cells])
        if row in table1.PRINTED:
            printed = table1.PRINTED[row]
            scale = [italic(value, ".1f") for value in printed.scale_ratio]
            cells = [italic(value) for value in printed.cells]
            lines.append([f"*{row}, paper*", *scale, *cells, italic(printed.drum_pattern, ".1f")])
    return table(header, lines)


def _distances(evaluation: Evaluation) -> str:
    lines = []
    for row in _compared(evaluation):
        lines.append([_DESCRIPTIONS.get(row, row), *(_distance(evaluation, row, m) for m in TABLE1)])
        if row in table1.PRINTED:
            paper = table1.distance(table1.PRINTED[row], table1.PRINTED[DATASET])
            lines.append([f"*{row}, paper*", *(italic(value, ".2f") for value in paper)])
    return table(["row", *(measure.title for measure in TABLE1)], lines)


def _correct_distances(evaluation: Evaluation) -> str:
    rows = _compared(evaluation)
    lines = [[m.title, *(_distance(evaluation, row, m) for row in rows)] for m in distances.COMPARED]
    return table(["metric", *rows], lines)


def _compared(evaluation: Evaluation) -> list[str]:
    return [row for row in evaluation.phrases if row != DATASET]


def _distance(evaluation: Evaluation, row: str, measure: Measure) -> str:
    return text(evaluation.estimates[row, distances.name(measure.name), measure.definition, ALL], 1)


def by_measure(
    evaluation: Evaluation, measures: Sequence[Measure], columns: Sequence[str] = TRACK_NAMES
) -> str:
    """Returns a table of measures, a line a row of the evaluation, with their intervals.

    Args:
        evaluation: with an estimate of each measure for each row.
        measures: in order.
        columns: tracks, or pairs of tracks.
    """
    lines = [
        line
        for measure in measures
        for line in _lines(evaluation, measure.name, measure.title, measure.scale, columns)
    ]
    return table(["metric", "row", *columns], lines)


def _lines(
    evaluation: Evaluation, metric: str, title: str, scale: float, columns: Sequence[str] = TRACK_NAMES
) -> list[list[str]]:
    """One line a row, the title in the first; a column that the metric does not have is left empty."""
    lines = []
    for row in evaluation.phrases:
        estimates = [evaluation.estimates.get((row, metric, "correct", column)) for column in columns]
        lines.append(["" if lines else title, row, *("" if e is None else text(e, scale) for e in estimates)])
    return lines


def _restoration(evaluation: Evaluation, row: str) -> str:
    columns = (*TRACK_NAMES, MEAN)
    lines = []
    for score, title in SCORES.items():
        estimates = [evaluation.estimates[row, score, "correct", column] for column in columns]
        lines.append([title, *(text(estimate, 100) for estimate in estimates)])
    return table(["metric", *columns], lines)


def _collapse(evaluation: Evaluation) -> str:
    lines = [line for m in COLLAPSE for line in _lines(evaluation, m.name, m.title, m.scale)]
    lines += _lines(evaluation, "cells_ratio", "Cells a bar / the dataset's", 1)
    rows = table(["metric", "row", *TRACK_NAMES], lines)
    kept = evaluation.estimates.get((RESTORED, "bars_kept", "correct", TRACK_NAMES[DRUMS]))
    if kept is None:
        return rows
    return (
        f"{rows}\n\nRestored drums sound in {text(kept, 100)} % of the bars in which the original has drums."
    )
