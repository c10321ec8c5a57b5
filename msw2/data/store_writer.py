"""Writing a store: songs are read into a spool, their tunes give them splits, then each split gets its shards."""

import contextlib
import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import msw2
from msw2.data.build_report import Report, Tally
from msw2.data.shards import ShardWriter
from msw2.data.song_files import Outcome
from msw2.data.splits import by_list, by_tune
from msw2.data.spool import Spool
from msw2.data.store import FORMAT, MANIFEST, REPORT, SPLITS, StoreError
from msw2.data.tunes import tunes_of
from msw2.data.windows import Rules
from msw2.music.grid import Grid
from msw2.music.tracks import TRACK_NAMES
from msw2.system.progress import Progress, say


class Source(Protocol):
    """Where songs come from. `kind` is its name, `len()` how many of `unit` there are."""

    kind: str
    unit: str

    def __len__(self) -> int: ...

    def fingerprint(self) -> str:
        """Returns a SHA-256 that changes with the content."""

    def outcomes(self, grid: Grid, rules: Rules, workers: int) -> Iterator[Outcome]:
        """Yields what came of each file."""


def write_store(
    folder: pathlib.Path,
    source: Source,
    outcomes: Iterator[Outcome],
    listed: Mapping[str, str] | None,
    *,
    request: dict,
    grid: Grid,
    shard_phrases: int,
) -> dict:
    """Writes shards, report and manifest into an empty folder; `build.build_store` has the arguments.

    Returns:
        The manifest.
    """
    report = Report()
    with contextlib.closing(Spool(folder, grid)) as spool:
        songs = []
        for song in _usable(outcomes, report, Progress(len(source), source.unit)):
            spool.add(song.phrases)
            songs.append(dataclasses.replace(song, phrases=None))
        if not songs:
            reasons = ", ".join(f"{count} {reason}" for reason, count in report.left_out().items())
            raise StoreError(
                f"none of the {len(source)} {source.unit} of the source gave a phrase ({reasons or 'it is empty'})"
            )
        say(f"finding the tunes of {len(songs):,} songs")
        tunes = tunes_of([song.digest for song in songs], [song.bars for song in songs])
        splits = by_tune(tunes) if listed is None else by_list([song.stem for song in songs], tunes, listed)
        about = _write_shards(folder, spool, songs, splits, grid=grid, shard_phrases=shard_phrases)
    for row in zip(songs, spool.counts, tunes, splits, strict=True):
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
        if outcome.phrases is None:
            report.add_unusable(outcome)
        else:
            phrases += len(outcome.phrases)
            yield outcome
        progress.update(done, f"{phrases:,} phrases")
    progress.close()


def _write_shards(
    folder: pathlib.Path,
    spool: Spool,
    songs: Sequence[Outcome],
    splits: Sequence[str],
    *,
    grid: Grid,
    shard_phrases: int,
) -> dict:
    """Writes the songs of the spool into the shards of their splits, and returns what the manifest says of them."""
    tallies = {split: Tally(grid) for split in SPLITS}
    progress = Progress(len(songs), "songs written")
    with contextlib.ExitStack() as stack:
        writers = {
            split: stack.enter_context(contextlib.closing(ShardWriter(folder, split, shard_phrases)))
            for split in SPLITS
        }
        for done, (song, split, phrases) in enumerate(
            zip(songs, splits, spool.songs(), strict=True), start=1
        ):
            if split:
                writers[split].add(song.digest[:16], phrases)
                tallies[split].add(phrases)
            progress.update(done)
    progress.close()
    about = {}
    for split, tally in tallies.items():
        files = writers[split].files
        about[split] = tally.summary() | {
            "files": files,
            "sha256": [_sha256(folder / name) for name in files],
        }
    train = tallies["train"]
    return {"splits": about, "cells": train.cells.tolist(), "steps": train.summary()["steps"]}


def _sha256(path: pathlib.Path) -> str:
    """Returns the SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(2**20):
            digest.update(piece)
    return digest.hexdigest()
