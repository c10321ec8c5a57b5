"""Rows of numbers in a temporary file: gigabytes of them are the system's page cache, not the process's memory."""

import os
import tempfile
import weakref
from collections.abc import Iterator

import numpy as np

from msw2.system.files import naming


class RowFile:
    """A table of float32 rows on disk. The file has no name: it is gone when the process is.

    Args:
        count: rows; those that were never written are zero.
        shape: of a row.
    """

    def __init__(self, count: int, shape: tuple[int, ...]):
        self.shape = (count, *shape)
        self._bytes = 4 * int(np.prod(shape))
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed when this object goes
        weakref.finalize(self, self._file.close)
        self._file.truncate(count * self._bytes)

    def __len__(self) -> int:
        return self.shape[0]

    def write(self, first: int, rows: np.ndarray) -> None:
        """Writes rows from a position on.

        Raises:
            ValueError: if they are not of the file's shape, or there are more than the file has.
        """
        rows = np.ascontiguousarray(rows, np.float32)
        if rows.shape[1:] != self.shape[1:] or first + len(rows) > len(self):
            raise ValueError(f"rows of shape {rows.shape} from {first} on do not fit into {self.shape}")
        view, at = memoryview(rows).cast("B"), first * self._bytes
        with naming(tempfile.gettempdir()):
            while view:
                written = os.pwrite(self._file.fileno(), view, at)
                view, at = view[written:], at + written

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Returns the rows with these numbers, float32 [row, ...].

        Raises:
            IndexError: for a number that no row has.
        """
        found = np.empty((len(rows), *self.shape[1:]), np.float32)
        for index, row in enumerate(rows):
            if not 0 <= row < len(self):
                raise IndexError(f"row {row} is not one of {len(self)}")
            os.preadv(self._file.fileno(), [found[index]], int(row) * self._bytes)
        return found

    def blocks(self, size: int, end: int | None = None) -> Iterator[np.ndarray]:
        """Yields the first `end` rows, or all, in order, at most `size` at a time."""
        end = len(self) if end is None else end
        for start in range(0, end, size):
            yield self.read(np.arange(start, min(start + size, end)))
