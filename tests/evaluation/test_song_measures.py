import numpy as np
import pytest

from msw2.evaluation import song_measures
from msw2.evaluation.results import ALL, Key
from msw2.music.grid import Grid

GRID = Grid(bars=2, steps=16, pitches=26, lowest_pitch=24, beat_resolution=4)
PIANO, BASS = 1, 3


def song(*pitches):
    """A bar for each pitch, its piano holding it for three steps; a bass in the first bar."""
    cells = np.zeros((len(pitches), 16, 26, 5), bool)
    for bar, pitch in zip(cells, pitches, strict=True):
        bar[:3, pitch, PIANO] = True
    cells[0, 5, 2, BASS] = True
    return cells


REAL = [song(1, 1, 3, 3, 3, 3), song(0, 0, 0, 0, 0, 0)]
MADE = [song(1, 2, 3, 4, 5, 6), song(1, 1, 1, 1, 1, 1)]


def compared(made, real, **more):
    real_songs = np.arange(2)
    return song_measures.compared("generate", made, real, real_songs=real_songs, seed=0, resamples=30, **more)


def test_made_songs_are_held_to_real_ones():
    made, real = (song_measures.measured(songs, GRID) for songs in (MADE, REAL))
    found = compared([made, real], real, made_songs=None)

    def value(row, metric, column=ALL):
        return found[Key(row, metric, "correct", column)].mean

    # Of real neighbours: 3/4 + 0 + 1 + 1 + 1 and 3/4 + 4.
    assert value("generate, real", "bars_alike", "1") == pytest.approx((3.75 + 4.75) / 10)
    assert value("generate, seed 0", "bars_alike", "1") == pytest.approx((0 + 4.75) / 10)
    assert value("generate", "bars_alike", "1") == pytest.approx((8.5 + 4.75) / 20)
    # The bass sounds in the first bar alone, so it has one pair a song, with nothing in common.
    assert value("generate, real", "tracks_alike", "1") == pytest.approx((4 + 5) / 12)
    assert value("generate - real", "bars_alike", "1") == pytest.approx((4.75 - 8.5) / 20)
    assert np.isnan(value("generate", "bars_alike", "8"))
    assert value("generate, real", "cells") == (18 + 1) / 6
    assert value("generate / real", "cells", "bass") == 1
    # A pitch that changes is a note; one that stays is one note a bar, for its gaps.
    assert value("generate", "notes", "piano") == 1
    assert value("generate", "sounding_tracks") == pytest.approx(7 / 6)
    assert value("generate, seed 1", "same_key") == value("generate, real", "same_key")
    low, high = found[Key("generate", "bars_alike", "correct", "1")][1:]
    assert low < (8.5 + 4.75) / 20 < high


def test_songs_that_belong_together_are_compared_in_pairs():
    real = song_measures.measured(REAL, GRID, seam=3)
    found = compared([real, real], real, made_songs=np.arange(2))
    assert found[Key("generate - real", "bars_alike", "correct", "1")][:] == (0, 0, 0)
    assert found[Key("generate / real", "cells", "correct", "all")][:] == (1, 1, 1)
    # Across the seam at distance 1 is one pair a song, and after it there is no bass.
    assert found[Key("generate", "bars_alike", "correct", "1")].mean == 1
    assert found[Key("generate", "cells", "correct", "bass")].mean == 0
    assert not any(key.metric == "same_key" for key in found)
