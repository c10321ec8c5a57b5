"""A song as files: `.mid` to play, `.npz` to compute with, `.png` to look at, `.json` with facts for the page."""

import dataclasses
import os
import pathlib

import numpy as np

from msw2.inference.pictures import draw_pianorolls
from msw2.music.grid import Grid
from msw2.music.midi import write_song
from msw2.music.pianoroll import save_npz
from msw2.page.about import About, about_path, write_about
from msw2.sound.audio_file import write_audio
from msw2.sound.mix import mix, stems

ORIGINAL = "original"


def write_files(
    folder: pathlib.Path,
    name: str,
    song: np.ndarray,
    grid: Grid,
    tempo: float,
    *,
    title: str,
    about: About,
    original: np.ndarray | None = None,
    flat: bool = False,
) -> list[pathlib.Path]:
    """Writes `<name>.mid`, `.npz`, `.png` and `.json`; the same song gives the same bytes.

    Args:
        folder: made if it is missing.
        name: of the files.
        song: bool [step, pitch, track], whole bars.
        grid: the grid of the song.
        tempo: beats a minute.
        title: above the picture.
        about: facts about the song; of the original, this function adds them.
        original: what the song was made from: beside it in the picture, and as `<name>-original.mid`.
        flat: whether all notes of the MIDI files are equally loud.

    Returns:
        The paths of the MIDI files, the original first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {} if original is None else {ORIGINAL: original}
    draw_pianorolls(folder / f"{name}.png", pictures | {title: song}, grid)
    save_npz(folder / f"{name}.npz", song, grid, tempo)
    songs = {} if original is None else {folder / f"{name}-{ORIGINAL}.mid": original}
    songs |= {folder / f"{name}.mid": song}
    for path, version in songs.items():
        write_song(path, version, grid, tempo, flat=flat)
    if original is not None:
        about = dataclasses.replace(about, other=ORIGINAL, other_file=f"{name}-{ORIGINAL}.mid")
    write_about(about_path(folder / f"{name}.mid"), about)
    return list(songs)


def write_file(path: str | os.PathLike, song: np.ndarray, grid: Grid, tempo: float) -> None:
    """Writes one file, whole or not at all. The same song gives the same bytes.

    Args:
        path: ends in `.mid`, `.npz`, `.ogg` or `.wav`; missing folders are made.
        song: bool [step, pitch, track], whole bars.
        grid: the grid of the song.
        tempo: beats a minute.

    Raises:
        SoundError: if its sound is asked for, and the song is too long for it.
        ValueError: for another suffix.
    """
    suffix = pathlib.Path(path).suffix.lower()
    if suffix not in _WRITERS:
        raise ValueError(f"{path} does not end in one of {', '.join(_WRITERS)}")
    _WRITERS[suffix](path, song, grid, tempo)


def _write_sound(path: str | os.PathLike, song: np.ndarray, grid: Grid, tempo: float) -> None:
    write_audio(path, mix(stems(song, grid, tempo)))


_WRITERS = {".mid": write_song, ".npz": save_npz, ".ogg": _write_sound, ".wav": _write_sound}
