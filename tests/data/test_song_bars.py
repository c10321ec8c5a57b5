"""Songs' bars, read from a store made by hand."""

import dataclasses
import json

import numpy as np
import pytest

from msw2.data import packing
from msw2.data.shards import write_shard
from msw2.data.song_bars import SongBars
from msw2.data.store import FORMAT, MANIFEST, SPLITS, Store
from msw2.music.grid import Grid
from msw2.music.tracks import TRACK_NAMES

GRID = Grid(bars=2, steps=8, pitches=6, lowest_pitch=40, beat_resolution=2)


@pytest.fixture
def make_store(tmp_path):
    """Returns a function (songs: [(first bars, phrases)]) -> Store that has them as its training songs."""

    def make(*songs):
        splits = {}
        for split in SPLITS:
            files, count = [], 0
            for index, (bars, phrases) in enumerate(songs if split == "train" else ()):
                files.append(f"{split}-{index:05d}.tfrecord")
                packed = packing.summarise([phrases], np.array(bars), 100.0, GRID)
                write_shard(tmp_path / files[-1], [(f"{index:016x}", packed)])
                count += len(bars)
            splits[split] = {"files": files, "phrases": count}
        grid = dataclasses.asdict(GRID)
        manifest = {"format": FORMAT, "tracks": list(TRACK_NAMES), "grid": grid, "splits": splits, "seed": 0}
        (tmp_path / MANIFEST).write_text(json.dumps(manifest))
        return Store.open(tmp_path)

    return make


def phrases(count, seed):
    return np.random.default_rng(seed).random((count, *GRID.phrase_shape, 5)) < 0.2


def test_songs_are_in_the_order_of_their_bars_without_what_overlaps(make_store):
    first, second = phrases(3, 1), phrases(5, 2)
    #                                             6 overlaps 5, then 7 does not
    songs = SongBars.of(make_store(([0, 2, 9], first), ([5, 1, 6, 7, 3], second)), "train")
    assert len(songs) == 2
    assert songs.grid == GRID
    assert [bars.tolist() for bars in songs.bars] == [[0, 2, 9], [1, 3, 5, 7]]
    assert [rows.tolist() for rows in songs.songs] == [[0, 1, 2], [4, 7, 3, 6]]
    assert np.array_equal(songs.cells(songs.songs[0], 0), first)
    assert np.array_equal(songs.cells(songs.songs[1], 0), second[[1, 4, 0, 3]])
    assert songs.cells(songs.songs[1], 0).dtype == bool


def test_a_split_without_songs_has_none(make_store):
    songs = SongBars.of(make_store(([0], phrases(1, 1))), "validation")
    assert len(songs) == 0
    assert songs.phrases.shape == (0, 5, packing.bytes_per_track(GRID))


def test_a_song_moves_as_one_and_its_drums_stay(make_store):
    cells = np.zeros((2, *GRID.phrase_shape, 5), bool)
    cells[0, 0, 1, 1, 1] = cells[0, 1, 2, 2, 4] = cells[0, 0, 3, 3, 0] = True
    cells[1, 1, 5, 4, 2] = True  # one below the highest pitch: the whole song moves one up at most
    songs = SongBars.of(make_store(([0, 4], cells)), "train")
    up = songs.cells(np.array([0, 1]), 3)
    assert {tuple(where) for where in np.argwhere(up).tolist()} == {
        *((0, 0, 1, 2, 1), (0, 1, 2, 3, 4), (0, 0, 3, 3, 0), (1, 1, 5, 5, 2))
    }
    down = songs.cells(np.array([0, 1]), -1)
    assert np.array_equal(down[..., :-1, 1:], cells[..., 1:, 1:])
    assert np.array_equal(down[..., 0], cells[..., 0])
    alone = songs.cells(np.array([0]), 3)
    assert np.argwhere(alone[..., 1]).tolist() == [
        [
            0,
            0,
            1,
            4,
        ]
    ]
