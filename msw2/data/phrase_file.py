"""Source: MuseGAN's phrase file, `train_x_lpd_5_phr.npz`: sparse, and far larger than memory when dense.

`nonzero` is what np.nonzero gives, [5, cells], so its first row only rises and the file can be read as a
stream: one handle for each of the five rows. Songs are not marked in the file. Blocks of BLOCK phrases in a
row take their place, so only the two ends of a block can share a song with another split.
"""

import contextlib
import dataclasses
import hashlib
import math
import os
import pathlib
import zipfile
from collections.abc import Iterator
from typing import BinaryIO, ClassVar

import numpy as np

from msw2.data import packing
from msw2.data.song_files import Keep, Outcome
from msw2.data.store import StoreError
from msw2.data.windows import Rules
from msw2.music import npz
from msw2.music.grid import Grid
from msw2.music.midi import SongError
from msw2.music.tracks import TRACKS
from msw2.system.progress import Progress
from msw2.system.workers import Elsewhere

BLOCK = 64  # phrases; 5 MB dense
PIECE = 2**19  # cells read at a time: 4 MB of a row of int64
AT_A_TIME = 16  # blocks of a file of the spool
MAX_PHRASES = 10**7
MAX_BYTES = 2**40
TEMPO = 100.0  # MuseGAN's when it writes MIDI; the file has none
AXES = 5


@dataclasses.dataclass(frozen=True)
class PhraseFile:
    """A phrase file. All its phrases are taken: their windows were chosen when the file was made.

    Attributes:
        path: the file.
        phrases: how many phrases it holds.
    """

    path: pathlib.Path
    phrases: int
    kind: ClassVar[str] = "phrases"
    unit: ClassVar[str] = "blocks"

    def __len__(self) -> int:
        return math.ceil(self.phrases / BLOCK)

    def fingerprint(self) -> str:
        """Returns the SHA-256 of the file."""
        digest = hashlib.sha256()
        progress = Progress(self.path.stat().st_size >> 20, f"MiB of {self.path} hashed")
        with self.path.open("rb") as file:
            while piece := file.read(2**20):
                digest.update(piece)
                progress.update(file.tell() >> 20)
        progress.close()
        return digest.hexdigest()

    def outcomes(
        self, grid: Grid, rules: Rules, workers: int | Elsewhere, keep: Keep = list
    ) -> Iterator[Outcome]:
        """Yields the blocks in order; `rules` and `workers` have nothing to do here: a stream has one reader.

        Raises:
            StoreError: if the file is damaged, does not fit the grid, or its phrases are not in order.
        """
        group: list[Outcome] = []
        for outcome in self._blocks(grid):
            group.append(outcome)
            if len(group) == AT_A_TIME:
                yield from keep(group)
                group = []
        yield from keep(group)

    def _blocks(self, grid: Grid) -> Iterator[Outcome]:
        """Yields what came of each block."""
        try:
            with npz.opened(self.path) as archive, contextlib.ExitStack() as stack:
                shape = (self.phrases, *grid.phrase_shape, len(TRACKS))
                if (found := tuple(npz.array(archive, "shape", 4096).tolist())) != shape:
                    raise SongError(f"shape {found} is not {shape}")
                for number, cells in enumerate(_blocks(_pieces(archive, stack, shape), self.phrases)):
                    yield _outcome(number, cells, shape, grid)
        except SongError as error:
            raise StoreError(f"phrase file {self.path}: {error}") from error


def phrase_file(path: str | os.PathLike) -> PhraseFile:
    """Opens a phrase file.

    Raises:
        StoreError: if `path` is no file, or no phrase file.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise StoreError(f"phrase file {path} does not exist")
    try:
        with npz.opened(path) as archive:
            shape = npz.array(archive, "shape", 4096)
    except SongError as error:
        raise StoreError(f"phrase file {path}: {error}") from error
    if shape.shape != (AXES,) or shape.dtype.kind not in "iu" or not 0 < shape[0] <= MAX_PHRASES:
        raise StoreError(
            f"phrase file {path}: shape {shape.tolist()} is not [phrases, bars, steps, pitches, tracks]"
        )
    return PhraseFile(path, int(shape[0]))


def _pieces(archive: zipfile.ZipFile, stack: contextlib.ExitStack, shape: tuple) -> Iterator[np.ndarray]:
    """Yields `nonzero` piece by piece: int64 [5, up to PIECE], every index checked against the shape."""
    info = npz.member(archive, "nonzero.npy", MAX_BYTES)
    with archive.open(info) as file:
        (axes, cells), fortran, dtype = _nonzero_header(file)
        start = file.tell()
    if cells > math.prod(shape) or start + axes * cells * dtype.itemsize > info.file_size:
        raise SongError(f"nonzero of {cells} cells fits neither the shape nor the file")
    # One handle for all where the five indices of a cell lie together, one a row where the rows do.
    files = [stack.enter_context(archive.open(info)) for _ in range(1 if fortran else axes)]
    for row, file in enumerate(files):
        _skip(file, start + row * cells * dtype.itemsize)
    limits = np.array(shape)[:, None]
    for first in range(0, cells, PIECE):
        count = min(PIECE, cells - first)
        if fortran:
            piece = _numbers(files[0], count * axes, dtype).reshape(count, axes).T
        else:
            piece = np.stack([_numbers(file, count, dtype) for file in files])
        piece = piece.astype(np.int64, copy=False)
        if (piece < 0).any() or (piece >= limits).any():
            raise SongError(f"nonzero has indices outside the shape {shape}")
        yield piece


def _nonzero_header(file: BinaryIO) -> tuple[tuple[int, int], bool, np.dtype]:
    """Returns the header of `nonzero`, checked."""
    shape, fortran, dtype = npz.header(file)
    if len(shape) != 2 or shape[0] != AXES or shape[1] < 0 or dtype.kind not in "iu":
        raise SongError(f"nonzero is {dtype} {list(shape)}, not whole numbers [{AXES}, cells]")
    return shape, fortran, dtype


def _skip(file: BinaryIO, count: int) -> None:
    """Reads past `count` bytes."""
    while count > 0:
        piece = file.read(min(count, 2**20))
        if not piece:
            raise SongError("nonzero ends early")
        count -= len(piece)


def _numbers(file: BinaryIO, count: int, dtype: np.dtype) -> np.ndarray:
    """Reads `count` numbers."""
    content = file.read(count * dtype.itemsize)
    if len(content) != count * dtype.itemsize:
        raise SongError("nonzero ends early")
    return np.frombuffer(content, dtype)


def _blocks(pieces: Iterator[np.ndarray], phrases: int) -> Iterator[np.ndarray]:
    """Yields the cells of each block of BLOCK phrases, int64 [5, cells], phrases counted within the block."""
    rest = np.zeros((AXES, 0), np.int64)
    block = last = 0
    for piece in pieces:
        if piece[0, 0] < last or (np.diff(piece[0]) < 0).any():
            raise SongError("nonzero is not sorted by phrase")
        last = piece[0, -1]
        rest = np.concatenate([rest, piece], axis=1)
        while last >= (block + 1) * BLOCK:
            end = np.searchsorted(rest[0], (block + 1) * BLOCK)
            yield rest[:, :end] - [[block * BLOCK], [0], [0], [0], [0]]
            rest, block = rest[:, end:], block + 1
    for number in range(block, -(-phrases // BLOCK)):  # the last block with cells, and silent ones
        end = np.searchsorted(rest[0], (number + 1) * BLOCK)
        yield rest[:, :end] - [[number * BLOCK], [0], [0], [0], [0]]
        rest = rest[:, end:]


def _outcome(number: int, cells: np.ndarray, shape: tuple, grid: Grid) -> Outcome:
    """Packs one block."""
    first = number * BLOCK
    count = min(BLOCK, shape[0] - first)
    # Each track in one piece of memory, as in music.notes.silence, packs faster.
    block = np.moveaxis(np.zeros((shape[-1], count, *shape[1:-1]), bool), 0, -1)
    block[tuple(cells)] = True
    first_bars = np.arange(len(block), dtype=np.int64) * grid.bars
    phrases = packing.summarise([block], first_bars, TEMPO, grid)
    # The number is part of the name of a block, so that two alike stay two songs.
    digest = hashlib.sha256(number.to_bytes(8, "big") + phrases.packed.tobytes()).hexdigest()
    return Outcome(f"phrases {first}..{first + len(block) - 1}", digest, phrases)
