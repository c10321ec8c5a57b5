"""The five tracks of a song as sounds that balance, at a loudness that is the same from song to song."""

import os

import numpy as np

from msw2.music.grid import Grid
from msw2.music.midi import midi_bytes
from msw2.music.tracks import TRACK_NAMES
from msw2.sound.loudness import loudness
from msw2.sound.synth import synthesise

GAINS = {"drums": 0.0, "piano": 0.0, "guitar": 0.0, "bass": 0.0, "strings": 0.0}  # dB
LOUDNESS = -16.0  # LUFS, of every song; what streaming services ask of music
PEAK = -1.0  # dB of full scale; a song with peaks above is made softer as a whole


def stems(
    pianoroll: np.ndarray,
    grid: Grid,
    tempo: float,
    *,
    soundfont: str | os.PathLike | None = None,
    flat: bool = False,
) -> np.ndarray:
    """Returns the sound of each track, as loud as it is in the mix: their sum is the song.

    Args:
        pianoroll: bool [step, pitch, track], whole bars.
        grid: the grid of the pianoroll.
        tempo: beats a minute.
        soundfont: a SoundFont 2 file; None: as `synth.synthesise`.
        flat: whether all notes are equally loud.

    Returns:
        float32 [track, frame, 2], `synth.RATE` frames a second; `synth.TAIL` seconds longer than the bars.

    Raises:
        SoundError: as `synth.synthesise`.
    """
    raw = []
    for name in TRACK_NAMES:
        midi = midi_bytes(pianoroll, grid, tempo, flat=flat, tracks=(name,))
        raw.append(synthesise(midi, soundfont) * _amplitude(GAINS[name]))
    balanced = np.stack(raw)
    balanced *= level(mix(balanced))
    return balanced


def mix(stems: np.ndarray) -> np.ndarray:
    """Returns the sum of stems, float32 [frame, 2], of float32 [track, frame, 2]."""
    return stems.sum(axis=0)


def level(sound: np.ndarray) -> np.float32:
    """Returns the factor that makes a sound `LOUDNESS` loud, or as loud as `PEAK` allows; 1 for silence."""
    peak = float(np.abs(sound).max(initial=0.0))
    if peak == 0.0 or not np.isfinite(measured := loudness(sound)):
        return np.float32(1.0)
    return min(_amplitude(LOUDNESS - measured), _amplitude(PEAK) / np.float32(peak))


def _amplitude(decibels: float) -> np.float32:
    return np.float32(10 ** (decibels / 20))
