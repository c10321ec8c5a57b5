"""How near phrases are to the training phrases: whether generation copies.

The distance of two phrases is 1 - F1 over the cells of all five tracks (Dice). It is 0 for the same cells, and 1 where
no cell is shared, also for silence against music. A copy in another key is a copy: each phrase is sought in all
transpositions by up to six semitones either way that keep every note on the pitch axis. Drums stay. Music repeats
itself, so compare the result with the same distances of held-out songs.

The search is exact. It first counts cells beat by beat, for each pitch and track. Two phrases with a_i and b_i cells in
place i share at most sum_i min(a_i, b_i) <= sum_i sqrt(a_i b_i), a matrix product. This bound rules out all but one
pair in some thousand. Those are compared cell by cell, as bits.
"""

import dataclasses
import typing
from collections.abc import Iterable

import numpy as np

from msw2.config import Config
from msw2.data import packing
from msw2.data.store import Store
from msw2.evaluation.bootstrap import Sample, numbered, weights_of
from msw2.evaluation.results import ALL, Estimate, Evaluation, Key
from msw2.music.grid import Grid
from msw2.music.tracks import DRUMS

SEMITONES = tuple(sorted(range(-6, 7), key=abs))  # from 0 on: of equals, the smaller shift is named
NEAR = 0.1  # a near copy: nine cells of ten are the same
BATCH = 2048  # training phrases at a time
METRICS = ("nearest_median", "nearest_5", "copies", "near_copies")
_FARTHEST = max(map(abs, SEMITONES))
_GROUP = 1024  # phrases sought at a time: with BATCH some 600 MB in all, measured
_UNPACKED = 256  # phrases in memory cell by cell
_PAIRS = 1024  # pairs compared at a time
_ROUNDING = 1 + 1e-5  # the bound is a sum of float32


class Nearest(typing.NamedTuple):
    """The nearest training phrase of each phrase.

    Attributes:
        distance: float64 [phrase], 0..1.
        index: int64 [phrase], of the training phrase; -1 where none has a cell in common.
        semitones: int64 [phrase], the transposition that makes the phrase so near.
    """

    distance: np.ndarray
    index: np.ndarray
    semitones: np.ndarray


def nearest(phrases: np.ndarray, training: Iterable[np.ndarray], grid: Grid) -> Nearest:
    """Finds the nearest training phrase of each phrase; see the module.

    Args:
        phrases: bool [phrase, bar, step, pitch, track], all five tracks.
        training: batches uint8 [phrase, track, byte] of `packing.pack`, read once. Memory grows with their size
            and with `phrases`, not with their number.
        grid: the grid of all.
    """
    groups = [_Group(phrases[start : start + _GROUP], grid) for start in range(0, len(phrases), _GROUP)]
    first = 0
    for packed in training:
        heard = _Packed(packed, grid)
        for group in groups:
            group.search(heard, first)
        first += len(packed)
    return Nearest(*map(np.concatenate, zip(*(group.best for group in groups), strict=True)))


def estimates(
    row: str, distances: np.ndarray, *, seed: int, resamples: int, songs: np.ndarray | None = None
) -> dict[Key, Estimate]:
    """Summarises the distances of a row, with 95 % bootstrap intervals over songs.

    Args:
        row: name of the row.
        distances: float64 [phrase], at least one, to the nearest training phrase.
        seed: of the resampling.
        resamples: number of bootstrap resamples.
        songs: [phrase], any name for each song; None: each phrase is a song of its own, as generated ones are.

    Returns:
        Their median and 5 % quantile (`nearest_median`, `nearest_5`), and the shares of copies, at distance 0, and of
        near copies, at most `NEAR`.
    """
    index, count = numbered(len(distances), songs)
    draws = [
        _summary(np.repeat(distances, drawn[index])) if count > 1 else np.full(len(METRICS), np.nan)
        for weights in weights_of(count, seed, resamples)
        for drawn in weights.astype(np.int64)
    ]
    sample = Sample(_summary(distances), np.array(draws))
    return {
        Key(row, metric, "correct", ALL): estimate
        for metric, estimate in zip(METRICS, sample.estimates(), strict=True)
    }


def searched(store: Store, config: Config, limit: int) -> tuple[int, int]:
    """Returns how many training phrases to search, at most `limit` (0: all), and how many the run was trained on."""
    trained = -(-config.train_bars // config.bars)  # 0: on all
    count = min(store.count("train"), trained or store.count("train"))
    return min(limit or count, count), count


def with_novelty(
    evaluation: Evaluation,
    sought: dict[str, np.ndarray],
    store: Store,
    among: tuple[int, int],
    songs: dict[str, np.ndarray],
) -> Evaluation:
    """Adds the distances of named phrases to training phrases.

    Args:
        evaluation: what to add to; its seed and number of resamples are used.
        sought: row to its phrases, bool [phrase, bar, step, pitch, track].
        store: with the training phrases.
        among: what `searched` returns.
        songs: row to the songs of its phrases, [phrase]. Rows of generated phrases are left out.
    """
    limit, count = among
    heard = store.packed("train", size=BATCH, limit=count, evenly=limit)
    found = nearest(np.concatenate(list(sought.values())), heard, store.grid)
    ends = np.cumsum([len(phrases) for phrases in sought.values()])[:-1]
    added = {}
    for row, distances in zip(sought, np.split(found.distance, ends), strict=True):
        resampling = {"seed": evaluation.seed, "resamples": evaluation.resamples}
        added |= estimates(row, distances, songs=songs.get(row), **resampling)
    return dataclasses.replace(evaluation, estimates=evaluation.estimates | added, searched=among)


def _summary(distances: np.ndarray) -> np.ndarray:
    middle, low = np.quantile(distances, (0.5, 0.05))
    return np.array([middle, low, np.mean(distances == 0), np.mean(distances <= NEAR)])


class _Packed:
    """Phrases as words of bits, and as what the bound needs.

    Attributes:
        words: uint64 [phrase, word].
        cells: float32 [phrase], how many sound.
        drums: float32 [phrase, beat and pitch], square roots of the cells of every beat.
        pitched: the same of the other tracks, float32 [phrase, track and beat and pitch].
    """

    def __init__(self, packed: np.ndarray, grid: Grid):
        self.words = _words(packed)
        self.cells = np.bitwise_count(self.words).sum(axis=1, dtype=np.float32)
        roots = np.sqrt(_beats(packed, grid), dtype=np.float32)
        self.drums = roots[:, DRUMS].reshape(len(packed), -1)
        self.pitched = roots[:, DRUMS + 1 :].reshape(len(packed), -1)  # drums come first


class _Group:
    """Phrases that are sought together, and what is nearest to each so far."""

    def __init__(self, phrases: np.ndarray, grid: Grid):
        packed = packing.pack(phrases)
        self._sought = _Packed(packed, grid)
        self._words = np.stack([_words(_transposed(packed, shift)) for shift in SEMITONES], axis=1)
        self._padded = np.pad(self._sought.pitched, ((0, 0), (_FARTHEST, _FARTHEST)))
        self._lost = ~_fitting(self._sought.pitched.reshape(len(phrases), -1, grid.pitches).any(axis=1))
        size = len(phrases)
        self.best = Nearest(np.ones(size), np.full(size, -1), np.zeros(size, np.int64))

    def search(self, heard: _Packed, first: int) -> None:
        """Goes through one batch of training phrases; `first` is the index of the first one."""
        bounds = self._bounds(heard)
        likely = np.unravel_index(bounds.reshape(len(bounds), -1).argmin(axis=1), bounds.shape[1:])
        self._compare(heard, first, bounds, (np.arange(len(bounds)), *likely))
        pairs = np.nonzero(bounds < self.best.distance.astype(np.float32)[:, None, None])
        order = np.argsort(bounds[pairs], kind="stable")
        self._compare(heard, first, bounds, tuple(each[order] for each in pairs))

    def _bounds(self, heard: _Packed) -> np.ndarray:
        """Returns lower bounds, float32 [phrase, shift, training phrase]; infinite where a note would be lost."""
        cells = self._sought.cells[:, None] + heard.cells
        factor = 2 * _ROUNDING / np.maximum(cells, 1)
        drums = self._sought.drums @ heard.drums.T
        bounds = np.empty((len(cells), len(SEMITONES), len(heard.cells)), np.float32)
        for index, shift in enumerate(SEMITONES):
            # Pitches are neighbours: to transpose is to begin elsewhere. What would cross an edge is in `_lost`.
            start = _FARTHEST - shift
            moved = self._padded[:, start : start + heard.pitched.shape[1]]
            bounds[:, index] = 1 - factor * (moved @ heard.pitched.T + drums)
        bounds[:, 0][cells == 0] = 0  # silence and silence
        bounds[self._lost] = np.inf
        return bounds

    def _compare(self, heard: _Packed, first: int, bounds: np.ndarray, pairs) -> None:
        """Compares pairs (row, shift, training phrase) that their bounds do not rule out, the likeliest first."""
        best = self.best
        for start in range(0, len(pairs[0]), _PAIRS):
            row, shift, index = (each[start : start + _PAIRS] for each in pairs)
            demanded = bounds[row, shift, index] < best.distance[row]
            row, shift, index = row[demanded], shift[demanded], index[demanded]
            common = np.bitwise_count(self._words[row, shift] & heard.words[index]).sum(
                axis=1, dtype=np.int64
            )
            cells = (self._sought.cells[row] + heard.cells[index]).astype(np.int64)
            distance = np.where(cells > 0, 1 - 2 * common / np.maximum(cells, 1), 0)
            order = np.lexsort((index, shift, distance, row))
            order = order[np.unique(row[order], return_index=True)[1]]  # the nearest of each row
            order = order[distance[order] < best.distance[row[order]]]
            best.distance[row[order]] = distance[order]
            best.index[row[order]] = first + index[order]
            best.semitones[row[order]] = np.array(SEMITONES)[shift[order]]


def _words(packed: np.ndarray) -> np.ndarray:
    """uint8 [phrase, track, byte] -> uint64 [phrase, word]."""
    flat = packed.reshape(len(packed), -1)
    return np.pad(flat, ((0, 0), (0, -flat.shape[1] % 8))).view(np.uint64)


def _transposed(packed: np.ndarray, semitones: int) -> np.ndarray:
    """Transposes packed phrases whose notes all stay on the pitch axis: every bit moves by the same distance."""
    moved = packed.copy()
    pitched, source = moved[:, DRUMS + 1 :], packed[:, DRUMS + 1 :]
    if semitones > 0:
        pitched >>= semitones
        pitched[..., 1:] |= source[..., :-1] << (8 - semitones)
    elif semitones < 0:
        pitched <<= -semitones
        pitched[..., :-1] |= source[..., 1:] >> (8 + semitones)
    return moved


def _fitting(sounding: np.ndarray) -> np.ndarray:
    """Whether pitches, bool [phrase, pitch], stay on their axis in each transposition, bool [phrase, shift]."""
    pitches = sounding.shape[1]
    lowest = np.where(sounding.any(axis=1), sounding.argmax(axis=1), 0)
    highest = np.where(sounding.any(axis=1), pitches - 1 - sounding[:, ::-1].argmax(axis=1), pitches - 1)
    shifts = np.array(SEMITONES)
    return (lowest[:, None] + shifts >= 0) & (highest[:, None] + shifts < pitches)


def _beats(packed: np.ndarray, grid: Grid) -> np.ndarray:
    """Counts the cells of every beat, uint16 [phrase, track, beat, pitch]."""
    size = grid.bars * grid.steps * grid.pitches
    shape = (
        packed.shape[1],
        grid.bars * grid.steps // grid.beat_resolution,
        grid.beat_resolution,
        grid.pitches,
    )
    counts = np.empty((len(packed), *shape[:2], grid.pitches), np.uint16)
    for start in range(0, len(packed), _UNPACKED):
        cells = np.unpackbits(packed[start : start + _UNPACKED], axis=-1, count=size)
        counts[start : start + _UNPACKED] = cells.reshape(len(cells), *shape).sum(axis=3, dtype=np.uint16)
    return counts
