"""Held-out stretches of songs: bars in a row, spread over as many songs as there are."""

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np

from msw2.data.song_bars import SongBars


@dataclasses.dataclass(frozen=True, eq=False)
class Stretches:
    """Some stretches of one length.

    Attributes:
        source: the songs that they are of.
        rows: int64 [stretch, phrase], the phrases of each in `source`.
        songs: int64 [stretch], the song of each.
    """

    source: SongBars
    rows: np.ndarray
    songs: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yields the stretches one by one, bool [bar, step, pitch, track]."""
        for rows in self.rows:
            cells = self.source.cells(rows, 0)
            yield cells.reshape(-1, *cells.shape[2:])

    def cells(self) -> np.ndarray:
        """Returns all of them, bool [stretch, bar, step, pitch, track]."""
        grid = self.source.grid
        cells = self.source.cells(self.rows.ravel(), 0)
        return cells.reshape(len(self), -1, *grid.phrase_shape[1:], cells.shape[-1])


def chosen(
    source: SongBars,
    bars: int,
    count: int,
    *,
    seed: int,
    keep: Callable[[np.ndarray], bool] | None = None,
) -> Stretches:
    """Chooses stretches at random: of each song one, before any song gives a second.

    Stretches of one song do not overlap. They begin where a phrase of the store begins.

    Args:
        source: the songs.
        bars: of a stretch, whole phrases.
        count: how many; there may be fewer.
        seed: of the choice.
        keep: of the packed phrases of a stretch, uint8 [phrase, track, byte], whether it may be chosen; None: all.

    Raises:
        ValueError: if `bars` are not whole phrases.
    """
    phrases, left = divmod(bars, source.grid.bars)
    if left or not phrases:
        raise ValueError(f"{bars} bars are not whole phrases of {source.grid.bars} bars")
    rng = np.random.default_rng(seed)
    found: list[tuple[int, float, int, np.ndarray]] = []  # rounds, random order in each, song, rows
    for song in range(len(source)):
        places = _in_a_row(source, song, phrases)
        places = [rows for rows in places if keep is None or keep(np.asarray(source.phrases[rows]))]
        for turn, place in enumerate(rng.permutation(len(places))):
            found.append((turn, rng.random(), song, places[place]))
    found.sort(key=lambda each: each[:2])
    rows = np.array([each[3] for each in found[:count]], np.int64).reshape(-1, phrases)
    return Stretches(source, rows, np.array([each[2] for each in found[:count]], np.int64))


def elsewhere(songs: np.ndarray, step: int) -> np.ndarray:
    """Returns for each stretch the number of another one, of another song: the `step`-th after it, or the next one.

    Args:
        songs: int64 [stretch], of at least two songs.
        step: 1 and up; another step gives another pairing.

    Raises:
        ValueError: if all are of one song.
    """
    if len(np.unique(songs)) < 2:
        raise ValueError("stretches of one song have no other song")
    places = np.arange(len(songs))
    found = (places + step) % len(songs)
    while (same := songs[found] == songs).any():
        found[same] = (found[same] + 1) % len(songs)
    return found


def _in_a_row(source: SongBars, song: int, phrases: int) -> list[np.ndarray]:
    """Returns the rows of the stretches of a song, one after another without a gap."""
    rows, bars, found, begin = source.songs[song], source.bars[song], [], 0
    while begin + phrases <= len(rows):
        gaps = np.flatnonzero(np.diff(bars[begin : begin + phrases]) != source.grid.bars)
        if len(gaps):
            begin += int(gaps[-1]) + 1
        else:
            found.append(rows[begin : begin + phrases])
            begin += phrases
    return found
