"""Writing a store: songs are read into a spool, their tunes give them splits, then each split gets its shards.

Songs are read, and shards are written, by whichever workers there are. In between, one reduction in this process joins
the tunes and plans the shards: it knows of a song its digest, the fingerprints of its bars, and where its phrases are.
"""

import dataclasses
import functools
import hashlib
import json
import pathlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import msw2
from msw2.data.build_report import Report, Tally
from msw2.data.shards import shard_name, write_shard
from msw2.data.song_files import Keep, Outcome, keep_in
from msw2.data.splits import by_list, by_tune
from msw2.data.spool import Place, Spool
from msw2.data.store import FORMAT, MANIFEST, REPORT, SPLITS, StoreError
from msw2.data.tunes import tunes_of
from msw2.data.windows import Rules
from msw2.music.grid import Grid
from msw2.music.tracks import TRACK_NAMES
from msw2.system.progress import Progress, say
from msw2.system.workers import Elsewhere, map_in_order

SPOOL = "spool"


class Source(Protocol):
    """Where songs come from. `kind` is its name, `len()` how many of `unit` there are."""

    kind: str
    unit: str

    def __len__(self) -> int: ...

    def fingerprint(self) -> str:
        """Returns a SHA-256 that changes with the content."""

    def outcomes(
        self, grid: Grid, rules: Rules, workers: int | Elsewhere, keep: Keep = list
    ) -> Iterator[Outcome]:
        """Yields what came of each file.

        Args:
            grid: the grid of the phrases.
            rules: which windows become phrases.
            workers: who reads, as for `map_in_order`.
            keep: gets some outcomes at a time in the process that has read them; what it returns is yielded.
        """


class Piece(NamedTuple):
    """Phrases of one song that follow one another in a shard.

    Attributes:
        song: its name, 16 hexadecimal digits.
        place: where all its phrases are.
        start: the first phrase.
        stop: the phrase after the last.
    """

    song: str
    place: Place
    start: int
    stop: int


class Shard(NamedTuple):
    """A shard to be written."""

    name: str
    pieces: list[Piece]


def write_store(
    folder: pathlib.Path,
    source: Source,
    rules: Rules,
    listed: Mapping[str, str] | None,
    *,
    request: dict,
    grid: Grid,
    shard_phrases: int,
    workers: int | Elsewhere,
) -> dict:
    """Writes shards, report and manifest into an empty folder; `build.build_store` has the arguments.

    Returns:
        The manifest.
    """
    report, spool = Report(), Spool(folder / SPOOL, grid)
    outcomes = source.outcomes(grid, rules, workers, functools.partial(keep_in, spool))
    songs = list(_usable(outcomes, report, Progress(len(source), source.unit)))
    if not songs:
        reasons = ", ".join(f"{count} {reason}" for reason, count in report.left_out().items())
        raise StoreError(
            f"none of the {len(source)} {source.unit} of the source gave a phrase ({reasons or 'it is empty'})"
        )
    say(f"finding the tunes of {len(songs):,} songs")
    tunes = tunes_of([song.digest for song in songs], [song.bars for song in songs])
    splits = by_tune(tunes) if listed is None else by_list([song.stem for song in songs], tunes, listed)
    about = _write_shards(folder, spool, songs, splits, shard_phrases=shard_phrases, workers=workers)
    shutil.rmtree(spool.folder)
    for row in zip(songs, tunes, splits, strict=True):
        report.add_song(*row)
    report.write(folder / REPORT)
    manifest = {
        "format": FORMAT,
        "msw2": msw2.__version__,
        "tracks": list(TRACK_NAMES),
        "grid": dataclasses.asdict(grid),
        "request": request,
        "files": len(report.rows),
        "unit": source.unit,
        "left_out": report.left_out(),
        "joined": report.joined(),
        "report": _sha256(folder / REPORT),
        **about,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
    return manifest


def _usable(outcomes: Iterator[Outcome], report: Report, progress: Progress) -> Iterator[Outcome]:
    """Yields the outcomes that have phrases, reports the others, and shows how far it is."""
    phrases = 0
    for done, outcome in enumerate(outcomes, start=1):
        if outcome.place is None:
            report.add_unusable(outcome)
        else:
            phrases += outcome.place.count
            yield outcome
        progress.update(done, f"{phrases:,} phrases")
    progress.close()


def _write_shards(
    folder: pathlib.Path,
    spool: Spool,
    songs: Sequence[Outcome],
    splits: Sequence[str],
    *,
    shard_phrases: int,
    workers: int | Elsewhere,
) -> dict:
    """Writes the songs of the spool into the shards of their splits, and returns what the manifest says of them."""
    planned = {
        split: shards_of(
            [song for song, where in zip(songs, splits, strict=True) if where == split], split, shard_phrases
        )
        for split in SPLITS
    }
    about = {split: {"tally": Tally(spool.grid), "files": [], "sha256": []} for split in SPLITS}
    shards = [(split, shard) for split in SPLITS for shard in planned[split]]
    progress, done = Progress(sum(song.place.count for song in songs), "phrases written"), 0
    task = functools.partial(_write_one, folder=folder, spool=spool)
    # It takes TensorFlow to write a shard. This process has it; others of this machine would take seconds to start.
    writing = map_in_order(task, [shard for _, shard in shards], 0 if isinstance(workers, int) else workers)
    for (split, _), (shard, written) in zip(shards, writing, strict=True):
        if written is None:
            raise StoreError(f"the process that writes {folder / shard.name} has died")
        digest, tally = written
        about[split]["tally"].join(tally)
        about[split]["files"].append(shard.name)
        about[split]["sha256"].append(digest)
        done += sum(piece.stop - piece.start for piece in shard.pieces)
        progress.update(done)
    progress.close()
    tallies = {split: about[split].pop("tally") for split in SPLITS}
    train = tallies["train"].summary()
    return {
        "splits": {split: tallies[split].summary() | about[split] for split in SPLITS},
        "cells": tallies["train"].cells.tolist(),
        "steps": train["steps"],
    }


def shards_of(songs: Sequence[Outcome], split: str, shard_phrases: int) -> list[Shard]:
    """Returns the shards of a split: its phrases one song after another, so many a shard.

    Args:
        songs: of the split, each with the place of its phrases.
        split: its name.
        shard_phrases: phrases of every shard but the last.
    """
    shards, room = [], 0
    for song in songs:
        start = 0
        while start < song.place.count:
            if room == 0:
                shards.append(Shard(shard_name(split, len(shards)), []))
                room = shard_phrases
            stop = min(start + room, song.place.count)
            shards[-1].pieces.append(Piece(song.digest[:16], song.place, start, stop))
            room -= stop - start
            start = stop
    return shards


def _write_one(shard: Shard, folder: pathlib.Path, spool: Spool) -> tuple[str, Tally]:
    """Writes a shard, and returns its SHA-256 and the sums over the songs that begin in it."""
    tally = Tally(spool.grid)

    def songs():
        for piece, phrases in zip(
            shard.pieces, spool.read([piece.place for piece in shard.pieces]), strict=True
        ):
            if piece.start == 0:
                tally.add(phrases)
            yield piece.song, phrases.part(piece.start, piece.stop)

    write_shard(folder / shard.name, songs())
    return _sha256(folder / shard.name), tally


def _sha256(path: pathlib.Path) -> str:
    """Returns the SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(2**20):
            digest.update(piece)
    return digest.hexdigest()
