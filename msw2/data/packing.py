"""Phrases as bits: what worker processes hand to the writer, and what a record of the store holds."""

import dataclasses
import math

import numpy as np

from msw2.music.grid import Grid
from msw2.music.tracks import TRACKS

CHUNK = 64  # phrases unpacked at a time: 64 of them are 5 MB


def bytes_per_track(grid: Grid) -> int:
    """Returns the bytes of one track's packed phrase; 2,016 on the default grid."""
    return -(-grid.bars * grid.steps * grid.pitches // 8)


def pack(phrases: np.ndarray) -> np.ndarray:
    """Packs bool [phrase, bar, step, pitch, track] into uint8 [phrase, track, byte].

    Bits run through (bar, step, pitch) in C order, the first one in a byte's highest bit.
    """
    by_track = np.moveaxis(phrases, -1, 1)
    return np.packbits(by_track.reshape(*by_track.shape[:2], -1), axis=-1)


def unpack_cells(bits: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Unpacks bits into cells. Spare bits at the end of a row are dropped.

    Args:
        bits: uint8 [..., byte]; the first cell is a byte's highest bit.
        shape: of the cells of one row.

    Returns:
        bool [..., *shape].
    """
    cells = np.unpackbits(bits, axis=-1, count=math.prod(shape)).view(bool)
    return cells.reshape(*bits.shape[:-1], *shape)


def unpack(packed: np.ndarray, grid: Grid) -> np.ndarray:
    """Returns bool [phrase, bar, step, pitch, track] from `pack`'s uint8 [phrase, track, byte]."""
    return np.moveaxis(unpack_cells(packed, grid.phrase_shape), 1, -1)


@dataclasses.dataclass(frozen=True, eq=False)
class Phrases:
    """The phrases of one song.

    Attributes:
        first_bars: int64 [phrase], where each begins in the song.
        packed: uint8 [phrase, track, byte], see `pack`.
        tempo: beats per minute.
        cells: int64 [track, pitch], sounding cells of all phrases.
        sounding_bars: int64 [track], bars of all phrases that are not silent.
    """

    first_bars: np.ndarray
    packed: np.ndarray
    tempo: float
    cells: np.ndarray
    sounding_bars: np.ndarray

    def __len__(self) -> int:
        return len(self.first_bars)

    def part(self, start: int, stop: int) -> "Phrases":
        """Returns the phrases from one to before another, with the counts of all."""
        return dataclasses.replace(
            self, first_bars=self.first_bars[start:stop], packed=self.packed[start:stop]
        )


def summarise(chunks, first_bars: np.ndarray, tempo: float, grid: Grid) -> Phrases:
    """Packs and counts phrases that come in chunks, so that only one chunk is dense at a time.

    Args:
        chunks: iterable of bool [phrase, bar, step, pitch, track].
        first_bars: int64 [phrase] of all chunks together.
        tempo: beats per minute.
        grid: the grid of the phrases.
    """
    packed = [np.zeros((0, len(TRACKS), bytes_per_track(grid)), np.uint8)]
    cells = np.zeros((len(TRACKS), grid.pitches), np.int64)
    sounding_bars = np.zeros(len(TRACKS), np.int64)
    for phrases in chunks:
        packed.append(pack(phrases))
        counts = phrases.sum(axis=2, dtype=np.uint16)
        cells += counts.sum(axis=(0, 1), dtype=np.int64).T
        sounding_bars += counts.any(axis=2).sum(axis=(0, 1))
    return Phrases(first_bars, np.concatenate(packed), tempo, cells, sounding_bars)
