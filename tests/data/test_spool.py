import numpy as np

from msw2.data import packing
from msw2.data.spool import Spool
from msw2.music.grid import Grid

GRID = Grid(bars=2, steps=16, pitches=9, beat_resolution=4)


def _phrases(count, tempo):
    rng = np.random.default_rng(count)
    cells = rng.random((count, 2, 16, 9, 5)) < 0.1
    return packing.summarise([cells] if count else [], 3 * np.arange(count), tempo, GRID)


def test_songs_come_out_as_they_went_in_and_leave_no_file(tmp_path):
    songs = [_phrases(count, tempo) for count, tempo in ((3, 100.5), (0, 60), (7, 133))]
    spool = Spool(tmp_path, GRID)
    for song in songs:
        spool.add(song)
    assert spool.counts == [3, 0, 7]
    for _ in range(2):
        for found, song in zip(spool.songs(), songs, strict=True):
            assert found.tempo == song.tempo
            for name in ("first_bars", "packed", "cells", "sounding_bars"):
                one, other = getattr(found, name), getattr(song, name)
                np.testing.assert_array_equal(one, other)
                assert one.dtype == other.dtype
    spool.close()
    assert list(tmp_path.iterdir()) == []
