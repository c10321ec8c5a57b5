"""Sections of `table1.md` on how alike sets of phrases are, and on what is copied."""

from msw2.evaluation.markdown import table, text
from msw2.evaluation.measures import COMPARED
from msw2.evaluation.novelty import METRICS, NEAR
from msw2.evaluation.results import ALL, DATASET, FLOOR, MEAN, Evaluation
from msw2.music.tracks import TRACK_NAMES

_FLOOR = f"The row {FLOOR} is the second half of the dataset's songs against the first"


def sections(evaluation: Evaluation) -> list[str]:
    """Returns Markdown paragraphs: overlapping areas, Fréchet distances and, where it was measured, novelty."""
    parts: list[str] = []
    rows = [
        row for row in (*evaluation.phrases, FLOOR) if (row, "OA", "correct", MEAN) in evaluation.estimates
    ]
    if rows:
        parts += [
            "## Overlapping area with the dataset (%)",
            "Overlap of two densities: of the distances between dataset phrases by a metric, and of those from them "
            f"to the row's (Yang and Lerch 2018). 100 is best. {_FLOOR}: what real songs are to one another.",
            overlaps(evaluation, rows),
            "## Fréchet distance to the dataset",
            "Between Gaussians fitted to a vector of features of each phrase (`msw2/music/features.py`; the formula "
            "of Heusel et al. 2017), in deviations of the dataset. 0 is best, but the fewer the phrases, the larger it "
            f"is. {_FLOOR}: compare it with the rest of the last column, which has as few.",
            _frechet(evaluation, rows),
        ]
    leans = (
        f"What is much nearer than the row {DATASET}, songs that were not heard, leans on those that were."
    )
    return parts + copied(evaluation, leans)


def copied(evaluation: Evaluation, leans: str) -> list[str]:
    """Returns paragraphs on the distances to training phrases; none where they were not measured.

    Args:
        evaluation: with or without them.
        leans: a sentence that says when a row leans on training songs.
    """
    if evaluation.searched is None:
        return []
    searched, there = evaluation.searched
    among = f"{there:,}" if searched == there else f"{searched:,} of the {there:,}"
    return [
        "## Is it copied?",
        f"Distance (1 - F1 over the cells of all tracks, %) to the nearest of {among} training phrases, in any "
        f"transposition by up to six semitones. A near copy is at most {100 * NEAR:g} % away. {leans}",
        _novelty(evaluation),
    ]


def overlaps(evaluation: Evaluation, rows: list[str]) -> str:
    """Returns the table of overlapping areas of rows, in percent, mean first."""
    lines = []
    for title, metric in (("mean", "OA"), *((measure.name, f"OA_{measure.name}") for measure in COMPARED)):
        for row in rows:
            columns = (*TRACK_NAMES, MEAN)
            found = [evaluation.estimates.get((row, metric, "correct", column)) for column in columns]
            first = title if row == rows[0] else ""
            lines.append([first, row, *("" if each is None else text(each, 100) for each in found)])
    return table(["metric", "row", *TRACK_NAMES, MEAN], lines)


def _frechet(evaluation: Evaluation, rows: list[str]) -> str:
    lines = []
    for row in rows:
        found = [evaluation.estimates.get((row, metric, "correct", ALL)) for metric in ("FD", "FD_half")]
        lines.append([row, *("" if each is None else text(each, 1) for each in found)])
    return table(["row", "to the dataset", "to its first half"], lines)


def _novelty(evaluation: Evaluation) -> str:
    """Returns the table of distances to training phrases, of the rows that have them."""
    rows = [row for row in evaluation.phrases if (row, METRICS[0], "correct", ALL) in evaluation.estimates]
    lines = [
        [row, *(text(evaluation.estimates[row, m, "correct", ALL], 100) for m in METRICS)] for row in rows
    ]
    return table(["row", "median", "5 % quantile", "copies (%)", "near copies (%)"], lines)
