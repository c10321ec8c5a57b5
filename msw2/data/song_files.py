"""Sources made of one file a song: what is read where, and what came of it. Runs in worker processes."""

import contextlib
import dataclasses
import functools
import hashlib
import os
import pathlib
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import ClassVar

import numpy as np

from msw2.data import packing
from msw2.data.spool import Place, Spool
from msw2.data.store import StoreError
from msw2.data.tunes import telling_bars
from msw2.data.windows import SELECTIONS, Rules, cut, windows
from msw2.music.grid import Grid
from msw2.music.midi import Song, SongError, read_bytes
from msw2.system.progress import Progress, say
from msw2.system.workers import Elsewhere, in_groups, map_in_order

READER_CRASHED = "reader crashed"
MISSING = "listed song is missing"
AT_A_TIME = 128  # most songs of a task, and of a file of the spool
HASHED = 256  # files, or folders, of a task that only looks at them
NAMED = 5  # missing songs that are named at once; the report has all


class _OfSource:
    """What is called by a path relative to its source."""

    name: str

    @property
    def stem(self) -> str:
        """The name without folders and suffix. Lists name songs so."""
        return pathlib.PurePath(self.name).stem


@dataclasses.dataclass(frozen=True)
class Item(_OfSource):
    """A file of a source.

    Attributes:
        name: how the report calls it, a path relative to the source.
        path: where it is.
        digest: SHA-256 of its content in hexadecimal, empty where it could not be read.
        problem: why it cannot be used, empty where nothing is known against it.
    """

    name: str
    path: str
    digest: str = ""
    problem: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class Outcome(_OfSource):
    """What came of one file: phrases, or the reason why there are none.

    Attributes:
        name: as `Item`.
        digest: as `Item`.
        phrases: of the song; None where there are none, and where they are in a spool.
        reason: why there are none; empty if there are.
        place: where in the spool they are.
        bars: uint64 [bar], fingerprints of `tunes.telling_bars`.
    """

    name: str
    digest: str
    phrases: packing.Phrases | None = None
    reason: str = ""
    place: Place | None = None
    bars: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.uint64))


Keep = Callable[
    [Sequence[Outcome]], Sequence[Outcome]
]  # gets some outcomes where they come up, and passes them on


def keep_in(spool: Spool, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Puts the phrases of some outcomes into a spool, and returns them with the places instead."""
    songs = [outcome for outcome in outcomes if outcome.phrases is not None]
    if not songs:
        return list(outcomes)
    places = iter(spool.write(f"{songs[0].digest}.phrases", [song.phrases for song in songs]))
    return [
        outcome if outcome.phrases is None else dataclasses.replace(outcome, phrases=None, place=next(places))
        for outcome in outcomes
    ]


@dataclasses.dataclass(frozen=True)
class SongSource:
    """Files, a song each.

    Attributes:
        kind: the source's name in the manifest.
        unit: what it is made of.
        read: a module-level function (path, grid) -> Song that raises SongError.
        items: the files, with their digests.
        prepare: called before the first file is read.
        listed: names, without folders and suffix, of files that go before others with the same bytes.
    """

    unit: ClassVar[str] = "files"
    kind: str
    read: Callable[[str, Grid], Song]
    items: tuple[Item, ...]
    prepare: Callable[[], None] = lambda: None
    listed: Collection[str] = ()

    def __len__(self) -> int:
        return len(self.items)

    def fingerprint(self) -> str:
        """Returns a SHA-256 over all names and contents."""
        lines = sorted(f"{item.digest} {item.name}\n" for item in self.items)
        return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()

    def outcomes(
        self, grid: Grid, rules: Rules, workers: int | Elsewhere, keep: Keep = list
    ) -> Iterator[Outcome]:
        """Yields what came of each file: first those not worth reading, then songs in the order of digests.

        Songs with the same bytes count once. The order mixes songs of all folders, so that the first
        thousand phrases of a store are as varied as the whole.
        """
        self.prepare()
        first = {}
        for item in sorted(
            self.items, key=lambda item: (item.digest, item.stem not in self.listed, item.name)
        ):
            if item.problem:
                yield Outcome(item.name, item.digest, reason=item.problem)
            elif item.digest in first:
                reason = f"duplicate: same bytes as {first[item.digest].name}"
                yield Outcome(item.name, item.digest, reason=reason)
            else:
                first[item.digest] = item
        items = list(first.values())
        task = functools.partial(_outcomes_of, read=self.read, grid=grid, rules=rules, keep=keep)
        groups = in_groups(items, min(AT_A_TIME, -(-len(items) // AT_A_TIME)) or 1)
        for group, outcomes in map_in_order(task, groups, workers):
            if outcomes is not None:
                yield from outcomes
                continue
            for (item,), alone in map_in_order(task, in_groups(group, 1), workers):  # one of them is to blame
                yield from alone or [Outcome(item.name, item.digest, reason=READER_CRASHED)]


def _outcomes_of(
    items: Sequence[Item], read: Callable[[str, Grid], Song], grid: Grid, rules: Rules, keep: Keep
) -> Sequence[Outcome]:
    """Reads some songs, and keeps what came of them."""
    return keep([outcome_of(item, read, grid, rules) for item in items])


def outcome_of(item: Item, read: Callable[[str, Grid], Song], grid: Grid, rules: Rules) -> Outcome:
    """Reads one song and packs its windows. A file never raises: whatever is wrong becomes the reason."""
    try:
        song = read(item.path, grid)
    except SongError as error:
        return Outcome(item.name, item.digest, reason=str(error))
    except Exception as error:  # a reader's own fault must not cost the other thirteen thousand songs
        return Outcome(item.name, item.digest, reason=f"reader failed: {type(error).__name__}: {error}")
    rng = np.random.default_rng([rules.seed, int(item.digest[:16], 16)])
    first_bars = windows(song.pianoroll, grid, rules, rng)
    if not len(first_bars):
        return Outcome(item.name, item.digest, reason=f"no window in which {SELECTIONS[rules.selection]}")
    steps = range(0, len(first_bars), packing.CHUNK)
    chunks = (cut(song.pianoroll, grid, first_bars[start : start + packing.CHUNK]) for start in steps)
    phrases = packing.summarise(chunks, first_bars, song.tempo, grid)
    return Outcome(item.name, item.digest, phrases, bars=telling_bars(song.pianoroll, grid))


def folder_source(
    kind: str,
    read: Callable[[str, Grid], Song],
    path: str | os.PathLike,
    max_bytes: int,
    listed: Collection[str] = (),
    *,
    others: bool = True,
    workers: int | Elsewhere = 0,
) -> SongSource:
    """Returns the songs of a folder; `SongSource` and `folder_items` have the arguments.

    Raises:
        StoreError: if the folder does not exist, or has none of the listed songs.
    """
    folder = pathlib.Path(path)
    if not folder.is_dir():
        raise StoreError(f"{kind.upper()} folder {folder} does not exist")
    items = folder_items(folder, max_bytes, listed, others=others, workers=workers)
    return SongSource(kind, read, items, listed=frozenset(listed))


def folder_items(
    folder: pathlib.Path,
    max_bytes: int,
    listed: Collection[str] = (),
    *,
    others: bool = True,
    workers: int | Elsewhere = 0,
) -> tuple[Item, ...]:
    """Returns every file below a folder, of whatever name, sorted: the content decides what is a song.

    Links to folders are not followed, as they may go round in circles; they come back as unusable items.

    Args:
        folder: where they are, however deep.
        max_bytes: most bytes of a file.
        listed: names, without folders and suffix, of files that should be there; missing ones come back as unusable
            items.
        others: whether to look at other files, too. Without them, items are called by the names in the list, so that
            it does not matter how the folder is laid out.
        workers: who looks at the files, as for `map_in_order`.

    Raises:
        StoreError: if there is a list and none of its files is there.
    """
    paths = sorted(_paths(os.fspath(folder), workers))
    named = [(os.path.relpath(path, folder), path) for path in paths]
    found = {pathlib.PurePath(path).stem: path for _, path in reversed(named)} if listed else {}
    missing = _missing(sorted(set(listed) - set(found)), len(listed), folder)
    if not others:
        named = [(name, found[name]) for name in sorted(listed) if name in found]
    progress, items = Progress(len(named), f"files of {folder} hashed"), []
    task = functools.partial(_all_digested, max_bytes=max_bytes)
    for group, digested in map_in_order(task, in_groups(named, HASHED), workers):
        if digested is None:
            raise StoreError(f"a process that hashes files died, on one of {group[0][1]} and so on")
        items += digested
        progress.update(len(items))
    progress.close()
    return (*items, *missing)


def _paths(folder: str, workers: int | Elsewhere) -> Iterator[str]:
    """Yields all files below a folder, and links to folders, level by level."""
    folders = [folder]
    while folders:
        groups, folders = in_groups(folders, HASHED), []
        for group, found in map_in_order(_contents, groups, workers):
            if found is None:
                raise StoreError(f"a process that lists folders died, on one of {group[0]} and so on")
            yield from found[0]
            folders += found[1]


def _contents(folders: Sequence[str]) -> tuple[list[str], list[str]]:
    """Returns what lies in some folders: files and links, and folders. A folder that cannot be read has nothing."""
    files, below = [], []
    for folder in folders:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                (below if entry.is_dir(follow_symlinks=False) else files).append(entry.path)
    return files, below


def _missing(names: list[str], listed: int, folder: pathlib.Path) -> list[Item]:
    """Returns the items of listed songs that are not in a folder, and says that they are missing."""
    if names and len(names) == listed:
        raise StoreError(f"none of the {listed:,} listed songs is in {folder}: its files have other names")
    if names:
        first = ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
        say(f"{len(names):,} of {listed:,} listed songs are not in {folder}: {first}")
    return [Item(name, "", problem=MISSING) for name in names]


def _all_digested(named: Sequence[tuple[str, str]], max_bytes: int) -> list[Item]:
    """Returns the items of some paths."""
    return [_digested(name, path, max_bytes) for name, path in named]


def _digested(name: str, path: str, max_bytes: int) -> Item:
    """Returns the item of one path, with the digest or the problem."""
    if not os.path.isfile(path):  # a pipe would block, a device would never end
        return Item(name, path, problem="not a regular file")
    try:
        return Item(name, path, hashlib.sha256(read_bytes(path, max_bytes)).hexdigest())
    except SongError as error:
        return Item(name, path, problem=str(error))
