"""Codes: the means of the BVAEs as sums over the cells of a unit.

The encoders of a trained band are nearly linear in the cells: a sum of one vector a cell explains 93 to 98 % of the
variance of their means on other songs. So the code of any transposition, and of a bar that was written a moment ago,
costs one product.
"""

import dataclasses
from collections.abc import Iterable

import numpy as np
from keras import ops

from msw2.music.tracks import TRACK_NAMES

RIDGE = 20.0  # sounding cells' worth of doubt about the vector of each cell
SMALLEST_SCALE = 1e-3  # of a track that never sounds: all its means are one


@dataclasses.dataclass(frozen=True, eq=False)
class Codes:
    """How cells make codes. The means of each track are scaled to mean 0 and deviation 1, over all its numbers.

    Attributes:
        kernel: float32 [track, cell, number], the vector of each cell.
        offset: float32 [track, number], the code of silence.
    """

    kernel: np.ndarray
    offset: np.ndarray

    @classmethod
    def fit(cls, means: np.ndarray, cells: Iterable[np.ndarray]) -> "Codes":
        """Fits sums to units of songs, by least squares with a ridge.

        Args:
            means: float32 [unit, track, number], of the BVAEs.
            cells: the same units for each track in turn, bool [unit, cell].
        """
        scaled = means - means.mean(axis=0)
        scaled /= np.maximum(scaled.std(axis=(0, 2), keepdims=True), SMALLEST_SCALE)
        tracks = [_summed(sounding, scaled[:, track]) for track, sounding in enumerate(cells)]
        return cls(*(np.stack(each).astype(np.float32) for each in zip(*tracks, strict=True)))

    def check(self) -> None:
        """Holds the arrays to each other.

        Raises:
            ValueError: if one does not fit.
        """
        shape = self.kernel.shape
        if len(shape) != 3 or shape[0] != len(TRACK_NAMES) or not all(shape):
            raise ValueError(f"kernel has the shape {list(shape)}, not tracks, cells, numbers")
        if self.offset.shape != (shape[0], shape[2]):
            raise ValueError(f"offset has the shape {list(self.offset.shape)}, not {[shape[0], shape[2]]}")

    @property
    def cells(self) -> int:
        """Cells of a track's unit."""
        return self.kernel.shape[1]

    @property
    def size(self) -> int:
        """Numbers of a code."""
        return self.kernel.shape[2]

    def of_cells(self, cells):
        """Maps cells, float [song, unit, track, cell] of 0 and 1, to codes, float32 [song, unit, track, number]."""
        songs, units = ops.shape(cells)[0], ops.shape(cells)[1]
        tracks, size, numbers = self.kernel.shape
        by_track = ops.transpose(ops.reshape(cells, (songs * units, tracks, size)), (1, 0, 2))
        made = ops.matmul(by_track, ops.cast(self.kernel, cells.dtype))
        return ops.reshape(
            ops.cast(ops.transpose(made, (1, 0, 2)), "float32") + self.offset, (songs, units, tracks, numbers)
        )


def random_codes(*, tracks: int, code: int, cells: int, seed: int = 0) -> Codes:
    """Returns codes of random numbers, for what is measured without training."""
    rng = np.random.default_rng(seed)
    kernel, offset = rng.normal(0, 0.3, (tracks, cells, code)), rng.normal(0, 0.5, (tracks, code))
    return Codes(kernel.astype(np.float32), offset.astype(np.float32))


def _summed(cells: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fits codes, float32 [unit, number], as sums over cells, bool [unit, cell]: kernel [cell, number], offset."""
    sounding = cells.astype(np.float32)
    mean, middle = sounding.mean(axis=0), codes.mean(axis=0)
    sounding -= mean
    squares = sounding.T @ sounding
    squares[np.diag_indices_from(squares)] += RIDGE
    kernel = np.linalg.solve(squares, sounding.T @ (codes - middle))
    return kernel, middle - mean @ kernel
