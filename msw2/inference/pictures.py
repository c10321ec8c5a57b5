"""Pianorolls of songs as pictures, and what all drawings share; no pyplot, so that nothing global is touched."""

import os
import types
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from msw2.music.grid import BEATS_PER_BAR, Grid
from msw2.music.notes import runs
from msw2.music.pianoroll import chosen_cells
from msw2.music.tracks import TRACK_NAMES, TRACKS
from msw2.system.files import replacing

COLOURS = tuple(track.colour for track in TRACKS)
INK, FAINT = "#30343b", "#dfe3e8"
_LINE, _PAPER = "#aab2bd", "#f8f9fb"
_OCTAVE = 12
_DPI = 130
_PALE = 0.4  # share of the colour


def draw_pianorolls(
    path: str | os.PathLike,
    songs: dict[str, np.ndarray],
    grid: Grid,
    *,
    given: Mapping[str, np.ndarray] = types.MappingProxyType({}),
) -> None:
    """Draws songs side by side as a PNG, the five tracks of each below one another.

    The songs share the time axis and, a track, the pitch axis, so that they can be compared by eye. What was given of
    a song is paler than what was made, and a legend says so.

    Args:
        path: the PNG to write, whole or not at all.
        songs: title -> bool [step, pitch, track], at least one.
        grid: steps a bar and lowest pitch, for the bar lines and the names of the octaves.
        given: title -> bool [bar, track], which of a song was given; songs that are not named have one shade.

    Raises:
        ValueError: if there are no songs, or one does not have the grid's pitches and five tracks.
    """
    _check_songs(songs, grid)
    steps = max(grid.steps, *(len(song) for song in songs.values()))
    spans = [_pitch_span([song[..., track] for song in songs.values()]) for track in range(len(TRACK_NAMES))]
    heights = [max(high - low, 1.5 * _OCTAVE) for low, high in spans]
    width = len(songs) * float(np.clip(0.8 * steps / grid.steps, 4, 14))
    figure = new_figure(0.9 + min(width, 26), float(np.clip(0.05 * sum(heights), 7, 14)))
    axes = figure.subplots(
        len(TRACK_NAMES), len(songs), sharex=True, sharey="row", squeeze=False, height_ratios=heights
    )
    made = {
        title: chosen_cells(song, ~given[title]) if title in given else song for title, song in songs.items()
    }
    for column, (title, song) in enumerate(songs.items()):
        axes[0, column].set_title(title, fontsize=12, fontweight="bold", color=INK, pad=8)
        axes[-1, column].set_xlabel("bar", color=INK)
        for track, axis in enumerate(axes[:, column]):
            _draw_track(axis, made[title][..., track], COLOURS[track])
            if title in given:
                _draw_track(axis, (song & ~made[title])[..., track], pale(COLOURS[track]))
            _rule_time(axis, steps, grid)
            _rule_pitch(axis, spans[track], grid)
    for track, name in enumerate(TRACK_NAMES):
        axes[track, 0].set_ylabel(name, fontsize=11, fontweight="bold", color=COLOURS[track])
    if given:
        shades = [Patch(facecolor=pale(INK)), Patch(facecolor=INK)]
        figure.legend(shades, ["given", "made"], loc="outside upper right", ncols=2, frameon=False)
    save_figure(figure, path)


def pale(colour: str) -> tuple[float, float, float]:
    """Returns a colour, #rrggbb, mixed with white: red, green and blue, 0..1."""
    return tuple(1 - _PALE * (1 - share) for share in to_rgb(colour))


def new_figure(width: float, height: float) -> Figure:
    """Returns an empty figure, sizes in inches, with the canvas that draws without a display."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: str | os.PathLike) -> None:
    """Writes a PNG; without the program's name inside, the same drawing gives the same bytes."""
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=_DPI, format="png", metadata={"Software": None})


def _check_songs(songs: dict[str, np.ndarray], grid: Grid) -> None:
    if not songs:
        raise ValueError("no songs were given; at least one is needed")
    for title, song in songs.items():
        if song.ndim != 3 or song.shape[1:] != (grid.pitches, len(TRACK_NAMES)):
            raise ValueError(
                f"song {title!r} of shape {song.shape} is not [step, {grid.pitches} pitches, "
                f"{len(TRACK_NAMES)} tracks]"
            )


def _pitch_span(rolls: list[np.ndarray]) -> tuple[int, int]:
    """Returns the first and one past the last pitch to show: what sounds and two more each side."""
    sounding = np.flatnonzero(np.any([roll.any(axis=0) for roll in rolls], axis=0))
    low, high = (sounding[0] - 2, sounding[-1] + 3) if len(sounding) else (0, _OCTAVE)
    return int(low), int(max(high, low + _OCTAVE))


def _draw_track(axis: Axes, roll: np.ndarray, colour: str) -> None:
    pitches, onsets, ends = runs(roll, is_drum=False)  # a roll of hits is drawn as one bar
    corners = np.stack([onsets, pitches, onsets, pitches + 1, ends, pitches + 1, ends, pitches], axis=1)
    # An edge of its own colour keeps a one-step hit visible where a step is thinner than a pixel.
    boxes = PolyCollection(
        corners.reshape(-1, 4, 2), facecolor=colour, edgecolor=colour, linewidth=0.5, zorder=3
    )
    axis.add_collection(boxes, autolim=False)


def _rule_time(axis: Axes, steps: int, grid: Grid) -> None:
    """Bar lines, faint beat lines where there is room, and bar numbers from 1."""
    bars = -(-steps // grid.steps)
    every = 2 ** max(0, int(np.ceil(np.log2(bars / 20))))  # of a long song, number only some bars
    axis.set_xlim(0, bars * grid.steps)
    numbered = np.arange(0, bars, every)
    axis.set_xticks(numbered * grid.steps, labels=[str(bar + 1) for bar in numbered], ha="left")
    if bars <= 32:
        axis.set_xticks(np.arange(bars * BEATS_PER_BAR) * grid.beat_resolution, minor=True)
        axis.grid(axis="x", which="minor", color=FAINT, linewidth=0.5, zorder=0)
    axis.grid(axis="x", which="major", color=_LINE, linewidth=0.9, zorder=1)
    axis.tick_params(axis="x", which="minor", length=2, color=INK)
    axis.tick_params(axis="x", which="major", length=5, color=INK, labelcolor=INK, labelsize=9)


def _rule_pitch(axis: Axes, span: tuple[int, int], grid: Grid) -> None:
    """A line and a name (C1 = MIDI 24) at every C, as musicians count octaves."""
    low, high = span
    cs = [pitch for pitch in range(low, high + 1) if (pitch + grid.lowest_pitch) % _OCTAVE == 0]
    axis.set_ylim(low, high)
    axis.set_yticks(cs, labels=[f"C{(pitch + grid.lowest_pitch) // _OCTAVE - 1}" for pitch in cs])
    axis.grid(axis="y", color=FAINT, linewidth=0.8, zorder=0)
    axis.tick_params(axis="y", length=0, labelcolor=INK, labelsize=9)
    axis.set_facecolor(_PAPER)
    axis.set_axisbelow(True)
    for side in axis.spines.values():
        side.set_color(_LINE)
