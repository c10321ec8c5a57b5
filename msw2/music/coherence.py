"""Metrics of songs: how alike bars are at a distance, whether the key holds, which onsets coincide.

Songs are bool [song, bar, step, pitch, track], any number of bars. Results are `metrics.Ratio`s, a row for each song.
"""

from collections.abc import Sequence

import numpy as np

from msw2.music import tonality
from msw2.music.grid import Grid
from msw2.music.metrics import Ratio, as_time, count, onsets_of, ratio, sounds
from msw2.music.note_metrics import note_starts
from msw2.music.tracks import DRUMS


def bar_similarity(songs: np.ndarray, distances: Sequence[int], *, seam: int | None = None) -> Ratio:
    """Returns how alike two bars of a song are, by their distance: the mean Jaccard similarity of their cells.

    Cells that both bars have / cells that either has, all tracks together. In 0..1. Two silent bars do not count. NaN
    where there are no two bars to compare.

    Args:
        songs: bool [song, bar, step, pitch, track].
        distances: in bars, a column each.
        seam: only pairs count whose first bar is before the bar of this number, and whose second is not; None: all.
    """
    bits = np.packbits(songs.reshape(*songs.shape[:2], -1), axis=-1)
    columns = []
    for distance in distances:
        begin, end = 0, max(songs.shape[1] - distance, 0)
        if seam is not None:
            begin, end = max(seam - distance, 0), min(seam, end)
        first, second = bits[:, begin:end], bits[:, begin + distance : end + distance]
        both, either = (_ones(cells) for cells in (first & second, first | second))
        columns.append(((both / np.maximum(either, 1)).sum(axis=1), (either > 0).sum(axis=1)))
    return ratio(*(np.stack(each, axis=1) for each in zip(*columns, strict=True)))


def same_keys(songs: np.ndarray, grid: Grid) -> Ratio:
    """Returns in how many pairs of neighbouring phrases both have the same best key, one column.

    The key is `tonality.best_tonic` of the pitched tracks. Pairs with a phrase without pitched cells do not count. In
    0..1; NaN where no pair is left.

    Args:
        songs: bool [song, bar, step, pitch, track], whole phrases.
        grid: says how long a phrase is.
    """
    pitched = songs.reshape(-1, *grid.phrase_shape, songs.shape[-1])[..., DRUMS + 1 :]
    counts = tonality.pitch_class_counts(count(pitched, axis=(1, 2)), grid).sum(axis=2)
    keys = tonality.best_tonic(counts).reshape(len(songs), -1)
    heard = counts.any(axis=1).reshape(keys.shape)
    pairs = heard[:, 1:] & heard[:, :-1]
    return ratio(_column(count((keys[:, 1:] == keys[:, :-1]) & pairs, axis=1)), _column(count(pairs, axis=1)))


def sounding_tracks(songs: np.ndarray) -> Ratio:
    """Returns how many tracks sound in a bar, one column. In 0..5; 0 on silence."""
    return ratio(_column(count(sounds(songs), axis=(1, 2))), songs.shape[1])


def notes_each_bar(songs: np.ndarray) -> Ratio:
    """Returns the note starts / bars, silent bars included, a column for each track. 0 on silence.

    Args:
        songs: bool [song, bar, step, pitch, track], the five tracks.
    """
    return ratio(count(note_starts(songs), axis=(1, 2)), songs.shape[1])


def onsets_together(songs: np.ndarray, track: int, other: int) -> Ratio:
    """Returns how often a track starts a note together with another one, one column.

    Steps where both start a note / steps where the first one does. In 0..1; NaN where the track is silent. On drums
    every cell starts a note.

    Args:
        songs: bool [song, bar, step, pitch, track], the five tracks.
        track: place of the track on the track axis.
        other: place of the other one.
    """
    first, second = (_starts(songs, each) for each in (track, other))
    return ratio(_column(count(first & second, axis=1)), _column(count(first, axis=1)))


def _starts(songs: np.ndarray, track: int) -> np.ndarray:
    """Returns whether a track starts a note, bool [song, step]."""
    time = as_time(songs[..., track : track + 1])
    return (time if track == DRUMS else onsets_of(time)).any(axis=(2, 3))


def _ones(bits: np.ndarray) -> np.ndarray:
    return np.bitwise_count(bits).sum(axis=-1, dtype=np.int64)


def _column(counts: np.ndarray) -> np.ndarray:
    return counts[:, None]
