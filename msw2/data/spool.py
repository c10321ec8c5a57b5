"""Phrases on disk until it is known which split they belong to: no one knows a song's tune before all are read."""

import dataclasses
import io
import pathlib
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, NamedTuple

import numpy as np

from msw2.data import packing
from msw2.data.packing import Phrases
from msw2.music.grid import Grid
from msw2.music.tracks import TRACKS
from msw2.system.files import replacing


class Place(NamedTuple):
    """Where the phrases of a song are.

    Attributes:
        file: name of a file of the spool.
        start: first byte there.
        count: phrases.
    """

    file: str
    start: int
    count: int


@dataclasses.dataclass(frozen=True)
class Spool:
    """A folder for the phrases of many songs, some songs a file. Several processes may write to it at once.

    Attributes:
        folder: where the files lie.
        grid: the grid of the phrases.
    """

    folder: pathlib.Path
    grid: Grid

    def write(self, name: str, songs: Iterable[Phrases]) -> list[Place]:
        """Writes a file of songs, whole or not at all, and returns where each is.

        Args:
            name: of the file. What is done twice has the same name twice.
            songs: the phrases of each.
        """
        places = []
        with replacing(self.folder / name) as temporary, temporary.open("wb") as file:
            for phrases in songs:
                places.append(Place(name, file.tell(), len(phrases)))
                _write(file, phrases)
        return places

    def read(self, places: Sequence[Place]) -> Iterator[Phrases]:
        """Yields the phrases of songs. A file that several songs in a row are in is opened once."""
        file, name = None, ""
        try:
            for place in places:
                if file is None or place.file != name:
                    if file is not None:
                        file.close()
                    file, name = (self.folder / place.file).open("rb"), place.file
                file.seek(place.start)
                yield self._read(file)
        finally:
            if file is not None:
                file.close()

    def _read(self, file: BinaryIO) -> Phrases:
        """Returns the phrases of the song that the next bytes are of."""
        first_bars, packed, tempo, cells, sounding_bars = (
            np.load(file, allow_pickle=False) for _ in dataclasses.fields(Phrases)
        )
        row = (len(TRACKS), packing.bytes_per_track(self.grid))
        packed = np.frombuffer(zlib.decompress(packed.tobytes()), np.uint8).reshape(-1, *row)
        return Phrases(first_bars, packed, float(tempo), cells, sounding_bars)


def _write(file: BinaryIO, phrases: Phrases) -> None:
    """Appends the phrases of a song to a file."""
    # Most cells are silent: the fastest level leaves a tenth of the bytes.
    packed = np.frombuffer(zlib.compress(phrases.packed.tobytes(), level=1), np.uint8)
    for array in (phrases.first_bars, packed, phrases.tempo, phrases.cells, phrases.sounding_bars):
        content = io.BytesIO()  # straight to a file, NumPy hides why it cannot be written
        np.save(content, array, allow_pickle=False)
        file.write(content.getvalue())
