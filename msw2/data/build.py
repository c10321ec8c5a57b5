"""Making a store from a source: `make data`.

The store appears whole or not at all: it grows in a folder <store>.partial and is renamed at the end.
"""

import contextlib
import dataclasses
import hashlib
import os
import pathlib
import shutil
from collections.abc import Iterator, Mapping

from msw2.data.shards import SHARD_PHRASES
from msw2.data.store import MANIFEST, Store, StoreError, folder_of
from msw2.data.store_writer import Source, write_store
from msw2.data.windows import Rules
from msw2.music.grid import Grid
from msw2.system.cores import cores
from msw2.system.files import naming
from msw2.system.locks import LockedError, alone, clear
from msw2.system.workers import Elsewhere


def build_store(
    source: Source,
    out: str | os.PathLike,
    *,
    grid: Grid | None = None,
    selection: str = "any",
    hop: int = 4,
    windows_per_song: int = 0,
    seed: int = 0,
    listed: Mapping[str, str] | None = None,
    workers: int | Elsewhere | None = None,
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
        listed: splits of songs by their names, as `splits.by_list` takes them; None: the hash of a tune decides.
        workers: reading processes; None for one a core, 0 to read in this one. They start afresh, so a script
            that calls this needs `if __name__ == "__main__":`. Or a cluster, which reads and writes.
        shard_phrases: phrases a file.

    Returns:
        The manifest. `format`, `msw2`, `tracks` and `grid` say what can read it. `request` has source, fingerprint,
        rules, splits and grid. `files` and `unit` say how many of what there were, `left_out` how many for each reason.
        `joined` counts songs of tunes that have several, and the most songs of a tune. `splits` has songs, phrases,
        bars, steps, sounding_bars, files and their SHA-256 of each. `cells` [track][pitch] and `steps`, what they are
        out of, are of the training songs. `report` is the report's SHA-256.

    Raises:
        StoreError: if another store is there, another process is making it, or nothing usable was found.
        ValueError: for a rule out of range.
    """
    out = folder_of(out)
    grid = grid or Grid()
    rules = Rules(selection, hop, windows_per_song, seed)
    request = {"source": source.kind, "fingerprint": source.fingerprint()}
    request |= dataclasses.asdict(rules) | {"grid": dataclasses.asdict(grid)}
    request["splits"] = "by tune" if listed is None else f"list {_list_digest(listed)}"
    if (there := _same_store(out, request)) is not None:
        clear(_lock(out))
        return there
    workers = cores() if workers is None else workers
    with _partial(out) as folder:
        manifest = write_store(
            folder,
            source,
            rules,
            listed,
            request=request,
            grid=grid,
            shard_phrases=shard_phrases,
            workers=workers,
        )
        if _empty(out):
            out.rmdir()
        folder.rename(out)
    return manifest


def _list_digest(listed: Mapping[str, str]) -> str:
    """Returns the SHA-256 of a list of songs, whatever its order."""
    lines = sorted(f"{name},{split}\n" for name, split in listed.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _same_store(out: pathlib.Path, request: dict) -> dict | None:
    """Returns the manifest of the same store, or None for an empty place; refuses anything else."""
    if not out.exists() or _empty(out):
        return None
    if not (out / MANIFEST).is_file():
        raise StoreError(f"{out} is there and is no store: give another --store")
    manifest = Store.open(out).summary()
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


def _lock(out: pathlib.Path) -> pathlib.Path:
    """Returns the lock of who makes a store."""
    return out.with_name(f"{out.name}.lock")


@contextlib.contextmanager
def _partial(out: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields an empty folder <out>.partial that is this process's alone, and removes it unless renamed."""
    folder = out.with_name(f"{out.name}.partial")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(alone(_lock(out)))
        except LockedError as error:
            raise StoreError(f"{error} is making {out}: wait for it to end") from error
        shutil.rmtree(folder, ignore_errors=True)  # what a killed process left
        folder.mkdir()
        try:
            with naming(out):
                yield folder
        except OSError as error:
            if error.filename and folder in pathlib.Path(os.fsdecode(error.filename)).parents:
                error.filename, error.filename2 = os.fspath(out), None  # the folder is gone: it says nothing
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)
