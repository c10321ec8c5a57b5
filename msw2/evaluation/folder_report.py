"""A comparison of two folders of songs as files: `compare.md` to read, `compare.csv` to compute with, a picture."""

import os
import pathlib
from collections.abc import Iterable

from msw2.data.music_folder import Music
from msw2.evaluation import quality_tables, tables
from msw2.evaluation.closeness import SPLITS, TOTAL
from msw2.evaluation.eval_report import write_metrics
from msw2.evaluation.folder_comparison import (
    DISTANCE,
    MADE,
    MEASURED,
    RATIO,
    REAL,
    FolderComparison,
    distance_key,
)
from msw2.evaluation.folder_picture import draw_comparison
from msw2.evaluation.glance import copies_line
from msw2.evaluation.markdown import NONE, table, text
from msw2.evaluation.measures import TONAL_DISTANCE
from msw2.evaluation.results import FLOOR, Estimate
from msw2.music.aspects import NAMES
from msw2.system.files import replacing

FAR = 10  # times the floor: what is no music should come out at least so far
_ASPECTS = (None, *NAMES)  # the total first
_TRACKED = tuple(measure for measure in MEASURED if measure != TONAL_DISTANCE)


def markdown(comparison: FolderComparison) -> str:
    """Returns the whole report; numbers are values ± half the width of their 95 % intervals."""
    evaluation = comparison.evaluation
    parts = [
        "# Made songs beside real ones",
        f"± is half of the 95 % interval: a bootstrap of {evaluation.resamples:,} resamples of songs with all their "
        f"phrases, of distances a jackknife of tenths of the songs. {NONE}: nothing defines the value. Seed "
        f"{evaluation.seed}. `compare.csv` has the bounds, and shares for percent.",
        "## What was read",
        "A phrase is four bars of four beats. Both folders are read by the same rules "
        "(`msw2/data/music_folder.py`). Files of the same music count as one song.",
        _music(comparison.music),
        *_reasons(comparison.music),
        "## How far from real songs?",
        f"Fréchet distance between two sets of {comparison.closeness.size:,} phrases, divided by the floor, by "
        "aspect of music and in total (`msw2/music/aspects.py`). The floor is the distance between two halves of the "
        f"real songs, without a song in common; means over {SPLITS} ways to halve them. Nothing can be expected to be "
        "nearer than 1. The rows below the first are made of the real songs, and are no music: they show what this "
        "many phrases can tell.",
        _by_aspect(comparison, RATIO, (MADE, *comparison.controls)),
        *_warnings(comparison),
        "The distances themselves. The fewer the phrases, the larger they are.",
        _by_aspect(comparison, DISTANCE, (FLOOR, MADE, *comparison.controls)),
        "## Metrics",
        tables.by_measure(evaluation, _TRACKED),
        "Tonal distance of two tracks in the same beat: 0 for the same pitch classes, at most 3.",
        tables.by_measure(evaluation, [TONAL_DISTANCE], TONAL_DISTANCE.columns),
        "## Overlapping area with the real songs (%)",
        "Overlap of two densities: of the distances between real phrases by a metric, and of those from them to the "
        f"made ones (Yang and Lerch 2018). 100 is best. {FLOOR}: one half of the real songs with the other.",
        quality_tables.overlaps(evaluation, [MADE, FLOOR]),
    ]
    leans = f"If the real songs were not trained on, what is much nearer than the row {REAL} leans on training songs."
    return "\n\n".join([*parts, *quality_tables.copied(evaluation, leans)]) + "\n"


def glance(comparison: FolderComparison) -> list[str]:
    """Returns the main figures as lines to print."""
    lines = [
        f"{row:<6}{music.read:>8,} files{len(music):>9,} of {music.there:,} phrases"
        for row, music in comparison.music.items()
    ]
    lines += [
        f"  {count:>7,} {reason}"
        for music in comparison.music.values()
        for reason, count in music.left_out.items()
    ]
    lines.append(
        f"{f'distance / floor, {comparison.closeness.size:,} phrases':<32}" + _columns(map(_title, _ASPECTS))
    )
    for row in (MADE, *comparison.controls):
        ratios = (f"{_distance(comparison, row, aspect, RATIO).mean:.1f}" for aspect in _ASPECTS)
        lines.append(f"  {row:<30}" + _columns(ratios))
    evaluation = comparison.evaluation
    copies = (copies_line(evaluation.estimates, row) for row in ((MADE, REAL) if evaluation.searched else ()))
    return [*lines, *copies, *_warnings(comparison)]


def write_comparison(folder: str | os.PathLike, comparison: FolderComparison) -> list[pathlib.Path]:
    """Writes `compare.md`, `compare.csv` and `compare.png`, each whole or not at all, and returns their paths.

    Args:
        folder: made if it is missing.
        comparison: what to write.
    """
    folder = pathlib.Path(folder)
    report, values, picture = (folder / f"compare.{suffix}" for suffix in ("md", "csv", "png"))
    write_metrics(values, comparison.evaluation.estimates)
    draw_comparison(picture, comparison)
    with replacing(report) as temporary:
        temporary.write_text(markdown(comparison), encoding="utf-8")
    return [report, values, picture]


def _music(music: dict[str, Music]) -> str:
    header = ["row", "files with phrases", "songs", "phrases there", "phrases drawn", "files left out"]
    lines = [
        [
            row,
            *(
                f"{number:,}"
                for number in (
                    each.read,
                    each.different,
                    each.there,
                    len(each),
                    sum(each.left_out.values()),
                )
            ),
        ]
        for row, each in music.items()
    ]
    return table(header, lines)


def _reasons(music: dict[str, Music]) -> list[str]:
    """Returns a paragraph and a table on files left out, and on those laid on the grid though they do not fit."""
    lines = [
        [row, reason, f"{count:,}", outcome]
        for row, each in music.items()
        for outcome, reasons in (("left out", each.left_out), ("laid on bars of four beats", each.bent))
        for reason, count in reasons.items()
    ]
    return [table(["row", "reason", "files", "outcome"], lines)] if lines else []


def _by_aspect(comparison: FolderComparison, metric: str, rows: Iterable[str]) -> str:
    lines = [[row, *(text(_distance(comparison, row, each, metric), 1) for each in _ASPECTS)] for row in rows]
    return table(["row", *map(_title, _ASPECTS)], lines)


def _title(aspect: str | None) -> str:
    return aspect or TOTAL


def _columns(cells: Iterable[str]) -> str:
    return "".join(f"{cell:>10}" for cell in cells)


def _distance(comparison: FolderComparison, row: str, aspect: str | None, metric: str) -> Estimate:
    return comparison.evaluation.estimates[distance_key(row, aspect, metric)]


def _warnings(comparison: FolderComparison) -> list[str]:
    """Returns a sentence if what is no music comes out too near."""
    near = {
        name: ratio
        for name in comparison.controls
        if not (ratio := _distance(comparison, name, None, RATIO).mean) >= FAR
    }
    if not near:
        return []
    found = " and ".join(f"{name} ({ratio:.1f})" for name, ratio in near.items())
    return [
        f"With {comparison.closeness.size:,} phrases, {found} comes out less than {FAR} times as far as the floor. So "
        "the distance tells little here: give more songs."
    ]
