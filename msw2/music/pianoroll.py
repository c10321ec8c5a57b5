"""Pianorolls: from values to bool, from phrases to songs and back, and pypianoroll's `.npz` format.

A phrase is bool [bar, step, pitch, track], a song bool [step, pitch, track] whose bars follow one another.
"""

import io
import json
import os
import zipfile

import numpy as np

from msw2.music.grid import Grid
from msw2.music.tracks import TRACK_NAMES, TRACKS
from msw2.system.files import replacing

MIDI_PITCHES = 128
DEFAULT_TEMPO = 100.0  # quarter notes a minute (as released)
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date that zip can hold; one date gives the same bytes


def binarise(values: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Returns which values are on, bool of the same shape: `values >= threshold`.

    Args:
        values: probabilities in 0..1 (threshold 0.5), or the released BVAE's outputs in -1..1 (threshold 0).
        threshold: the smallest value that counts as on.

    Raises:
        ValueError: if a value is NaN. NaN would otherwise pass for silence.
    """
    values = np.asarray(values)
    if np.isnan(values).any():
        raise ValueError(
            f"{np.isnan(values).sum()} of {values.size} values are NaN; only numbers can be binarised"
        )
    return values >= threshold


def join_phrases(phrases: np.ndarray) -> np.ndarray:
    """Returns phrases [phrase, bar, step, pitch, track] as one song [step, pitch, track], without a gap."""
    if phrases.ndim != 5:
        raise ValueError(f"phrases of shape {phrases.shape} are not [phrase, bar, step, pitch, track]")
    return phrases.reshape(-1, *phrases.shape[3:])


def cut_phrases(song: np.ndarray, grid: Grid) -> np.ndarray:
    """Returns a song as phrases [phrase, bar, step, pitch, track]. Silence pads the last phrase.

    Args:
        song: [step, pitch, track]; a song of no steps gives no phrases.
        grid: sizes of a phrase.

    Raises:
        ValueError: if the song is not of three axes with the grid's pitches.
    """
    if song.ndim != 3 or song.shape[1] != grid.pitches:
        raise ValueError(f"a song of shape {song.shape} is not [step, {grid.pitches} pitches, track]")
    phrase_steps = grid.bars * grid.steps
    padded = np.pad(song, ((0, -len(song) % phrase_steps), (0, 0), (0, 0)))
    return padded.reshape(len(padded) // phrase_steps, *grid.phrase_shape, song.shape[2])


def save_npz(path: str | os.PathLike, song: np.ndarray, grid: Grid, tempo: float = DEFAULT_TEMPO) -> None:
    """Writes a song as an `.npz` file that `pypianoroll.load` reads. The same song gives the same bytes.

    Args:
        path: the file to write, whole or not at all.
        song: bool [step, pitch, track], the five tracks.
        grid: where pitch 0 lies, and the resolution.
        tempo: quarter notes a minute, above 0.

    Raises:
        ValueError: if the shape does not fit the grid and the five tracks, or the tempo is not above 0.
    """
    if song.ndim != 3 or song.shape[1:] != (grid.pitches, len(TRACKS)):
        raise ValueError(
            f"a song of shape {song.shape} is not [step, {grid.pitches} pitches, {len(TRACKS)} tracks]"
        )
    if not tempo > 0:
        raise ValueError(f"tempo {tempo} is not above 0")
    steps = len(song)
    info = {"resolution": grid.beat_resolution, "name": ""}
    arrays = {"tempo": np.full(steps, tempo, np.float64), "downbeat": np.arange(steps) % grid.steps == 0}
    for index, track in enumerate(TRACKS):
        info[str(index)] = {
            "program": track.program,
            "is_drum": track.is_drum,
            "name": track.name.capitalize(),
        }
        full = np.zeros((steps, MIDI_PITCHES), bool)
        full[:, grid.lowest_pitch : grid.lowest_pitch + grid.pitches] = song[..., index]
        arrays.update(_to_sparse(full, f"pianoroll_{index}"))
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, array, allow_pickle=False)
            _add(archive, f"{name}.npy", buffer.getvalue())
        _add(archive, "info.json", json.dumps(info).encode())


def load_npz(path: str | os.PathLike, grid: Grid) -> tuple[np.ndarray, float]:
    """Reads what `save_npz` wrote: the song, bool [step, pitch, track], and its tempo in beats a minute.

    Tracks that a reader trimmed are padded with silence to the longest, and to the length of `tempo`.
    A song without a tempo gets `DEFAULT_TEMPO`.

    Raises:
        ValueError: if the file has another resolution, not five tracks, or notes outside the grid's pitches.
    """
    with np.load(path, allow_pickle=False) as file:
        info = json.loads(file["info.json"])
        resolution = info.get("resolution")
        if resolution != grid.beat_resolution:
            raise ValueError(f"{path} has {resolution} steps a beat; the grid has {grid.beat_resolution}")
        names = [key for key in info if key.isdigit()]
        if len(names) != len(TRACKS):
            raise ValueError(f"{path} has {len(names)} tracks, not the five {', '.join(TRACK_NAMES)}")
        rolls = [_from_sparse(file, f"pianoroll_{index}") for index in range(len(TRACKS))]
        tempo = file["tempo"] if "tempo" in file else np.zeros(0)
    steps = max(len(tempo), *map(len, rolls))
    full = np.stack([np.pad(roll, ((0, steps - len(roll)), (0, 0))) for roll in rolls], axis=-1)
    song = full[:, grid.lowest_pitch : grid.lowest_pitch + grid.pitches]
    if np.count_nonzero(song) != np.count_nonzero(full):
        highest = grid.lowest_pitch + grid.pitches - 1
        raise ValueError(f"{path} has notes outside the grid's pitches {grid.lowest_pitch}..{highest}")
    return song, float(tempo[0]) if len(tempo) else DEFAULT_TEMPO


def _to_sparse(roll: np.ndarray, name: str) -> dict[str, np.ndarray]:
    """Returns bool [step, 128] in the compressed sparse columns of SciPy, under pypianoroll's names."""
    _, steps = np.nonzero(roll.T)  # by column, as CSC wants them
    starts = np.concatenate([[0], np.cumsum(np.count_nonzero(roll, axis=0))])
    return {
        f"{name}_csc_data": np.ones(len(steps), bool),
        f"{name}_csc_indices": steps.astype(np.int32),
        f"{name}_csc_indptr": starts.astype(np.int32),
        f"{name}_csc_shape": np.array(roll.shape, np.int64),
    }


def _from_sparse(file: np.lib.npyio.NpzFile, name: str) -> np.ndarray:
    """Returns bool [step, 128]: the inverse of `_to_sparse`; velocities above 0 count as on."""
    steps, width = file[f"{name}_csc_shape"]
    if width != MIDI_PITCHES:
        raise ValueError(f"{name} has {width} pitches, not MIDI's {MIDI_PITCHES}")
    roll = np.zeros((steps, width), bool)
    pitches = np.repeat(np.arange(width), np.diff(file[f"{name}_csc_indptr"]))
    roll[file[f"{name}_csc_indices"], pitches] = file[f"{name}_csc_data"] > 0
    return roll


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Adds a member with a fixed date and system, the two fields that differ from run to run."""
    member = zipfile.ZipInfo(name, _ZIP_EPOCH)
    member.create_system = 3  # Unix, wherever it is written
    member.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(member, content)
