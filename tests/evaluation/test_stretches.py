import collections

import numpy as np
import pytest

from msw2.data import packing
from msw2.data.song_bars import SongBars
from msw2.evaluation.stretches import chosen, elsewhere
from msw2.music.grid import Grid

GRID = Grid(bars=2, steps=16, pitches=22, lowest_pitch=26, beat_resolution=4)
PHRASES = np.random.default_rng(0).random((20, 2, 16, 22, 5)) < 0.1


def source(*first_bars):
    """Songs whose phrases begin at these bars."""
    ends = np.cumsum([len(bars) for bars in first_bars])
    rows = np.split(np.arange(ends[-1]), ends[:-1])
    return SongBars(GRID, packing.pack(PHRASES[: ends[-1]]), rows, [np.array(bars) for bars in first_bars])


def test_a_stretch_is_bars_in_a_row():
    songs = source((0, 2, 6, 8, 10, 12, 14), (5, 8, 10), (0, 4, 8))
    found = chosen(songs, 4, 10, seed=0)
    # Song 0: 0-2 | gap | 6-8, 10-12, and 14 alone. Song 1: 8-10. Song 2: none.
    assert sorted(map(tuple, found.rows.tolist())) == [(0, 1), (2, 3), (4, 5), (8, 9)]
    assert collections.Counter(found.songs.tolist()) == {0: 3, 1: 1}
    assert set(found.songs[:2]) == {0, 1}  # each song gives one before any gives a second
    for cells, rows in zip(found, found.rows, strict=True):
        assert (cells == PHRASES[rows].reshape(4, 16, 22, 5)).all()
    assert (found.cells() == np.stack(list(found))).all()
    longer = chosen(songs, 6, 10, seed=0)
    assert longer.rows.tolist() == [[2, 3, 4]]
    assert len(chosen(songs, 12, 10, seed=0)) == 0


def test_the_choice_is_random_by_its_seed():
    songs = source(*[(0, 2, 4, 6)] * 5)
    choices = [chosen(songs, 2, 5, seed=seed) for seed in (0, 0, 1)]
    assert (choices[0].rows == choices[1].rows).all()
    assert (choices[0].rows != choices[2].rows).any()
    assert all(sorted(choice.songs) == [0, 1, 2, 3, 4] for choice in choices)
    assert len(chosen(songs, 2, 3, seed=0)) == 3


def test_what_does_not_suit_is_left_out():
    songs = source((0, 2, 4), (0, 2))
    suits = packing.pack(PHRASES[[1, 4]])
    found = chosen(songs, 2, 9, seed=0, keep=lambda packed: any((packed[0] == each).all() for each in suits))
    assert sorted(found.rows.ravel().tolist()) == [1, 4]


def test_parts_of_phrases_are_refused():
    for bars in (3, 0):
        with pytest.raises(ValueError, match=f"{bars} bars are not whole phrases of 2 bars"):
            chosen(source((0, 2)), bars, 1, seed=0)


def test_elsewhere_is_another_song():
    songs = np.array([4, 7, 9, 4, 4])
    assert elsewhere(songs, 1).tolist() == [1, 2, 3, 1, 1]  # 3 -> 4 and 0 are of the same song
    assert elsewhere(songs, 2).tolist() == [2, 3, 4, 1, 1]
    with pytest.raises(ValueError, match="no other song"):
        elsewhere(np.array([3, 3]), 1)
