"""Source: a folder of MIDI files, read however deep."""

import os
from collections.abc import Collection

from msw2.data.song_files import SongSource, folder_source
from msw2.music.midi import MAX_FILE_BYTES, read_song
from msw2.system.workers import Elsewhere


def midi_folder(
    path: str | os.PathLike,
    listed: Collection[str] = (),
    *,
    others: bool = True,
    workers: int | Elsewhere = 0,
) -> SongSource:
    """Returns the songs of a folder; every file in it is accounted for, MIDI or not.

    Args:
        path: the folder.
        listed: names of songs, as `SongSource.listed` has them.
        others: whether to read other files than the listed ones, too.
        workers: who lists and hashes the files, as for `map_in_order`.

    Raises:
        StoreError: if the folder does not exist, or has none of the listed songs.
    """
    return folder_source("midi", read_song, path, MAX_FILE_BYTES, listed, others=others, workers=workers)
