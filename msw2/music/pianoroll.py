"""Pianorolls: from values to bool, from phrases to songs and back, and pypianoroll's `.npz` format.

A phrase is bool [bar, step, pitch, track], a song bool [step, pitch, track] whose bars follow one another.
"""

import os

import numpy as np

from msw2.music.grid import Grid
from msw2.music.multitrack import to_multitrack
from msw2.music.multitrack_file import load_multitrack, save_multitrack
from msw2.music.tracks import TRACK_NAMES, TRACKS

DEFAULT_TEMPO = 100.0  # quarter notes a minute (as released)


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


def chosen_cells(song: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Returns a song with silence in all bars and tracks but the chosen ones.

    Args:
        song: bool [step, pitch, track], whole bars, at least one.
        chosen: bool [bar, track].

    Raises:
        ValueError: if the bars do not divide the song, or the tracks are not the song's.
    """
    if not len(chosen) or len(song) % len(chosen) or song.shape[2:] != chosen.shape[1:]:
        raise ValueError(f"{list(chosen.shape)} are not bars and tracks of a song of shape {song.shape}")
    return song & np.repeat(chosen, len(song) // len(chosen), axis=0)[:, None]


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
    save_multitrack(path, to_multitrack(song, grid, tempo))


def load_npz(path: str | os.PathLike, grid: Grid) -> tuple[np.ndarray, float]:
    """Reads what `save_npz` wrote: the song, bool [step, pitch, track], and its tempo in beats a minute.

    Tracks that a reader trimmed are padded with silence to the longest, and to the length of `tempo`.
    A song without a tempo gets `DEFAULT_TEMPO`.

    Raises:
        SongError: if the file is damaged, hostile or too long; it is a ValueError.
        ValueError: if the file has another resolution, not five tracks, or notes outside the grid's pitches.
    """
    multitrack = load_multitrack(path)
    if multitrack.resolution != grid.beat_resolution:
        raise ValueError(
            f"{path} has {multitrack.resolution} steps a beat; the grid has {grid.beat_resolution}"
        )
    if len(multitrack.tracks) != len(TRACKS):
        raise ValueError(f"{path} has {len(multitrack.tracks)} tracks, not the five {', '.join(TRACK_NAMES)}")
    tempo = np.zeros(0) if multitrack.tempo is None else multitrack.tempo
    full = np.moveaxis(multitrack.stack(), 0, -1)  # padded to the longest track
    full = np.pad(full, ((0, max(len(tempo) - len(full), 0)), (0, 0), (0, 0)))
    song = full[:, grid.lowest_pitch : grid.lowest_pitch + grid.pitches]
    if np.count_nonzero(song) != np.count_nonzero(full):
        highest = grid.lowest_pitch + grid.pitches - 1
        raise ValueError(f"{path} has notes outside the grid's pitches {grid.lowest_pitch}..{highest}")
    return song, float(tempo[0]) if len(tempo) else DEFAULT_TEMPO
