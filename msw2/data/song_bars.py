"""The bars of whole songs, for what is trained on stretches of them."""

import dataclasses
import itertools
import tempfile

import numpy as np

from msw2.data import packing
from msw2.data.augmentation import transpose_phrases
from msw2.data.store import BATCH, Store
from msw2.music.grid import Grid
from msw2.music.tracks import TRACK_NAMES


@dataclasses.dataclass(frozen=True, eq=False)
class SongBars:
    """The phrases of a split's songs, as bits in a temporary file.

    Attributes:
        grid: their grid.
        phrases: uint8 [phrase, track, byte], see `packing.pack`, in the order of the store.
        songs: of each song, the rows of `phrases` that are its own, in the order of their bars, int64 [phrase].
        bars: of each song, the first bars of these phrases, int64 [phrase]. No two phrases overlap.
    """

    grid: Grid
    phrases: np.ndarray
    songs: list[np.ndarray]
    bars: list[np.ndarray]

    @classmethod
    def of(cls, store: Store, split: str) -> "SongBars":
        """Reads a split. Phrases that overlap an earlier one of their song are left out.

        Raises:
            StoreError: if the store is damaged.
        """
        phrases = _on_disk((store.count(split), len(TRACK_NAMES), packing.bytes_per_track(store.grid)))
        names, firsts, filled = [], [np.zeros(0, np.int64)], 0
        for batch in store.batches(split, ("song", "bar", *TRACK_NAMES), size=BATCH):
            block = np.stack([batch[name] for name in TRACK_NAMES], axis=1)
            phrases[filled : filled + len(block)] = block
            filled += len(block)
            names += batch["song"].tolist()
            firsts.append(batch["bar"])
        songs, bars, first_bars = [], [], np.concatenate(firsts)
        for _, group in itertools.groupby(range(filled), key=names.__getitem__):
            rows = np.array(list(group))
            rows = _without_overlap(rows[np.argsort(first_bars[rows], kind="stable")], first_bars, store.grid)
            songs.append(rows)
            bars.append(first_bars[rows])
        return cls(store.grid, phrases, songs, bars)

    def __len__(self) -> int:
        return len(self.songs)

    def cells(self, rows: np.ndarray, shift: int) -> np.ndarray:
        """Returns phrases of one song, moved by some semitones, drums aside: all by as many, so that its key holds.

        Args:
            rows: int64 [phrase], of `phrases`.
            shift: semitones up; fewer where a note would leave the pitch axis.

        Returns:
            bool [phrase, bar, step, pitch, track].
        """
        cells = packing.unpack(np.asarray(self.phrases[rows]), self.grid)
        if not shift:
            return cells
        as_one = cells.reshape(1, -1, *cells.shape[2:])  # what is one phrase moves together
        return transpose_phrases(as_one, shift).numpy().reshape(cells.shape)


def _on_disk(shape: tuple[int, ...]) -> np.ndarray:
    """Returns zeros, uint8, in a temporary file, which goes when they go."""
    if not shape[0]:
        return np.zeros(shape, np.uint8)  # no file can be mapped that is empty
    with tempfile.TemporaryFile() as file:  # the mapping outlives it
        return np.memmap(file, np.uint8, "w+", shape=shape)


def _without_overlap(rows: np.ndarray, first_bars: np.ndarray, grid: Grid) -> np.ndarray:
    """Returns the rows of a song, in the order of their bars, without those that begin within one before."""
    kept, end = [], 0
    for row in rows:
        if first_bars[row] >= end:
            kept.append(row)
            end = first_bars[row] + grid.bars
    return np.array(kept)
