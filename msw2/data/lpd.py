"""Source: a tree of LPD-5 files, pypianoroll's .npz of versions 0.x and 1.x alike.

Both keep each track as a sparse matrix in compressed columns (`pianoroll_0_csc_data`, …) beside `info.json`;
0.x calls the resolution `beat_resolution`. pypianoroll's own loader is not used:
it believes the sizes it reads.
"""

import json
import os
import pathlib
import zipfile

import numpy as np

from msw2.data.song_files import SongSource, folder_items
from msw2.data.store import StoreError
from msw2.music import npz
from msw2.music.grid import BEATS_PER_BAR, Grid
from msw2.music.midi import MAX_BARS, MAX_TEMPO, MIN_TEMPO, Song, SongError
from msw2.music.notes import silence
from msw2.music.tracks import DRUMS, family_of

MAX_FILE_BYTES = 16 * 2**20
MAX_ARRAY_BYTES = 64 * 2**20
MAX_INFO_BYTES = 2**20
MAX_TRACKS = 256
MIDI_PITCHES = 128
DEFAULT_TEMPO = 120.0


def lpd_tree(path: str | os.PathLike) -> SongSource:
    """Returns the songs of a folder of LPD files; every file in it is accounted for.

    Raises:
        StoreError: if there is no such folder.
    """
    folder = pathlib.Path(path)
    if not folder.is_dir():
        raise StoreError(f"LPD folder {folder} does not exist")
    return SongSource("lpd", read_lpd, folder_items(folder, MAX_FILE_BYTES))


def read_lpd(path: str | os.PathLike, grid: Grid) -> Song:
    """Reads a multitrack file of pypianoroll.

    As MuseGAN did, every second step of LPD's 24 a beat is taken (on another resolution: every n-th, so that
    the grid's remain) and tracks of one family are merged. LPD marks only the first downbeat, so the meter
    cannot be checked; where more downbeats are marked, they have to be four beats apart.

    Args:
        path: an .npz file.
        grid: the grid to lay the notes on.

    Raises:
        SongError: if it is no such file, is damaged, hostile or too long, or does not fit the grid.
    """
    with npz.opened(path) as archive:
        info = _info(archive)
        resolution = info.get("resolution", info.get("beat_resolution"))
        if not isinstance(resolution, int) or resolution < 1 or resolution % grid.beat_resolution:
            raise SongError(
                f"resolution is no multiple of {grid.beat_resolution} steps a beat: {resolution!r}"[:100]
            )
        _check_downbeats(archive, resolution)
        tracks = [
            _track(archive, info[str(index)], index) for index in range(MAX_TRACKS) if str(index) in info
        ]
        tempo = _tempo(archive)
    bar = BEATS_PER_BAR * resolution
    length = max((length for _, length, _, _ in tracks), default=0)
    if length == 0:
        raise SongError("no notes in any track")
    if length > MAX_BARS * bar:
        raise SongError(f"too long: {length // bar} bars, at most {MAX_BARS}")
    pianoroll = silence(-(-length // bar), grid)
    stride = resolution // grid.beat_resolution
    for family, _, steps, pitches in tracks:
        rows = pitches - grid.lowest_pitch
        kept = (steps % stride == 0) & (rows >= 0) & (rows < grid.pitches) & (family is not None)
        pianoroll[steps[kept] // stride, rows[kept], DRUMS if family is None else family] = True
    return Song(pianoroll, tempo)


def _info(archive: zipfile.ZipFile) -> dict:
    """Returns the content of info.json."""
    content = archive.read(npz.member(archive, "info.json", MAX_INFO_BYTES))
    try:
        info = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise SongError("damaged info.json") from error
    if not isinstance(info, dict):
        raise SongError("damaged info.json")
    return info


def _track(
    archive: zipfile.ZipFile, about: dict, index: int
) -> tuple[int | None, int, np.ndarray, np.ndarray]:
    """Returns (family, steps of the pianoroll, step of each sounding cell, pitch of each)."""
    program = about.get("program") if isinstance(about, dict) else None
    if not isinstance(program, int) or not 0 <= program < MIDI_PITCHES:
        raise SongError(f"track without a program in 0..127: track {index}")
    parts = ("data", "indices", "indptr", "shape")
    data, steps, columns, shape = (
        npz.array(archive, f"pianoroll_{index}_csc_{part}", MAX_ARRAY_BYTES) for part in parts
    )
    if any(each.dtype.kind not in "biu" for each in (steps, columns, shape)) or data.dtype.kind not in "biuf":
        raise SongError(f"damaged pianoroll: track {index} is not made of numbers")
    steps, columns = steps.astype(np.int64), columns.astype(np.int64)
    whole = (
        shape.shape == (2,)
        and shape[1] == MIDI_PITCHES
        and columns.shape == (MIDI_PITCHES + 1,)
        and steps.shape == data.shape == (columns[-1],)
        and columns[0] == 0
        and (np.diff(columns) >= 0).all()
        and ((steps >= 0) & (steps < shape[0])).all()
    )
    if not whole:
        raise SongError(f"damaged pianoroll: track {index} is no sparse matrix of {MIDI_PITCHES} columns")
    pitches = np.repeat(np.arange(MIDI_PITCHES), np.diff(columns))
    sounds = data > 0
    return family_of(program, bool(about.get("is_drum"))), int(shape[0]), steps[sounds], pitches[sounds]


def _check_downbeats(archive: zipfile.ZipFile, resolution: int) -> None:
    """Refuses files whose marked downbeats are not whole bars of 4/4 apart."""
    if "downbeat.npy" not in archive.namelist():
        return
    downbeats = np.flatnonzero(npz.array(archive, "downbeat", MAX_ARRAY_BYTES))
    if (downbeats % (BEATS_PER_BAR * resolution)).any():
        raise SongError("not in 4/4 throughout: downbeats are not four beats apart")


def _tempo(archive: zipfile.ZipFile) -> float:
    """Returns the median tempo in beats per minute; 120 where none is given."""
    if "tempo.npy" not in archive.namelist():
        return DEFAULT_TEMPO
    tempo = npz.array(archive, "tempo", MAX_ARRAY_BYTES)
    if tempo.dtype.kind not in "iuf" or not tempo.size:
        return DEFAULT_TEMPO
    median = float(np.median(tempo))
    if not MIN_TEMPO <= median <= MAX_TEMPO:
        raise SongError(f"absurd tempo: {median:g} beats a minute")
    return median
