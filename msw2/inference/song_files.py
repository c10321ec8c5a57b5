"""A song as files: `.mid` to play, `.npz` to compute with, `.png` to look at, `.json` with facts for the page."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from msw2.inference.pictures import draw_pianorolls
from msw2.music.grid import Grid
from msw2.music.midi import write_song
from msw2.music.pianoroll import save_npz
from msw2.page.about import About, about_path, write_about
from msw2.page.folder import ORIGINAL, original_path
from msw2.sound.audio_file import write_audio
from msw2.sound.mix import song_sound
from msw2.sound.song_audio import remove_song_audio
from msw2.system.progress import Progress


@dataclasses.dataclass(frozen=True, eq=False)
class MadeSong:
    """A song to be written as files.

    Attributes:
        name: of the files.
        pianoroll: bool [step, pitch, track], whole bars.
        tempo: beats a minute.
        title: above the picture.
        about: facts about the song.
        original: what the song was made from, bool [step, pitch, track]; None: nothing.
        given: which of the song is from the original, bool [bar, track], to be drawn apart; None: nothing to tell.
    """

    name: str
    pianoroll: np.ndarray
    tempo: float
    title: str
    about: About
    original: np.ndarray | None = None
    given: np.ndarray | None = None


def write_songs(
    folder: pathlib.Path, songs: Sequence[MadeSong], grid: Grid, *, flat: bool = False
) -> list[pathlib.Path]:
    """Writes `<name>.mid`, `.npz` and `.json` of each song. The same song gives the same bytes.

    An original becomes `<name>-original.mid`. Sound and picture of earlier songs under these names are removed first.

    Args:
        folder: made if it is missing.
        songs: to write; names are different.
        grid: the grid of the songs.
        flat: whether all notes of the MIDI files are equally loud.

    Returns:
        The paths of the MIDI files, an original before its song.
    """
    written = []
    for song in songs:
        path = folder / f"{song.name}.mid"
        versions = {path: song.pianoroll}
        if song.original is not None:
            versions = {original_path(path): song.original, **versions}
        picture_path(path).unlink(missing_ok=True)
        for midi, pianoroll in versions.items():
            remove_song_audio(folder, midi.stem)
            write_song(midi, pianoroll, grid, song.tempo, flat=flat)
        save_npz(folder / f"{song.name}.npz", song.pianoroll, grid, song.tempo)
        write_about(about_path(path), song.about)
        written += versions
    return written


def draw_songs(folder: pathlib.Path, songs: Sequence[MadeSong], grid: Grid) -> None:
    """Writes `<name>.png` of each song, an original beside what was made of it. Shows the progress."""
    progress = Progress(len(songs), "songs", label="pictures")
    for done, song in enumerate(songs, start=1):
        pictures = {} if song.original is None else {ORIGINAL: song.original}
        path = picture_path(folder / f"{song.name}.mid")
        draw_pianorolls(path, pictures | {song.title: song.pianoroll}, grid, given=_given(song))
        progress.update(done)
    progress.close()


def _given(song: MadeSong) -> dict[str, np.ndarray]:
    """Returns what of a song's pictures is given: all of its original, and what the song keeps of that."""
    if song.given is None:
        return {}
    found = {song.title: song.given}
    if song.original is not None:
        found[ORIGINAL] = np.ones((1, song.given.shape[1]), bool)
    return found


def picture_path(song: pathlib.Path) -> pathlib.Path:
    """Returns where the picture of a song file lies: `song.png` for `song.mid`."""
    return song.with_suffix(".png")


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
    write_audio(path, song_sound(song, grid, tempo))


_WRITERS = {".mid": write_song, ".npz": save_npz, ".ogg": _write_sound, ".wav": _write_sound}
