"""A folder of songs of anybody's making, as phrases: what `python -m msw2.cli.compare` reads."""

import collections
import dataclasses
import functools
import hashlib
import itertools
import os
import pathlib

import numpy as np

from msw2.data import packing
from msw2.data.song_files import READER_CRASHED
from msw2.music.any_song import SUFFIXES, read_any_song
from msw2.music.grid import Grid
from msw2.music.midi import SongError
from msw2.music.pianoroll import cut_phrases
from msw2.system.cores import cores
from msw2.system.progress import Progress
from msw2.system.workers import map_in_order

OTHER_FORMAT = "another format of the song of the same name"
SILENT = "no window of four bars sounds"


class MusicError(ValueError):
    """Music that cannot be read, or is too little to compare. The message is one sentence."""


@dataclasses.dataclass(frozen=True, eq=False)
class Music:
    """The phrases of a folder.

    Attributes:
        packed: uint8 [phrase, track, byte], see `packing.pack`; file by file, and within a file in the order of time.
        files: int64 [phrase], the file that each is of: 0, 1, 2, ... in the order of names.
        songs: int64 [phrase], the same, but files of the same music have one number, the first file's.
        read: how many files gave phrases.
        different: how many different songs these are.
        there: how many phrases these files have.
        left_out: files that gave none, for each reason, most frequent first.
        bent: files that `make data` would refuse and that count nevertheless, for each reason.
    """

    packed: np.ndarray
    files: np.ndarray
    songs: np.ndarray
    read: int
    different: int
    there: int
    left_out: dict[str, int]
    bent: dict[str, int]

    def __len__(self) -> int:
        return len(self.packed)

    def phrases(self, grid: Grid) -> np.ndarray:
        """Returns the phrases, bool [phrase, bar, step, pitch, track]."""
        return packing.unpack(self.packed, grid)


@dataclasses.dataclass(frozen=True, eq=False)
class _Read:
    """What came of a file.

    Attributes:
        places: int64 [phrase], of the phrases that may be drawn, in random order; their numbers in the song.
        packed: uint8 [phrase, track, byte], of the same.
        there: how many phrases the song has.
        digest: of all its phrases.
        bent: see `AnySong.bent`.
        problem: why there are none; empty if there are.
    """

    places: np.ndarray | None = None
    packed: np.ndarray | None = None
    there: int = 0
    digest: str = ""
    bent: str = ""
    problem: str = ""


def read_music(
    path: str | os.PathLike, grid: Grid, *, limit: int, seed: int, workers: int | None = None
) -> Music:
    """Reads the songs of a folder, however deep: files whose suffix is one of `any_song.SUFFIXES`.

    Every four bars of a song that sound at all are a phrase. A song shorter than four bars is one phrase, with silence
    at its end. Bars that are left over at the end of a longer song do not count. A song may be there in several
    formats, `a.mid` and `a.npz`: then the first of `SUFFIXES` counts. If there are more phrases than the limit, every
    file gives the same number, or all it has.

    Args:
        path: of the folder.
        grid: the grid of the phrases.
        limit: most phrases to take; 0: all.
        seed: of the draw.
        workers: reading processes; None for one a core, 0 to read in this one.

    Raises:
        MusicError: if the folder does not exist, or holds no such files, or none that gives a phrase.
    """
    folder = pathlib.Path(path)
    if not folder.is_dir():
        raise MusicError(f"folder {folder} does not exist")
    paths, left_out = _song_files(folder)
    if not paths:
        raise MusicError(f"folder {folder} has no songs: no file ends in {', '.join(SUFFIXES)}")
    task = functools.partial(_read, grid=grid, limit=limit, seed=seed)
    draw, bent, first_of = _Draw(limit), collections.Counter(), {}
    songs, there = [], 0
    progress = Progress(len(paths), f"files of {folder}")
    reading = map_in_order(task, paths, cores() if workers is None else workers)
    for done, (_, read) in enumerate(reading, start=1):
        problem = READER_CRASHED if read is None else read.problem
        if problem:
            left_out[_brief(problem)] += 1
        else:
            songs.append(first_of.setdefault(read.digest, len(songs)))
            draw.add(read)
            there += read.there
            bent.update([_brief(read.bent)] if read.bent else [])
        progress.update(done, f"{there:,} phrases")
    progress.close()
    if not songs:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in left_out.most_common())
        raise MusicError(f"none of the {len(paths):,} songs of {folder} could be read ({reasons})")
    files, packed = draw.phrases()
    return Music(
        packed,
        files,
        np.array(songs)[files],
        len(songs),
        len(first_of),
        there,
        dict(left_out.most_common()),
        dict(bent.most_common()),
    )


def phrases_of(song: np.ndarray, grid: Grid) -> np.ndarray:
    """Returns the phrases of a song that sound, bool [phrase, bar, step, pitch, track]; see `read_music`.

    Args:
        song: bool [step, pitch, track], whole bars, at least one.
        grid: sizes of a phrase.
    """
    size = grid.bars * grid.steps
    phrases = cut_phrases(song[: max(len(song) // size, 1) * size], grid)
    return phrases[phrases.reshape(len(phrases), -1).any(axis=1)]


def _song_files(folder: pathlib.Path) -> tuple[list[str], collections.Counter]:
    """Returns the paths of songs, sorted, each song in one format; and how many files are left out for that."""
    formats: dict[str, list[str]] = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            stem, suffix = os.path.splitext(os.path.join(parent, name))
            if suffix.lower() in SUFFIXES and not name.startswith("."):
                formats.setdefault(stem, []).append(suffix)
    left_out = collections.Counter()
    if more := sum(len(each) - 1 for each in formats.values()):
        left_out[OTHER_FORMAT] = more
    return [
        stem + min(suffixes, key=lambda each: (SUFFIXES.index(each.lower()), each))
        for stem, suffixes in sorted(formats.items())
    ], left_out


def _read(path: str, grid: Grid, limit: int, seed: int) -> _Read:
    """Reads one song, in a worker process. A file never raises: whatever is wrong becomes the problem."""
    if not os.path.isfile(path):  # a pipe would block, a device would never end
        return _Read(problem="not a regular file")
    try:
        song = read_any_song(path, grid)
    except SongError as error:
        return _Read(problem=str(error))
    except Exception as error:  # a reader's own fault must not cost the other songs
        return _Read(problem=f"reader failed: {type(error).__name__}: {error}")
    phrases = phrases_of(song.pianoroll, grid)
    if not len(phrases):
        return _Read(problem=SILENT)
    steps = range(0, len(phrases), packing.CHUNK)
    packed = np.concatenate([packing.pack(phrases[start : start + packing.CHUNK]) for start in steps])
    digest = hashlib.sha256(packed.tobytes()).hexdigest()
    order = np.random.default_rng([seed, int(digest[:16], 16)]).permutation(len(packed))
    order = order[: limit or None]
    return _Read(order, packed[order], len(packed), digest, song.bent)


class _Draw:
    """Phrases of files in layers: the first phrase of each file, the second of each that has one, and so on.

    The deepest layers are given up as soon as the others reach the limit, so memory does not grow with the folder.

    Args:
        limit: most phrases to draw; 0: all.
    """

    def __init__(self, limit: int):
        self._limit = limit
        self._layers: list[list[tuple[int, int, np.ndarray]]] = []  # of (file, place in it, bits)
        self._open = True  # whether there may be more layers than there are
        self._files = self._count = 0

    def add(self, read: _Read) -> None:
        """Adds the next file."""
        for layer, (place, bits) in enumerate(zip(read.places.tolist(), read.packed, strict=True)):
            if layer == len(self._layers):
                if not self._open:
                    break
                self._layers.append([])
            self._layers[layer].append((self._files, place, bits.copy()))
            self._count += 1
        self._files += 1
        while self._limit and self._count - len(self._layers[-1]) >= self._limit:
            self._count -= len(self._layers.pop())
            self._open = False

    def phrases(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the files of the drawn phrases, int64 [phrase], and their bits, uint8 [phrase, track, byte]."""
        last = self._layers.pop()
        rest = self._count - len(last)
        wanted = min(self._limit - rest, len(last)) if self._limit else len(last)
        last = [last[index * len(last) // wanted] for index in range(wanted)]
        drawn = sorted([*itertools.chain(*self._layers), *last], key=lambda each: each[:2])
        return np.array([file for file, *_ in drawn]), np.stack([bits for *_, bits in drawn])


def _brief(reason: str) -> str:
    """Returns a reason without its detail."""
    return reason.partition(":")[0]
