"""Source: a folder of MIDI files, read however deep."""

import os
import pathlib

from msw2.data.song_files import SongSource, folder_items
from msw2.data.store import StoreError
from msw2.music.midi import MAX_FILE_BYTES, read_song


def midi_folder(path: str | os.PathLike) -> SongSource:
    """Returns the songs of a folder; every file in it is accounted for, MIDI or not.

    Raises:
        StoreError: if the folder does not exist.
    """
    folder = pathlib.Path(path)
    if not folder.is_dir():
        raise StoreError(f"MIDI folder {folder} does not exist")
    return SongSource("midi", read_song, folder_items(folder, MAX_FILE_BYTES))
