"""Codes: the means of the BVAEs, turned and scaled to what a diffusion can work on, and seen as sums over cells.

The encoders of a trained band are nearly linear in the cells of a unit: a sum of one vector a cell explains 97 to 99 %
of the variance of their means. So what is expected of a code follows from the probabilities of the cells, and telling
cells is what networks learn well (the refiners' multi-label classification, Eq. 4).
"""

import dataclasses
from collections.abc import Iterable

import keras
import numpy as np
from keras import ops

from msw2.models.copies import SILENT
from msw2.models.per_track import per_track
from msw2.music.tracks import TRACK_NAMES

RIDGE = 20.0  # sounding cells' worth of doubt about the vector of each cell
SMALLEST_VARIANCE = 1e-3  # of a direction, where 1 is the mean of all
SMALLEST_SCALE = 1e-3  # of a track that never sounds: all its means are one
DRAFT_SLOPE = 0.5
DRAFT_MIDDLE = SILENT / DRAFT_SLOPE  # logits of drafts: silent cells lie around 0, those that sound above 10
DRAFT = "draft"  # name of the decoders' layer


@dataclasses.dataclass(frozen=True, eq=False)
class Codes:
    """The space of the codes of five tracks. All arrays are float32.

    A code is (mean - `middle`) / `scale`, turned to the principal axes. So codes of a track have variance 1 on average
    over their numbers.

    Attributes:
        middle: [track, number], mean of the means.
        scale: [track], their deviation.
        axes: [track, number, direction], orthonormal.
        variance: [track, direction], of the codes.
        kernel: [track, cell, direction], the vector of each cell.
        offset: [track, direction], the code of silence.
        residual: [track], deviation of what the sum over the cells leaves out.
    """

    middle: np.ndarray
    scale: np.ndarray
    axes: np.ndarray
    variance: np.ndarray
    kernel: np.ndarray
    offset: np.ndarray
    residual: np.ndarray

    @classmethod
    def fit(cls, means: np.ndarray, cells: Iterable[np.ndarray], like: "Codes | None" = None) -> "Codes":
        """Fits the space to units of songs.

        Args:
            means: float32 [unit, track, number], of the BVAEs.
            cells: the same units for each track in turn, bool [unit, cell].
            like: a space whose middle, scale and axes are kept, so that a network which has learnt with them goes on
                with other encoders; None: those of the means.
        """
        middle = means.mean(axis=0) if like is None else like.middle
        centred = means - middle
        scale = np.sqrt(np.square(centred).mean(axis=(0, 2))) if like is None else like.scale
        scale = np.maximum(scale, SMALLEST_SCALE)
        tracks = []
        for track, sounding in enumerate(cells):
            scaled = centred[:, track] / scale[track]
            axes = _principal_axes(scaled) if like is None else like.axes[track]
            turned = scaled @ axes
            variance = np.maximum(np.square(turned).mean(axis=0), SMALLEST_VARIANCE)
            tracks.append((axes, variance, *_summed(sounding, turned)))
        stacked = (np.stack(each).astype(np.float32) for each in zip(*tracks, strict=True))
        return cls(middle.astype(np.float32), scale.astype(np.float32), *stacked)

    def check(self) -> None:
        """Holds the arrays to one another.

        Raises:
            ValueError: naming the first array that does not fit.
        """
        tracks, cells, size = self.kernel.shape if self.kernel.ndim == 3 else (0, 0, 0)
        shapes = {
            "kernel": (len(TRACK_NAMES), cells, size),
            "middle": (tracks, size),
            "scale": (tracks,),
            "axes": (tracks, size, size),
            "variance": (tracks, size),
            "offset": (tracks, size),
            "residual": (tracks,),
        }
        for name, shape in shapes.items():
            found = getattr(self, name).shape
            if found != shape or not all(shape):
                raise ValueError(f"{name} has the shape {list(found)}, not {list(shape)}")
        for name in ("variance", "scale"):
            if (getattr(self, name) <= 0).any():
                raise ValueError(f"{name} is not above 0")

    @property
    def cells(self) -> int:
        """Cells of a track's unit."""
        return self.kernel.shape[1]

    @property
    def size(self) -> int:
        """Numbers of a code."""
        return self.kernel.shape[2]

    def of_means(self, means):
        """Maps means, float32 [song, unit, track, number], to codes of that shape."""
        return per_track((means - self.middle) / self.scale[:, None], ops.convert_to_tensor(self.axes))

    def to_means(self, codes):
        """Maps codes, float32 [song, unit, track, number], to means of that shape."""
        turned = per_track(codes, ops.swapaxes(self.axes, 1, 2))
        return turned * self.scale[:, None] + self.middle

    def of_cells(self, cells):
        """Maps cells to the codes that their sums make.

        Args:
            cells: float [song, unit, track, cell] of 0 and 1, or the probabilities that they sound.

        Returns:
            float32 [song, unit, track, number].
        """
        kernel = ops.cast(self.kernel, cells.dtype)
        return ops.cast(per_track(cells, kernel), "float32") + self.offset

    def decoding(self, sandwich: keras.Model) -> tuple[np.ndarray, np.ndarray]:
        """Returns the first step of the decoders, which drafts cells, as a map of codes.

        Returns:
            kernel [track, number, cell] and bias [track, cell], float32, such that codes @ kernel + bias are logits.
        """
        layers = [sandwich.get_layer(f"{track}_decoder").get_layer(DRAFT) for track in TRACK_NAMES]
        kernels, biases = (
            np.stack([np.asarray(getattr(layer, name), np.float32) for layer in layers])
            for name in ("kernel", "bias")
        )
        kernel = DRAFT_SLOPE * np.swapaxes(self.axes, 1, 2) @ kernels * self.scale[:, None, None]
        bias = DRAFT_SLOPE * ((self.middle[:, None] @ kernels)[:, 0] + biases - DRAFT_MIDDLE)
        return kernel.astype(np.float32), bias.astype(np.float32)


def random_codes(*, tracks: int, code: int, cells: int, seed: int = 0) -> Codes:
    """Returns a space of random numbers, for what is measured without training; arguments as for `build_denoiser`."""
    rng = np.random.default_rng(seed)
    axes = [np.linalg.qr(rng.normal(size=(code, code)))[0] for _ in range(tracks)]
    arrays = {
        "middle": rng.normal(0, 0.2, (tracks, code)),
        "scale": rng.uniform(0.5, 2.0, tracks),
        "axes": np.stack(axes),
        "variance": rng.uniform(0.3, 2.0, (tracks, code)),
        "kernel": rng.normal(0, 0.3, (tracks, cells, code)),
        "offset": rng.normal(0, 0.5, (tracks, code)),
        "residual": rng.uniform(0.1, 0.3, tracks),
    }
    return Codes(**{name: array.astype(np.float32) for name, array in arrays.items()})


def _principal_axes(scaled: np.ndarray) -> np.ndarray:
    """Returns the directions of a track's means, float32 [unit, number], the widest first: [number, direction]."""
    _, axes = np.linalg.eigh(scaled.T @ scaled / len(scaled))
    return axes[:, ::-1]


def _summed(cells: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Fits codes as a sum of one vector a sounding cell, by least squares with a ridge.

    Args:
        cells: bool [unit, cell].
        codes: float32 [unit, number].

    Returns:
        kernel [cell, number], offset [number], and the deviation of what is left.
    """
    sounding = cells.astype(np.float32)
    mean, middle = sounding.mean(axis=0), codes.mean(axis=0)
    sounding -= mean
    squares = sounding.T @ sounding
    squares[np.diag_indices_from(squares)] += RIDGE
    kernel = np.linalg.solve(squares, sounding.T @ (codes - middle))
    left = codes - middle - sounding @ kernel
    return kernel, middle - mean @ kernel, float(left.std())
