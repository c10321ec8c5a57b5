"""Source: a folder of MIDI files, read however deep."""

import os
import pathlib
from collections.abc import Collection

from msw2.data.song_files import SongSource, folder_items
from msw2.data.store import StoreError
from msw2.music.midi import MAX_FILE_BYTES, read_song


def midi_folder(path: str | os.PathLike, listed: Collection[str] = (), *, others: bool = True) -> SongSource:
    """Returns the songs of a folder; every file in it is accounted for, MIDI or not.

    Args:
        path: the folder.
        listed: names of songs, as `SongSource.listed` has them.
        others: whether to read other files than the listed ones, too.

    Raises:
        StoreError: if the folder does not exist, or has none of the listed songs.
    """
    folder = pathlib.Path(path)
    if not folder.is_dir():
        raise StoreError(f"MIDI folder {folder} does not exist")
    items = folder_items(folder, MAX_FILE_BYTES, listed, others=others)
    return SongSource("midi", read_song, items, listed=frozenset(listed))
