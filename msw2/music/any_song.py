"""Songs of anybody's making: a MIDI file or a pypianoroll .npz file, in whatever meter and resolution."""

import dataclasses
import os
import pathlib

import numpy as np

from msw2.music.grid import Grid
from msw2.music.midi import SongError, read_song
from msw2.music.multitrack import MIDI_PITCHES, from_multitrack
from msw2.music.multitrack_file import MAX_CELLS, load_multitrack
from msw2.music.notes import draw, nearest_step, runs

MIDI_SUFFIXES, NPZ_SUFFIXES = (".mid", ".midi"), (".npz",)
SUFFIXES = (*MIDI_SUFFIXES, *NPZ_SUFFIXES)  # in this order, of one song in several formats


@dataclasses.dataclass(frozen=True, eq=False)
class AnySong:
    """A song on the grid.

    Attributes:
        pianoroll: bool [step, pitch, track], whole bars of four beats from time zero.
        bent: why `make data` would refuse the file, though it is laid on the grid; empty if it would not.
    """

    pianoroll: np.ndarray
    bent: str = ""


def read_any_song(path: str | os.PathLike, grid: Grid) -> AnySong:
    """Reads a song by its suffix, one of `SUFFIXES`.

    A song that fits the grid is read as `make data` reads it. Any other song is bent to it. Its bars are four beats
    long from its beginning, whatever its meter. Its tempo does not matter. If a pianoroll has another resolution, its
    notes go to the nearest steps.

    Args:
        path: of the file.
        grid: the grid to lay the notes on.

    Raises:
        SongError: if the file is damaged, hostile or too long, or has no notes that the grid can hold.
    """
    if pathlib.Path(path).suffix.lower() in MIDI_SUFFIXES:
        return _read_midi(path, grid)
    return _read_npz(path, grid)


def _read_midi(path: str | os.PathLike, grid: Grid) -> AnySong:
    try:
        return AnySong(read_song(path, grid).pianoroll)
    except SongError as error:
        return AnySong(read_song(path, grid, strict=False).pianoroll, str(error))


def _read_npz(path: str | os.PathLike, grid: Grid) -> AnySong:
    multitrack = load_multitrack(path)
    try:
        song, bent = from_multitrack(multitrack, grid)[0], ""
    except SongError as error:
        multitrack.downbeat = multitrack.tempo = None
        if multitrack.resolution % grid.beat_resolution:
            _resample(multitrack, grid)
        song, bent = from_multitrack(multitrack, grid)[0], str(error)
    if not song.any():
        raise SongError("no notes on the grid's pitches in any of the five families")
    return AnySong(song, bent)


def _resample(multitrack, grid: Grid) -> None:
    """Gives a `pypianoroll.Multitrack` the grid's resolution, in place. Each cell of the drums stays one hit."""
    steps = sum(len(track.pianoroll) for track in multitrack.tracks)
    cells = MIDI_PITCHES * steps * grid.beat_resolution // multitrack.resolution
    if cells > MAX_CELLS:
        raise SongError(f"too large: {cells} cells, at most {MAX_CELLS}")
    for track in multitrack.tracks:
        pitches, starts, ends = runs(track.pianoroll > 0, bool(track.is_drum))
        first, last = (nearest_step(each, multitrack.resolution, grid) for each in (starts, ends))
        last = first + 1 if track.is_drum else np.maximum(last, first + 1)
        cells = np.zeros((int(last.max(initial=0)), MIDI_PITCHES), bool)
        draw(cells, pitches, first, last)
        track.pianoroll = cells
    multitrack.resolution = grid.beat_resolution
