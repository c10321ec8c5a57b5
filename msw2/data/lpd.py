"""Source: a tree of LPD-5 files, which pypianoroll reads."""

import os
from collections.abc import Collection

from msw2.data.song_files import SongSource, folder_source
from msw2.music.grid import Grid
from msw2.music.midi import Song
from msw2.music.multitrack import from_multitrack
from msw2.music.multitrack_file import load_multitrack
from msw2.system.workers import Elsewhere

MAX_FILE_BYTES = 16 * 2**20


def lpd_tree(
    path: str | os.PathLike,
    listed: Collection[str] = (),
    *,
    others: bool = True,
    workers: int | Elsewhere = 0,
) -> SongSource:
    """Returns the songs of a folder of LPD files; every file in it is accounted for.

    Args:
        path: the folder.
        listed: names of songs, as `SongSource.listed` has them.
        others: whether to read other files than the listed ones, too.
        workers: who lists and hashes the files, as for `map_in_order`.

    Raises:
        StoreError: if the folder does not exist, or has none of the listed songs.
    """
    return folder_source("lpd", read_lpd, path, MAX_FILE_BYTES, listed, others=others, workers=workers)


def read_lpd(path: str | os.PathLike, grid: Grid) -> Song:
    """Reads a multitrack file of pypianoroll; `from_multitrack` says how it is laid on the grid.

    Args:
        path: an .npz file.
        grid: the grid to lay the notes on.

    Raises:
        SongError: if the file is damaged, hostile or too long, or does not fit the grid.
    """
    return Song(*from_multitrack(load_multitrack(path), grid))
