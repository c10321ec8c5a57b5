"""Curves of histories."""

import itertools
import os
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from msw2.inference.pictures import COLOURS, FAINT, INK, new_figure, save_figure
from msw2.system.records import RecordError, as_number, read_table
from msw2.training.runs import RunError


def read_history(path: str | os.PathLike) -> dict[str, list[float]]:
    """Reads a `history.csv`: a line an epoch, a named column a quantity; an empty cell becomes NaN.

    Raises:
        RunError: if it is missing or damaged.
    """
    try:
        header, lines = read_table(path)
        return {name: [as_number(line[i]) for line in lines] for i, name in enumerate(header)}
    except FileNotFoundError as error:
        raise RunError(f"there is no history {path}") from error
    except RecordError as error:
        raise RunError(f"the history {path} is damaged: {error}") from error


def draw_curves(
    path: str | os.PathLike, histories: dict[str, dict[str, list[float]]], columns: Sequence[str] = ("loss",)
) -> None:
    """Draws columns of several histories as a PNG, a panel each, with its validation where there is any.

    One column fills rows of three panels; of several, each has a row of its own. A loss whose values are above 0
    and span more than a factor of ten gets a logarithmic axis.

    Args:
        path: the PNG to write, whole or not at all.
        histories: title -> a history as `read_history` returns it, a value an epoch.
        columns: which quantities; the validation of each is `val_<column>`.

    Raises:
        ValueError: if there are no histories, or one lacks a column.
    """
    if not histories:
        raise ValueError("no histories were given; at least one is needed")
    for title, history in histories.items():
        for column in columns:
            if column not in history:
                raise ValueError(
                    f"history {title!r} has no column {column!r}, only {', '.join(history) or 'none'}"
                )
    panels = list(itertools.product(columns, histories.items()))
    across = min(3, len(histories)) if len(columns) == 1 else len(histories)
    down = -(-len(panels) // across)
    figure = new_figure(across * min(4.4, 18 / across), 3.1 * down)
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for axis, (column, (title, history)) in zip(axes, panels, strict=False):
        _draw_curve(axis, history, column)
        axis.set_title(title, fontsize=11, fontweight="bold", color=INK)
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    save_figure(figure, path)


def _draw_curve(axis: Axes, history: dict[str, list[float]], column: str) -> None:
    lines = {"training": (column, COLOURS[1]), "validation": (f"val_{column}", COLOURS[2])}
    shown = []
    for label, (name, colour) in lines.items():
        values = np.asarray(history.get(name, []), np.float64)
        known = np.flatnonzero(np.isfinite(values))  # validation may be measured only now and then
        if len(known):
            marker = "o" if len(known) == 1 else None
            axis.plot(known + 1, values[known], label=label, color=colour, linewidth=1.6, marker=marker)
            shown.append(values[known])
    if shown:
        everything = np.concatenate(shown)
        if column == "loss" and everything.min() > 0 and everything.max() > 10 * everything.min():
            axis.set_yscale("log")
        axis.legend(frameon=False, fontsize=9, labelcolor=INK)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axis.set_xlabel("epoch", color=INK)
    axis.set_ylabel(column, color=INK)
    axis.grid(color=FAINT, linewidth=0.8)
    axis.set_axisbelow(True)
    axis.tick_params(colors=INK, which="both", labelsize=9)
    axis.spines[["top", "right"]].set_visible(False)
