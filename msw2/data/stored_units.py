"""Units: what a BVAE reads, a bar or the bars of a phrase one after another. They are read when they are needed.

Memory holds only an index of a store: 8 bytes a phrase and 5 a unit. The bits stay in the files. The system's page
cache keeps what was read lately, and gives that memory back when it is needed.
"""

import dataclasses
import math
import os
from collections.abc import Callable, Sequence

import numpy as np

from msw2.data import packing
from msw2.data.store import Store, StoreError
from msw2.music.grid import Grid
from msw2.music.tracks import TRACKS, track_index
from msw2.system.progress import Progress

READ = 1024  # records looked at at a time


@dataclasses.dataclass(frozen=True, eq=False)
class Units:
    """Units of one size, wherever they are.

    Attributes:
        read: a function. It takes rows, integer [n], and returns their cells, bool [n, step, pitch].
        is_drum: bool [unit], whether a unit is of a drum track, whose pitches are instruments.
        sounding_cells: int64 [pitch], how many cells of all units sound.
        grid: the grid of the bars.
        unit_bars: bars a unit.
    """

    read: Callable[[np.ndarray], np.ndarray]
    is_drum: np.ndarray
    sounding_cells: np.ndarray
    grid: Grid
    unit_bars: int = 1

    @classmethod
    def in_memory(cls, cells: np.ndarray, is_drum: np.ndarray, grid: Grid, unit_bars: int = 1) -> "Units":
        """Returns units that are kept in memory, as bits.

        Args:
            cells: bool [unit, step, pitch].
            is_drum: bool [unit].
            grid: the grid of the bars.
            unit_bars: bars a unit.
        """
        shape = cells.shape[1:]
        bits = np.packbits(cells.reshape(len(cells), math.prod(shape)), axis=1)

        def read(rows):
            return packing.unpack_cells(bits[rows], shape)

        return cls(read, is_drum, cells.sum(axis=(0, 1)), grid, unit_bars)

    @classmethod
    def together(cls, parts: "Sequence[Units]") -> "Units":
        """Returns the units of one or more parts, all of one size, one part after another."""
        first, ends = parts[0], np.cumsum([len(part) for part in parts])

        def read(rows):
            cells = np.empty((len(rows), *first.shape), bool)
            owners = np.searchsorted(ends, rows, side="right")
            for owner in np.unique(owners):
                own = owners == owner
                cells[own] = parts[owner].read(rows[own] - (ends[owner] - len(parts[owner])))
            return cells

        is_drum = np.concatenate([part.is_drum for part in parts])
        sounding_cells = sum(part.sounding_cells for part in parts)
        return cls(
            first.read if len(parts) == 1 else read, is_drum, sounding_cells, first.grid, first.unit_bars
        )

    def __len__(self) -> int:
        return len(self.is_drum)

    @property
    def shape(self) -> tuple[int, int]:
        """(steps, pitches) of a unit."""
        return self.unit_bars * self.grid.steps, self.grid.pitches

    def sounding_share(self) -> np.ndarray:
        """Returns the share of all steps that each pitch sounds, float [pitch], 0..1."""
        return self.sounding_cells / max(len(self) * self.shape[0], 1)


def open_units(
    store: Store,
    split: str,
    track: str,
    *,
    unit_bars: int = 1,
    silent_share: float = 1.0,
    limit: int = 0,
    seed: int = 0,
) -> Units:
    """Finds one track's units in one pass over the records. Nothing but an index is kept.

    Args:
        store: the store. Its files must not change as long as units are read.
        split: `train`, `validation` or `test`.
        track: name of the track.
        unit_bars: bars a unit; the bars of a phrase are a multiple of it.
        silent_share: share of the silent units to keep, 0..1, drawn at random.
        limit: most units, from the first on; 0: all.
        seed: of that draw.

    Raises:
        ValueError: for an unknown split or track.
        StoreError: if the store is damaged.
    """
    is_drum = TRACKS[track_index(track)].is_drum
    grid, rng = store.grid, np.random.default_rng(seed)
    shape, per_phrase = (unit_bars * grid.steps, grid.pitches), grid.bars // unit_bars
    positions, kept = [np.zeros(0, np.int64)], [np.zeros(0, np.int32)]
    sounding_cells = np.zeros(grid.pitches, np.int64)
    phrases = units = 0
    progress = Progress(store.count(split), f"phrases of {track} found")
    for starts, bits in store.located(split, track, size=READ):
        cells = packing.unpack_cells(bits, (per_phrase, *shape)).reshape(-1, *shape)
        counts = cells.sum(axis=1, dtype=np.uint16)
        rows = np.flatnonzero(counts.any(axis=1) | (rng.random(len(cells)) < silent_share))
        rows = rows[: limit - units] if limit else rows
        positions.append(starts)
        kept.append((phrases * per_phrase + rows).astype(np.int32))
        sounding_cells += counts[rows].sum(axis=0, dtype=np.int64)
        phrases, units = phrases + len(starts), units + len(rows)
        progress.update(phrases)
        if limit and units >= limit:
            break
    progress.close()
    positions, kept = np.concatenate(positions), np.concatenate(kept)
    read = _reader(store.files(split), positions, kept, shape, per_phrase)
    return Units(read, np.full(len(kept), is_drum), sounding_cells, grid, unit_bars)


def _reader(
    files: Sequence[str], positions: np.ndarray, kept: np.ndarray, shape: tuple[int, int], per_phrase: int
) -> Callable[[np.ndarray], np.ndarray]:
    """Returns what reads units: from rows, integer [n], to bool [n, step, pitch].

    Args:
        files: paths of the shards.
        positions: int64 [phrase], first byte of a track's bits, counted through all files.
        kept: int32 [unit], the number of each unit among all units of all phrases.
        shape: (steps, pitches) of a unit.
        per_phrase: units a phrase.
    """
    sizes = np.array([os.path.getsize(file) for file in files], np.int64)
    ends, cells = np.cumsum(sizes), math.prod(shape)
    width = -(-cells // 8) + (cells % 8 > 0)  # a unit that begins within a byte may end in one more

    def read(rows):
        phrase, part = np.divmod(kept[rows], per_phrase)
        first, skipped = np.divmod(part.astype(np.int64) * cells, 8)
        first += positions[phrase]
        owners = np.searchsorted(ends, first, side="right")
        places = zip(owners.tolist(), (first - ends[owners] + sizes[owners]).tolist(), strict=True)
        found = b"".join(_bytes(files[owner], place, width) for owner, place in places)
        bits = packing.unpack_cells(np.frombuffer(found, np.uint8).reshape(-1, width), (8 * width,))
        if skipped.any():
            bits = np.take_along_axis(bits, skipped[:, None] + np.arange(cells), axis=1)
        return bits[:, :cells].reshape(-1, *shape)

    return read


def _bytes(path: str, place: int, count: int) -> bytes:
    """Returns bytes of a file. An open file a shard would be too many for a large store."""
    file = os.open(path, os.O_RDONLY)
    try:
        found = os.pread(file, count, place)
    finally:
        os.close(file)
    if len(found) != count:
        raise StoreError(f"{path} has become shorter: {len(found)} of {count} bytes at byte {place}")
    return found
