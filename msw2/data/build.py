"""Making a store from a source: `make data`.

The store appears whole or not at all: it grows in a folder <store>.partial and is renamed at the end.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
from collections.abc import Collection, Iterator
from typing import Protocol

import msw2
from msw2.data.build_report import Report, Tally
from msw2.data.shards import SHARD_PHRASES, ShardWriter
from msw2.data.song_files import Outcome
from msw2.data.splits import TEST, assigned, with_test_songs
from msw2.data.store import FORMAT, MANIFEST, REPORT, SPLITS, Store, StoreError
from msw2.data.windows import Rules
from msw2.music.grid import Grid
from msw2.music.tracks import TRACK_NAMES
from msw2.system.cores import cores
from msw2.system.progress import Progress


class Source(Protocol):
    """Where songs come from. `kind` is its name, `len()` how many of `unit` there are."""

    kind: str
    unit: str

    def __len__(self) -> int: ...

    def fingerprint(self) -> str:
        """Returns a SHA-256 that changes with the content."""

    def outcomes(self, grid: Grid, rules: Rules, workers: int) -> Iterator[Outcome]:
        """Yields what came of each file."""


def build_store(
    source: Source,
    out: str | os.PathLike,
    *,
    grid: Grid | None = None,
    selection: str = "any",
    hop: int = 4,
    windows_per_song: int = 0,
    seed: int = 0,
    test_songs: Collection[str] = (),
    workers: int | None = None,
    shard_phrases: int = SHARD_PHRASES,
) -> dict:
    """Makes a store, unless the very same one is there.

    Args:
        source: where the songs come from.
        out: the store's folder; <out>.partial beside it is used meanwhile.
        grid: the grid of the phrases; None for the default one.
        selection: one of windows.SELECTIONS.
        hop: bars from one window to the next.
        windows_per_song: most windows a song gives; 0 for all.
        seed: of the draw of windows.
        test_songs: names of the songs, without folders and suffix, that make up the test split; without any,
            the hash of each song decides.
        workers: reading processes; None for one a core, 0 to read in this one. They start afresh, so a script
            that calls this needs `if __name__ == "__main__":`.
        shard_phrases: phrases a file.

    Returns:
        The manifest: format, msw2, tracks, grid, request (source, fingerprint, rules, grid), files,
        unit (what these are), left_out (files for each reason), splits (of each songs, phrases, bars, steps,
        sounding_bars, files), cells (train: [track][pitch]) and steps (train: what `cells` are out of).

    Raises:
        StoreError: if another store is there, another process is making it, or nothing usable was found.
        ValueError: for a rule out of range.
    """
    out = pathlib.Path(out)
    grid = grid or Grid()
    rules = Rules(selection, hop, windows_per_song, seed)
    request = {"source": source.kind, "fingerprint": source.fingerprint()}
    request |= dataclasses.asdict(rules) | {"grid": dataclasses.asdict(grid)}
    if test_songs:
        request["test_songs"] = hashlib.sha256("\n".join(sorted(test_songs)).encode()).hexdigest()
    if (there := _same_store(out, request)) is not None:
        return there
    workers = cores() if workers is None else workers
    with _partial(out) as folder:
        outcomes = source.outcomes(grid, rules, workers)
        manifest = _write(
            folder, source, outcomes, test_songs, request=request, grid=grid, shard_phrases=shard_phrases
        )
        if _empty(out):
            out.rmdir()
        folder.rename(out)
    return manifest


def _same_store(out: pathlib.Path, request: dict) -> dict | None:
    """Returns the manifest of the same store, or None for an empty place; refuses anything else."""
    if not out.exists() or _empty(out):
        return None
    if not (out / MANIFEST).is_file():
        raise StoreError(f"{out} is there and is no store: give another --store")
    manifest = Store.open(out).manifest
    there = manifest["request"]
    different = [key for key in {**there, **request} if there.get(key) != request.get(key)]
    if different:
        raise StoreError(
            f"{out} holds another store (different {', '.join(different)}): delete it or give another --store"
        )
    return manifest


def _empty(folder: pathlib.Path) -> bool:
    """Tells whether this is a folder with nothing in it."""
    return folder.is_dir() and not any(folder.iterdir())


@contextlib.contextmanager
def _partial(out: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields an empty folder <out>.partial that is this process's alone, and removes it unless renamed."""
    folder = out.with_name(f"{out.name}.partial")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{out.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # ends with the process, however it ends
        except BlockingIOError as error:
            raise StoreError(f"another process is making {out}: wait for it to end") from error
        shutil.rmtree(folder, ignore_errors=True)  # what a killed process left
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            pathlib.Path(lock.name).unlink(missing_ok=True)


def _write(
    folder: pathlib.Path,
    source: Source,
    outcomes: Iterator[Outcome],
    test_songs: Collection[str],
    *,
    request: dict,
    grid: Grid,
    shard_phrases: int,
) -> dict:
    """Writes shards, report and manifest into the folder and returns the manifest."""
    report = Report()
    tallies = {split: Tally(grid) for split in SPLITS}
    with contextlib.ExitStack() as stack:
        writers = {split: ShardWriter(folder, split, shard_phrases) for split in SPLITS}
        for writer in writers.values():
            stack.callback(writer.close)
        usable = _usable(outcomes, report, Progress(len(source), source.unit))
        for split, song in with_test_songs(usable, test_songs) if test_songs else assigned(usable):
            writers[split].add(song.digest[:16], song.phrases)
            tallies[split].add(song.phrases)
            report.add(song, split)
    if not any(tally.phrases for tally in tallies.values()):
        reasons = (
            ", ".join(f"{count} {reason}" for reason, count in report.left_out().items()) or "it is empty"
        )
        raise StoreError(f"none of the {len(source)} {source.unit} of the source gave a phrase ({reasons})")
    if test_songs and not tallies[TEST].songs:
        raise StoreError(f"none of the {len(test_songs)} listed test songs is among those of the source")
    manifest = {
        "format": FORMAT,
        "msw2": msw2.__version__,
        "tracks": list(TRACK_NAMES),
        "grid": dataclasses.asdict(grid),
        "request": request,
        "files": len(report.rows),
        "unit": source.unit,
        "left_out": report.left_out(),
        "splits": {split: tallies[split].summary() | {"files": writers[split].files} for split in SPLITS},
        "cells": tallies["train"].cells.tolist(),
        "steps": tallies["train"].summary()["steps"],
    }
    report.write(folder / REPORT)
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
    return manifest


def _usable(outcomes: Iterator[Outcome], report: Report, progress: Progress) -> Iterator[Outcome]:
    """Yields the outcomes that have phrases, reports the others, and shows how far it is."""
    phrases = 0
    for done, outcome in enumerate(outcomes, start=1):
        if outcome.phrases is None:
            report.add(outcome)
        else:
            phrases += len(outcome.phrases)
            yield outcome
        progress.update(done, f"{phrases:,} phrases")
    progress.close()
