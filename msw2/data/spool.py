"""Phrases on disk until it is known which split they belong to: no one knows a song's tune before all are read."""

import dataclasses
import io
import pathlib
import tempfile
import zlib
from collections.abc import Iterator

import numpy as np

from msw2.data import packing
from msw2.data.packing import Phrases
from msw2.music.grid import Grid
from msw2.music.tracks import TRACKS


class Spool:
    """A file without a name that keeps the phrases of many songs. It is gone when it is closed, or the process ends.

    Args:
        folder: where the file lies.
        grid: the grid of the phrases.

    Attributes:
        counts: phrases of each song so far.
    """

    def __init__(self, folder: pathlib.Path, grid: Grid):
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - `close` closes it
        self._row = (len(TRACKS), packing.bytes_per_track(grid))
        self.counts: list[int] = []

    def add(self, phrases: Phrases) -> None:
        """Appends the phrases of a song."""
        # Most cells are silent: the fastest level leaves a tenth of the bytes.
        packed = np.frombuffer(zlib.compress(phrases.packed.tobytes(), level=1), np.uint8)
        for array in (phrases.first_bars, packed, phrases.tempo, phrases.cells, phrases.sounding_bars):
            content = io.BytesIO()  # straight to a file, NumPy hides why it cannot be written
            np.save(content, array, allow_pickle=False)
            self._file.write(content.getvalue())
        self.counts.append(len(phrases))

    def songs(self) -> Iterator[Phrases]:
        """Yields what was added, in order."""
        self._file.seek(0)
        for _ in self.counts:
            first_bars, packed, tempo, cells, sounding_bars = (
                np.load(self._file, allow_pickle=False) for _ in dataclasses.fields(Phrases)
            )
            packed = np.frombuffer(zlib.decompress(packed.tobytes()), np.uint8).reshape(-1, *self._row)
            yield Phrases(first_bars, packed, float(tempo), cells, sounding_bars)

    def close(self) -> None:
        """Removes the file."""
        self._file.close()
