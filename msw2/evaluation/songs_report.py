"""The evaluation of songs and verbs as files: `songs.md` to read, `songs.csv` to compute with."""

import os
import pathlib
from collections.abc import Sequence

from msw2.evaluation import gap_scores, gaps, paths
from msw2.evaluation.eval_report import write_metrics
from msw2.evaluation.markdown import NONE, number, table, text
from msw2.evaluation.results import ALL, Key
from msw2.evaluation.run_songs import CONTINUE, GENERATE, SongEvaluation
from msw2.evaluation.song_measures import (
    ALIKE,
    CELLS,
    DISTANCES,
    NOTES,
    SAME_KEY,
    SOUNDING,
    TRACKS_ALIKE,
)
from msw2.music.tracks import TRACK_NAMES
from msw2.system.files import replacing

Line = tuple[str, str, str, float]  # title, row, metric, factor to what is printed


def write_songs_report(
    folder: str | os.PathLike, evaluation: SongEvaluation, *, preset: str, machine: str, seconds: float
) -> tuple[pathlib.Path, pathlib.Path]:
    """Writes `songs.md` and `songs.csv`, each whole or not at all, and returns their paths.

    Args:
        folder: made if it is missing.
        evaluation: what to write.
        preset: name of the model's preset.
        machine: in one line.
        seconds: that the evaluation took.
    """
    folder = pathlib.Path(folder)
    page, values = folder / "songs.md", folder / "songs.csv"
    write_metrics(values, evaluation.estimates)
    written = markdown(evaluation, preset=preset, machine=machine, seconds=seconds)
    with replacing(page) as temporary:
        temporary.write_text(written, encoding="utf-8")
    return page, values


def markdown(evaluation: SongEvaluation, *, preset: str, machine: str, seconds: float) -> str:
    """Returns the whole page; numbers are means ± half the width of their 95 % intervals."""
    request = evaluation.request
    counts = ", ".join(f"{count:,} {name}" for name, count in evaluation.counts.items())
    searched, trained = evaluation.searched
    parts = [
        "# Songs and verbs",
        f"Preset `{preset}`, split `{request.split}`, seed {request.seed}, temperature {request.temperature:g}; "
        f"{request.draws} draws of each; {request.songs:,} songs of {request.bars} bars a draw. "
        f"Held out, and stretches of them: {counts}. "
        f"± is half of the 95 % interval: bootstrap ({request.resamples:,} resamples of songs with all that is of "
        "them). The lines of single seeds have none. `songs.csv` has the bounds, and shares for percent. "
        f"{NONE}: nothing defines the value. {seconds:.0f} s on {machine}.",
        f"## {GENERATE}: songs from nothing",
        "How alike two bars of a song are, by their distance in bars: cells that both have / cells that either has, "
        "all tracks together; then the same of one track, the mean over the tracks. "
        "Same key: pairs of neighbouring phrases with the same best major or relative minor key.",
        _alike(evaluation, GENERATE),
        _full(evaluation, GENERATE),
        "## accompany: one track is hidden",
        f"Stretches of {gaps.BARS} bars in which the track and something beside it sound. "
        + _baselines(searched, trained),
        _gap(evaluation, gaps.ACCOMPANY, TRACK_NAMES, (gap_scores.OTHER_CONTEXT, gaps.NEAREST)),
        "Tonal distance: of the track to the other pitched tracks together. Bass with drums: steps at which a note of "
        "the bass starts and the drums sound, too / steps at which a note of the bass starts; with the bass hidden, "
        "and with the drums hidden.",
        _context(evaluation),
        "## infill: two bars of eight are hidden",
        "Bars 6 and 7 of eight, all tracks. Four bars before: what the song itself has a phrase earlier.",
        _gap(
            evaluation, "infill", (*TRACK_NAMES, ALL), (gap_scores.OTHER_CONTEXT, gaps.NEAREST, gaps.BEFORE)
        ),
        f"## {CONTINUE}: {request.bars // 4} bars after {request.bars // 4} bars",
        "Of two bars, one is given, and the other comes after the seam. Real: what the song goes on with.",
        _alike(evaluation, CONTINUE),
        _full(evaluation, CONTINUE),
        f"## {paths.VERB}: {paths.POINTS} points between phrases of two songs",
        "A step is the change from one point to the next: of cells and notes 1 - F1, of the key the distance of the "
        f"tonal centroids. Steady: the largest step is at most {paths.STEADY:g} times the mean step.",
        _paths(evaluation),
        "## Seconds",
        "One call in one process, the middle of three, after one that is not counted.",
        table(["metric", "seconds"], [[name, number(each, 2)] for name, each in evaluation.seconds.items()]),
    ]
    return "\n\n".join(parts) + "\n"


def _baselines(searched: int, trained: int) -> str:
    return (
        "F1 of notes: pitch and start are exact. Another song's context: what was written for another song, held to "
        "this song's original. Nearest phrase: the same part of that training phrase whose rest is nearest to this "
        f"rest, in the best transposition, of {searched:,} of {trained:,} phrases. Differences are in pairs."
    )


def _alike(evaluation: SongEvaluation, row: str) -> str:
    """Returns a table of how alike bars are, and how many phrases have one key if that was measured."""
    rows = {"made": row, "real": f"{row}, real", "made - real": f"{row} - real"}
    rows |= {f"made, seed {draw}": f"{row}, seed {draw}" for draw in range(evaluation.request.draws)}
    columns = {f"{bars} apart": (ALIKE, str(bars), 1.0) for bars in DISTANCES}
    columns |= {f"track, {bars} apart": (TRACKS_ALIKE, str(bars), 1.0) for bars in DISTANCES}
    if Key(row, SAME_KEY, "correct", ALL) in evaluation.estimates:
        columns["same key (%)"] = SAME_KEY, ALL, 100.0
    return table(
        ["row", *columns],
        [
            [title, *(_cell(evaluation, key, *each) for each in columns.values())]
            for title, key in rows.items()
        ],
    )


def _full(evaluation: SongEvaluation, row: str) -> str:
    titles = {CELLS: "cells a bar", NOTES: "notes a bar", SOUNDING: "sounding tracks a bar"}
    lines = [
        (f"{title}, {what}", key, metric, 1)
        for metric, title in titles.items()
        for what, key in (("made", row), ("real", f"{row}, real"), ("made / real", f"{row} / real"))
    ]
    return _table(evaluation, lines, (*TRACK_NAMES, ALL))


def _gap(evaluation: SongEvaluation, verb: str, columns: Sequence[str], others: Sequence[str]) -> str:
    lines: list[Line] = [("F1 of notes (%)", verb, gap_scores.F1, 100)]
    lines += [(name, f"{verb}, {name}", gap_scores.F1, 100) for name in others]
    lines += [(f"F1 - {name}", f"{verb} - {name}", gap_scores.F1, 100) for name in others]
    lines += [
        (f"F1, seed {draw}", f"{verb}, seed {draw}", gap_scores.F1, 100)
        for draw in range(evaluation.request.draws)
    ]
    return _table(evaluation, [*lines, ("notes made / there (%)", verb, gap_scores.MADE, 100)], columns)


def _context(evaluation: SongEvaluation) -> str:
    titles = {gap_scores.TONAL: ("tonal distance", 1), gap_scores.TOGETHER: ("bass with drums (%)", 100)}
    lines = [
        (f"{title}, {what}", f"{gaps.ACCOMPANY}{key}", metric, scale)
        for metric, (title, scale) in titles.items()
        for what, key in (("made", ""), ("original", ", real"), ("made - original", " - real"))
    ]
    return _table(evaluation, lines, TRACK_NAMES)


def _paths(evaluation: SongEvaluation) -> str:
    lines = [
        ("mean step", paths.VERB, paths.MEAN_STEP, 1),
        ("largest step / mean step", paths.VERB, paths.LARGEST, 1),
        ("steady paths (%)", paths.VERB, paths.IS_STEADY, 100),
    ]
    ends = [
        ("ends against restorations, F1 of notes (%)", paths.VERB, paths.ENDS, 100),
        ("ends that are the restorations (%)", paths.VERB, paths.EXACT, 100),
        ("notes of a point between / of an end (%)", paths.VERB, paths.BETWEEN, 100),
    ]
    return f"{_table(evaluation, lines, paths.KINDS)}\n\n{_table(evaluation, ends, (ALL,))}"


def _table(evaluation: SongEvaluation, lines: Sequence[Line], columns: Sequence[str]) -> str:
    return table(
        ["metric", *columns],
        [
            [title, *(_cell(evaluation, row, metric, column, scale) for column in columns)]
            for title, row, metric, scale in lines
        ],
    )


def _cell(evaluation: SongEvaluation, row: str, metric: str, column: str, scale: float) -> str:
    """Returns an estimate as text; empty where the metric has no such column."""
    estimate = evaluation.estimates.get(Key(row, metric, "correct", column))
    return "" if estimate is None else text(estimate, scale)
