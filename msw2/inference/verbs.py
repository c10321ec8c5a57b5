"""The verbs, in the words of musicians: each makes a plan, or says in a sentence why it does not fit the song.

Bars are counted as musicians count them, from 1.
"""

from collections.abc import Sequence

import numpy as np

from msw2.inference.plans import Path, Sketch, Variation
from msw2.music.grid import Grid
from msw2.music.midi import MAX_BARS
from msw2.music.notes import silence
from msw2.music.pianoroll import chosen_cells
from msw2.music.tracks import TRACK_NAMES, track_index


class VerbError(ValueError):
    """What is asked of a song does not fit it. The message is one sentence for the user."""


def from_nothing(bars: int, grid: Grid) -> Sketch:
    """Returns a song with all its bars to draw.

    Raises:
        VerbError: for fewer than one bar, or more than a song can have.
    """
    if not 1 <= bars <= MAX_BARS:
        raise VerbError(f"a song of {bars} bars cannot be made: 1 to {MAX_BARS} bars")
    return Sketch(silence(bars, grid), _nothing(bars), "the song")


def continuation(song: np.ndarray, bars: int, grid: Grid) -> Sketch:
    """Returns a song with bars to draw after it.

    Args:
        song: bool [step, pitch, track], whole bars.
        bars: to draw.
        grid: of the song.

    Raises:
        VerbError: if no bar is asked for, the song has none, or it would be too long.
    """
    before = _bars(song, grid)
    if bars < 1 or before + bars > MAX_BARS:
        raise VerbError(
            f"{bars} bars cannot follow a song of {before} bars: at least 1, and {MAX_BARS} in all"
        )
    given = _nothing(before + bars)
    given[:before] = True
    whole = np.concatenate([song, silence(bars, grid)])
    return Sketch(whole, given, _named(before + 1, before + bars))


def gap(song: np.ndarray, first_bar: int, last_bar: int, grid: Grid) -> Sketch:
    """Returns a song with a range of bars to draw, in all tracks.

    Args:
        song: bool [step, pitch, track], whole bars.
        first_bar: counted from 1.
        last_bar: the last one to draw, itself included.
        grid: of the song.

    Raises:
        VerbError: if the song has no bars, or not these.
    """
    bars = _bars(song, grid)
    if not 1 <= first_bar <= last_bar <= bars:
        raise VerbError(f"bars {first_bar} to {last_bar} are not in a song of {bars} bars: they count from 1")
    given = np.ones((bars, len(TRACK_NAMES)), bool)
    given[first_bar - 1 : last_bar] = False
    return Sketch(chosen_cells(song, given), given, _named(first_bar, last_bar))


def without_tracks(song: np.ndarray, tracks: Sequence[str], grid: Grid) -> Sketch:
    """Returns a song with some tracks to draw, in all bars.

    Args:
        song: bool [step, pitch, track], whole bars. Its notes in these tracks are dropped.
        tracks: names, at least one.
        grid: of the song.

    Raises:
        VerbError: if the song has no bars, or a name is not of a track.
    """
    given = np.ones((_bars(song, grid), len(TRACK_NAMES)), bool)
    for index in checked_tracks(tracks):
        given[:, index] = False
    names = [name for name, kept in zip(TRACK_NAMES, given[0], strict=True) if not kept]
    return Sketch(chosen_cells(song, given), given, ", ".join(names))


def path(first: np.ndarray, second: np.ndarray, points: int, grid: Grid) -> Path:
    """Returns a path from the first phrase of a song to that of another.

    Args:
        first: bool [step, pitch, track], whole bars, at least a phrase.
        second: as `first`.
        points: phrases of the path, from the restored first one to the restored second one.
        grid: of the songs.

    Raises:
        VerbError: if a song is shorter than a phrase, or the points are too few or too many.
    """
    if not 2 <= points <= MAX_BARS // grid.bars:
        raise VerbError(
            f"a path of {points} points cannot be made: 2 to {MAX_BARS // grid.bars}, its two ends among them"
        )
    ends = np.concatenate([_first_phrase(song, grid) for song in (first, second)])
    return Path(ends, _nothing(points * grid.bars), f"{points} phrases", points)


def variation(song: np.ndarray, amount: float, grid: Grid) -> Variation:
    """Returns a song with some bars of each track to write anew, which the draw chooses.

    Args:
        song: bool [step, pitch, track], whole bars.
        amount: the share of the bars of each track that is written anew, 0 to 1.
        grid: of the song.

    Raises:
        VerbError: if the song has no bars, or the amount is out of its range.
    """
    if not 0 <= amount <= 1:
        raise VerbError(f"amount {amount:g} is not in 0 to 1")
    return Variation(song, _nothing(_bars(song, grid)), f"amount {amount:g}", amount)


def checked_tracks(names: Sequence[str]) -> list[int]:
    """Returns where tracks lie on the track axis.

    Raises:
        VerbError: without names, or if one is not of a track.
    """
    if not names:
        raise VerbError(f"no track to write: name one or more of {', '.join(TRACK_NAMES)}")
    try:
        return [track_index(name) for name in names]
    except ValueError as error:
        raise VerbError(str(error)) from error


def _first_phrase(song: np.ndarray, grid: Grid) -> np.ndarray:
    if (bars := _bars(song, grid)) < grid.bars:
        raise VerbError(f"a song of {bars} bars has no phrase: at least {grid.bars} bars are needed")
    return song[: grid.bars * grid.steps]


def _nothing(bars: int) -> np.ndarray:
    """Returns that no bar is given in any track."""
    return np.zeros((bars, len(TRACK_NAMES)), bool)


def _bars(song: np.ndarray, grid: Grid) -> int:
    """Returns how many bars a song has, at least one."""
    if not len(song):
        raise VerbError("a song of no bars gives nothing to go by")
    return len(song) // grid.steps


def _named(first: int, last: int) -> str:
    return f"bar {first}" if first == last else f"bars {first} to {last}"
