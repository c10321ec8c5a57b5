"""A comparison of two folders of songs as one picture."""

import os

import numpy as np
from matplotlib.axes import Axes

from msw2.evaluation.closeness import TOTAL
from msw2.evaluation.folder_comparison import MADE, RATIO, REAL, FolderComparison, distance_key
from msw2.evaluation.measures import COMPARED, NOTE_MEASURES
from msw2.evaluation.results import FLOOR, MEAN, Estimate
from msw2.inference.pictures import COLOURS, FAINT, INK, new_figure, save_figure
from msw2.music.aspects import NAMES
from msw2.music.tracks import TRACK_NAMES

_MADE, _REAL = COLOURS[2], COLOURS[1]
_ASPECTS = (None, *NAMES)  # the total first


def draw_comparison(path: str | os.PathLike, comparison: FolderComparison) -> None:
    """Draws distances, overlapping areas, and what the notes of each track are like, as a PNG.

    Args:
        path: the PNG to write, whole or not at all.
        comparison: what to draw.
    """
    figure = new_figure(14, 8)
    above, below = figure.subfigures(2, 1)
    ratios, overlaps = above.subplots(1, 2)
    _draw_ratios(ratios, comparison)
    _draw_overlaps(overlaps, comparison)
    for axis, measure in zip(below.subplots(1, len(NOTE_MEASURES)), NOTE_MEASURES, strict=True):
        _draw_tracks(axis, comparison, measure)
    axis.legend(frameon=False, fontsize=9, labelcolor=INK)
    save_figure(figure, path)


def _draw_ratios(axis: Axes, comparison: FolderComparison) -> None:
    """Bars from the floor on, on a logarithmic axis: the made songs, and marks for what is no music."""
    estimates, rows = comparison.evaluation.estimates, np.arange(len(_ASPECTS))[::-1]
    found = [estimates[distance_key(MADE, aspect, RATIO)] for aspect in _ASPECTS]
    values = np.nan_to_num([each.mean for each in found], nan=1.0)
    axis.set_xscale("log")
    axis.barh(rows, values - 1, left=1, height=0.6, color=_MADE, label=MADE)
    for row, estimate in zip(rows, found, strict=True):
        if not np.isnan(estimate.low):
            axis.plot([max(estimate.low, 0.1), estimate.high], [row, row], color=INK, linewidth=1)
    for name, marker in zip(comparison.controls, "x+1", strict=True):
        marks = [estimates[distance_key(name, aspect, RATIO)].mean for aspect in _ASPECTS]
        axis.plot(marks, rows, marker, color=INK, markersize=8, label=name)
    axis.axvline(1, color=_REAL, linewidth=1.6)
    labels = [f"{aspect or TOTAL}\n{each.mean:.1f}" for aspect, each in zip(_ASPECTS, found, strict=True)]
    axis.set_yticks(rows, labels=labels)
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.07), "ncols": 4}
    axis.legend(frameon=False, fontsize=9, labelcolor=INK, columnspacing=1.2, **below)
    size = comparison.closeness.size
    _dress(axis, f"distance / floor, {size:,} phrases (1: as near as real songs)", "x")


def _draw_overlaps(axis: Axes, comparison: FolderComparison) -> None:
    rows = np.arange(len(COMPARED))[::-1]
    for row_name, colour, marker in ((FLOOR, _REAL, "|"), (MADE, _MADE, "o")):
        values = [_value(comparison, row_name, f"OA_{measure.name}") for measure in COMPARED]
        label = "real songs with one another" if row_name == FLOOR else row_name
        axis.plot(100 * np.array(values), rows, marker, color=colour, markersize=8, label=label)
    axis.set_yticks(rows, labels=[measure.title.split(" (")[0] for measure in COMPARED])
    axis.set_xlim(-2, 102)
    axis.legend(frameon=False, fontsize=9, labelcolor=INK)
    _dress(axis, "overlapping area with real songs (%)", "x")


def _draw_tracks(axis: Axes, comparison: FolderComparison, measure) -> None:
    """Two bars a track, with their intervals."""
    columns = [TRACK_NAMES.index(track) for track in measure.columns]
    for shift, row, colour in ((-0.2, REAL, _REAL), (0.2, MADE, _MADE)):
        estimates = [
            comparison.evaluation.estimates[row, measure.name, "correct", track] for track in measure.columns
        ]
        values = measure.scale * np.nan_to_num(np.array(estimates, np.float64).reshape(-1, 3))
        places = np.array(columns) + shift
        axis.bar(places, values[:, 0], width=0.4, color=colour, label=row)
        known = values[:, 2] > values[:, 1]
        axis.vlines(places[known], values[known, 1], values[known, 2], color=INK, linewidth=1)
    axis.set_xticks(range(len(TRACK_NAMES)), labels=TRACK_NAMES, rotation=30)
    _dress(axis, measure.title, "y")


def _value(comparison: FolderComparison, row: str, metric: str) -> float:
    """Returns the mean over the tracks that have a value."""
    found = [
        comparison.evaluation.estimates.get((row, metric, "correct", track), Estimate(*[np.nan] * 3)).mean
        for track in (*TRACK_NAMES, MEAN)
    ]
    known = [value for value in found if not np.isnan(value)]
    return float(np.mean(known)) if known else np.nan


def _dress(axis: Axes, title: str, along: str) -> None:
    axis.set_title(title, fontsize=10, fontweight="bold", color=INK)
    axis.grid(axis=along, color=FAINT, linewidth=0.8)
    axis.set_axisbelow(True)
    axis.tick_params(colors=INK, which="both", labelsize=9)
    axis.spines[["top", "right"]].set_visible(False)
