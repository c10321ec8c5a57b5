"""A song as files: `.mid` to play, `.npz` to compute with, `.png` to look at."""

import pathlib

import numpy as np

from msw2.inference.pictures import draw_pianorolls
from msw2.music.grid import Grid
from msw2.music.midi import write_song
from msw2.music.pianoroll import save_npz


def write_files(
    folder: pathlib.Path,
    name: str,
    song: np.ndarray,
    grid: Grid,
    tempo: float,
    *,
    title: str,
    original: np.ndarray | None = None,
    flat: bool = False,
) -> list[pathlib.Path]:
    """Writes `<name>.mid`, `.npz` and `.png`; the same song gives the same bytes.

    Args:
        folder: made if it is missing.
        name: of the files.
        song: bool [step, pitch, track], whole bars.
        grid: the grid of the song.
        tempo: beats a minute.
        title: above the picture.
        original: what the song was made from: beside it in the picture, and as `<name>-original.mid`.
        flat: whether all notes of the MIDI files are equally loud.

    Returns:
        The paths of the MIDI files, the original first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {} if original is None else {"original": original}
    draw_pianorolls(folder / f"{name}.png", pictures | {title: song}, grid)
    save_npz(folder / f"{name}.npz", song, grid, tempo)
    songs = {} if original is None else {folder / f"{name}-original.mid": original}
    songs |= {folder / f"{name}.mid": song}
    for path, version in songs.items():
        write_song(path, version, grid, tempo, flat=flat)
    return list(songs)
