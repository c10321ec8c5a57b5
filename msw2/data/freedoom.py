"""Source: the songs of Freedoom, the default, free to use (BSD-3-Clause; data/README.md has the text).

The PyPI wheel vizdoom 1.3.2 carries Freedoom's two WAD files. Music is data in there, so the wheel is only
downloaded and read, never installed or imported; the songs are the same in the wheel of every platform.
"""

import csv
import functools
import hashlib
import importlib.resources
import os
import pathlib
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator

from msw2.data.song_files import Item, SongSource
from msw2.data.store import StoreError
from msw2.music.midi import read_song
from msw2.system import children
from msw2.system.files import replacing

WHEEL = "vizdoom==1.3.2"
# One wheel that exists is named, so that it is found whatever Python and machine this runs on.
WHEEL_TAGS = (
    "--python-version=3.11",
    "--implementation=cp",
    "--abi=cp311",
    "--platform=manylinux_2_28_x86_64",
)
WADS = ("freedoom1", "freedoom2")


def freedoom(folder: str | os.PathLike) -> SongSource:
    """Returns the 75 songs of Freedoom.

    Args:
        folder: where wheel and songs are kept; what is there and has the right digest is not fetched again.
            Nothing is fetched before the first song is read.
    """
    folder = pathlib.Path(folder)
    items = tuple(Item(row["name"], str(folder / row["name"]), row["sha256"]) for row in _listed())
    return SongSource("freedoom", read_song, items, functools.partial(_prepare, folder, items))


def lumps(wad: bytes) -> Iterator[tuple[str, bytes]]:
    """Yields (name, content) of every lump of a WAD file.

    Raises:
        StoreError: if it is not a WAD file or lumps lie outside of it.
    """
    try:
        kind, count, directory = struct.unpack_from("<4sii", wad)
        if kind not in (b"IWAD", b"PWAD"):
            raise StoreError(f"WAD file begins with {kind!r}, not with IWAD or PWAD")
        for index in range(count):
            start, size, name = struct.unpack_from("<ii8s", wad, directory + 16 * index)
            if start < 0 or size < 0 or start + size > len(wad):
                raise StoreError(f"WAD lump {name!r} lies outside the file")
            yield name.rstrip(b"\0").decode("ascii", "replace"), wad[start : start + size]
    except struct.error as error:
        raise StoreError(f"WAD file of {len(wad)} bytes is damaged: {error}") from error


def songs_in(wheel: pathlib.Path) -> Iterator[tuple[str, bytes]]:
    """Yields (file name, MIDI) of the songs in the wheel's WADs; some are there more than once."""
    with zipfile.ZipFile(wheel) as archive:
        for wad in WADS:
            for name, content in lumps(archive.read(f"vizdoom/{wad}.wad")):
                if content.startswith(b"MThd"):
                    yield f"{wad}-{name.lower()}.mid", content


def _listed() -> list[dict[str, str]]:
    """Returns the rows of freedoom.csv: name, sha256."""
    text = importlib.resources.files("msw2.data").joinpath("freedoom.csv").read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def _prepare(folder: pathlib.Path, items: tuple[Item, ...]) -> None:
    """Puts the songs into the folder, each checked against its digest."""
    missing = {item.name: item.digest for item in items if _digest(pathlib.Path(item.path)) != item.digest}
    if not missing:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in songs_in(_wheel(folder)):
        if missing.get(name) == hashlib.sha256(content).hexdigest():
            with replacing(folder / name) as temporary:
                temporary.write_bytes(content)
            del missing[name]
    if missing:
        raise StoreError(f"{len(missing)} songs of Freedoom are not in {WHEEL} as listed: {min(missing)}, …")


def _digest(path: pathlib.Path) -> str:
    """Returns the SHA-256 of a file, empty for a missing one."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _wheel(folder: pathlib.Path) -> pathlib.Path:
    """Returns the wheel, fetched by pip if it is not in the folder."""
    pattern = f"{WHEEL.replace('==', '-')}-*.whl"
    if not any(folder.glob(pattern)):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--no-deps", "--only-binary=:all:", *WHEEL_TAGS, f"--dest={folder}", WHEEL]
        print(f"fetching {WHEEL} (39 MB) for Freedoom's songs", file=sys.stderr)
        tie = children.tied_to(os.getpid())
        done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=tie)
        if done.returncode or not any(folder.glob(pattern)):
            last = (done.stderr.strip() or "no message").splitlines()[-1]
            raise StoreError(
                f"pip could not download {WHEEL}, which carries Freedoom's songs ({last}); "
                f"put its wheel into {folder}, or give a folder of MIDI files of your own"
            )
    wheel = min(folder.glob(pattern))
    if not zipfile.is_zipfile(wheel):
        raise StoreError(f"{wheel} is not a wheel: delete it and try again")
    return wheel
