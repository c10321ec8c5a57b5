"""A folder of MIDI files as songs of a page: versions are paired by name, facts come from the file beside."""

import os
import pathlib
from typing import NamedTuple

from msw2.music.grid import Grid
from msw2.music.midi import MAX_FILE_BYTES, SongError, read_bytes, read_song
from msw2.page.about import About, AboutError, about_path, read_about
from msw2.page.songs import Song, Version, clean

SUFFIXES = (".mid", ".midi")
ORIGINAL = "original"  # label of a version that `made` was made from
MADE = "made"  # label of a version that nothing is known about
MOST_SONGS = 200


class FolderError(ValueError):
    """A folder that gives no page. The message is one sentence."""


class _Source(NamedTuple):
    """A version of a song before it is read."""

    label: str
    path: pathlib.Path
    facts: dict[str, float | str]


def read_folder(folder: str | os.PathLike, grid: Grid) -> tuple[list[Song], list[str]]:
    """Reads the MIDI files of a folder and of its sub-folders.

    `a.mid` and `a-original.mid` are two versions of one song, the original first. Facts beside a file (`a.json`,
    see `page.about`) name the labels and the other version. A file that cannot be read is left out.

    Args:
        folder: where to look. Hidden files are passed over.
        grid: the grid to lay the notes on.

    Returns:
        The songs in the order of their names, and a sentence for each file whose music or facts were left out.

    Raises:
        FolderError: if the folder is missing, or has no MIDI files, none that can be read, or too many.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise FolderError(f"folder {folder} does not exist")
    paths = midi_files(folder)
    if not paths:
        raise FolderError(f"folder {folder} has no MIDI files ({', '.join(SUFFIXES)})")
    left_out: list[str] = []
    pairs = _paired(paths, left_out)
    if len(pairs) > MOST_SONGS:
        raise FolderError(f"folder {folder} has {len(pairs)} songs, and a page holds at most {MOST_SONGS}")
    songs = []
    for path, sources in pairs.items():
        if versions := [version for source in sources if (version := _read(source, grid, left_out))]:
            songs.append(Song(path.relative_to(folder).with_suffix("").as_posix(), tuple(versions)))
    if not songs:
        raise FolderError(f"folder {folder} has no song that can be read: {left_out[0]}")
    return songs, left_out


def original_path(song: pathlib.Path) -> pathlib.Path:
    """Returns where the music lies that a song was made from: `a-original.mid` for `a.mid`."""
    return song.with_name(f"{song.stem}-{ORIGINAL}{song.suffix}")


def midi_files(folder: str | os.PathLike) -> list[pathlib.Path]:
    """Returns the MIDI files of a folder and of its sub-folders, in order. Hidden ones are passed over."""
    folder = pathlib.Path(folder)
    found = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    ]
    return sorted(found, key=lambda path: (path.parent.as_posix(), path.stem, path.suffix))


def _paired(paths: list[pathlib.Path], left_out: list[str]) -> dict[pathlib.Path, list[_Source]]:
    """Returns a song's file -> its versions, in the order of their buttons."""
    known = {path: _about(path, left_out) for path in paths}
    others = {}
    for path, about in known.items():
        plain = original_path(path)
        other = path.with_name(about.other_file) if about and about.other else plain
        others[path] = other if other in known and other != path else None
        if other != plain and not others[path]:
            left_out.append(clean(f"{other}: not there, though {about_path(path).name} names it"))
    # What is another song's other version is no song of its own. Of two that name each other, the first is the song.
    taken: set[pathlib.Path] = set()
    for path, other in others.items():
        if path not in taken and other is not None:
            taken.add(other)
    return {path: _sources(path, known[path], others[path]) for path in paths if path not in taken}


def _sources(path: pathlib.Path, about: About | None, other: pathlib.Path | None) -> list[_Source]:
    """Returns the versions of a song, the other one first."""
    made = _Source(about.made if about else MADE, path, _facts(about))
    if other is None:
        return [made]
    return [_Source(about.other if about and about.other else ORIGINAL, other, {}), made]


def _about(path: pathlib.Path, left_out: list[str]) -> About | None:
    """Returns the facts beside a file; None if there are none that can be read."""
    beside = about_path(path)
    if not beside.is_file():
        return None
    try:
        return read_about(beside)
    except AboutError as error:
        left_out.append(clean(f"facts in {beside}: {error}"))
        return None


def _read(source: _Source, grid: Grid, left_out: list[str]) -> Version | None:
    """Returns a version; None if its file cannot be read."""
    try:
        content = read_bytes(source.path, MAX_FILE_BYTES)
        song = read_song(content, grid)
    except SongError as error:
        left_out.append(clean(f"{source.path}: {error}"))
        return None
    return Version(source.label, song.pianoroll, song.tempo, source.path.name, content, source.facts)


def _facts(about: About | None) -> dict[str, float | str]:
    """Returns what the page shows of the facts."""
    if about is None:
        return {}
    facts = {"preset": about.preset} if about.preset else {}
    if about.seeds:
        facts["seed" if len(about.seeds) == 1 else "seeds"] = listed(about.seeds)
    return facts | dict(about.figures)


def listed(numbers: tuple[int, ...]) -> str:
    """Returns whole numbers as text, each run of three or more as its ends: `0 to 3, 7, 9`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    texts = [f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return ", ".join(texts)
