import numpy as np

from msw2.data import packing
from msw2.data.spool import Spool
from msw2.music.grid import Grid

GRID = Grid(bars=2, steps=16, pitches=9, beat_resolution=4)


def _phrases(count, tempo):
    rng = np.random.default_rng(count)
    cells = rng.random((count, 2, 16, 9, 5)) < 0.1
    return packing.summarise([cells] if count else [], 3 * np.arange(count), tempo, GRID)


def test_songs_come_out_as_they_went_in_in_whatever_order(tmp_path):
    songs = [_phrases(count, tempo) for count, tempo in ((3, 100.5), (0, 60), (7, 133), (2, 90))]
    spool = Spool(tmp_path / "spool", GRID)
    places = spool.write("a", iter(songs[:3])) + spool.write("b", songs[3:])
    assert [(place.file, place.count) for place in places] == [("a", 3), ("a", 0), ("a", 7), ("b", 2)]
    for order in ((0, 1, 2, 3), (2, 3, 0), (1, 1)):
        for found, song in zip(
            spool.read([places[at] for at in order]), [songs[at] for at in order], strict=True
        ):
            assert found.tempo == song.tempo
            for name in ("first_bars", "packed", "cells", "sounding_bars"):
                one, other = getattr(found, name), getattr(song, name)
                np.testing.assert_array_equal(one, other)
                assert one.dtype == other.dtype
    assert sorted(path.name for path in spool.folder.iterdir()) == ["a", "b"]


def test_a_file_that_is_written_twice_is_the_same(tmp_path):
    spool = Spool(tmp_path, GRID)
    places = spool.write("a", [_phrases(3, 100), _phrases(5, 90)])
    before = (tmp_path / "a").read_bytes()
    assert spool.write("a", [_phrases(3, 100), _phrases(5, 90)]) == places
    assert (tmp_path / "a").read_bytes() == before
