"""Which four-bar windows of a song become phrases."""

import dataclasses

import numpy as np

from msw2.music.grid import Grid
from msw2.music.tracks import DRUMS, TRACK_NAMES, track_index

SELECTIONS = {
    "any": "drums, bass and one more track sound",
    "all-five": "all five tracks sound",
    "musegan": "all five tracks reach MuseGAN's thresholds",
}
# MuseGAN's thresholds in the order of the tracks: different pitches that sound, and
# steps in which something sounds, of the 192 steps of a window.
MUSEGAN_PITCHES = np.array([2, 2, 2, 1, 2])
MUSEGAN_STEPS = np.array([24, 156, 156, 96, 156])
MUSEGAN_WINDOW = 192


@dataclasses.dataclass(frozen=True)
class Rules:
    """How windows are chosen.

    Attributes:
        selection: one of SELECTIONS.
        hop: bars from the start of one window to the next one tried.
        windows_per_song: most windows a song gives, drawn at random; 0 for all.
        seed: of that draw, together with the song's content.

    Raises:
        ValueError: for a selection that does not exist or a number out of range.
    """

    selection: str = "any"
    hop: int = 4
    windows_per_song: int = 0
    seed: int = 0

    def __post_init__(self):
        if self.selection not in SELECTIONS:
            raise ValueError(f"selection {self.selection!r} is not one of {', '.join(SELECTIONS)}")
        for name, lowest in (("hop", 1), ("windows_per_song", 0), ("seed", 0)):
            if getattr(self, name) < lowest:
                raise ValueError(f"{name} {getattr(self, name)} is below {lowest}")


def accepted(pianoroll: np.ndarray, grid: Grid, selection: str) -> np.ndarray:
    """Tells for each bar whether the window that begins there is accepted.

    Args:
        pianoroll: bool [step, pitch, track], whole bars.
        grid: sizes of bar and window.
        selection: one of SELECTIONS. For `musegan` every one of the five tracks has to reach its
            thresholds, which scale with the steps of a window on another grid.

    Returns:
        bool [bars - grid.bars + 1], empty for a song shorter than a window.
    """
    bars = _bars_by_track(pianoroll, grid)
    if bars.shape[1] < grid.bars:
        return np.zeros(0, bool)
    if selection == "musegan":
        pitches = _slide(bars.any(axis=2), grid).any(axis=-1).sum(axis=-1)
        steps = _slide(bars.any(axis=3).sum(axis=2), grid).sum(axis=-1)
        needed = MUSEGAN_STEPS * (grid.bars * grid.steps) / MUSEGAN_WINDOW
        return ((pitches.T >= MUSEGAN_PITCHES) & (needed <= steps.T)).all(axis=-1)
    sounds = _slide(bars.reshape(*bars.shape[:2], -1).any(axis=-1), grid).any(axis=-1)
    if selection == "all-five":
        return sounds.all(axis=0)
    others = [track for track in range(len(TRACK_NAMES)) if track not in (DRUMS, track_index("bass"))]
    return sounds[DRUMS] & sounds[track_index("bass")] & sounds[others].any(axis=0)


def windows(pianoroll: np.ndarray, grid: Grid, rules: Rules, rng: np.random.Generator) -> np.ndarray:
    """Returns the first bars of the chosen windows, in order: int64 [window].

    Args:
        pianoroll: bool [step, pitch, track], whole bars.
        grid: sizes of bar and window.
        rules: selection, hop and limit.
        rng: draws the windows where there are more than the limit.
    """
    first_bars = np.flatnonzero(accepted(pianoroll, grid, rules.selection))
    first_bars = first_bars[first_bars % rules.hop == 0]
    if 0 < rules.windows_per_song < len(first_bars):
        first_bars = np.sort(rng.choice(first_bars, rules.windows_per_song, replace=False))
    return first_bars


def cut(pianoroll: np.ndarray, grid: Grid, first_bars: np.ndarray) -> np.ndarray:
    """Returns the windows at `first_bars`: bool [window, bar, step, pitch, track]."""
    bars = np.asarray(first_bars, np.int64)[:, None] + np.arange(grid.bars)
    return np.moveaxis(_bars_by_track(pianoroll, grid)[:, bars], 0, -1)


def _bars_by_track(pianoroll: np.ndarray, grid: Grid) -> np.ndarray:
    """Returns [track, bar, step, pitch], without a copy where each track lies in one piece."""
    by_track = np.moveaxis(pianoroll, -1, 0)
    return by_track.reshape(len(by_track), -1, grid.steps, grid.pitches)


def _slide(values: np.ndarray, grid: Grid) -> np.ndarray:
    """Returns [track, window, ..., bar of the window] from [track, bar, ...]."""
    return np.lib.stride_tricks.sliding_window_view(values, grid.bars, axis=1)
