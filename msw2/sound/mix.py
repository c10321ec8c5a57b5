"""The five tracks of a song as sounds that balance, at a loudness that is the same from song to song."""

import os

import numpy as np

from msw2.music.grid import Grid
from msw2.music.midi import midi_bytes
from msw2.music.tracks import TRACK_NAMES
from msw2.sound.loudness import loudness
from msw2.sound.synth import synthesise
from msw2.system.progress import Progress

# dB. Over 40 real songs of games and pop, TimGM6mb's medians were -31.0 LUFS in drums, -31.0 in piano, -25.0 in guitar,
# -30.4 in bass and -23.2 in strings, which drowned the others. With these gains, the medians below the whole song are
# 5.0, 4.3, 5.1, 6.2 and 6.4 LU.
GAINS = {"drums": 0.0, "piano": 1.0, "guitar": -6.0, "bass": -1.5, "strings": -8.5}
# LUFS of every song. Nineteen of twenty songs reach it with one gain and no peak above `PEAK`; at -16, one of ten does.
LOUDNESS = -20.0
PEAK = -1.0  # dB of full scale; a song with higher peaks is made softer as a whole
# Seconds in which a note that is let go falls by 100 dB, at most. TimGM6mb's strings take 2.4. Then a repeated note
# grows out of the one before: the level rises by 2 dB at its attack, as it also does within a held note. With 0.6 s,
# and the early end of `performance.play`, it rises by 5 dB. The other tracks are plucked or struck: by 9 dB and more.
LONGEST_RELEASE = {"strings": 0.6}


def stems(
    pianoroll: np.ndarray,
    grid: Grid,
    tempo: float,
    *,
    soundfont: str | os.PathLike | None = None,
    flat: bool = False,
    progress: Progress | None = None,
) -> np.ndarray:
    """Returns the sound of each track, as loud as it is in the mix: their sum is the song.

    Args:
        pianoroll: bool [step, pitch, track], whole bars.
        grid: the grid of the pianoroll.
        tempo: beats a minute.
        soundfont: a SoundFont 2 file; None: as `synth.synthesise`.
        flat: whether all notes are equally loud.
        progress: told after each track how many are done.

    Returns:
        float32 [track, frame, 2], `synth.RATE` frames a second; `synth.TAIL` seconds longer than the bars.

    Raises:
        SoundError: as `synth.synthesise`.
    """
    sounds = []
    for name in TRACK_NAMES:
        midi = midi_bytes(pianoroll, grid, tempo, flat=flat, tracks=(name,))
        sounds.append(synthesise(midi, soundfont, longest_release=LONGEST_RELEASE.get(name)))
        sounds[-1] *= _amplitude(GAINS[name])
        if progress is not None:
            progress.update(len(sounds))
    shortest = min(
        len(sound) for sound in sounds
    )  # the renderer's clock may be a frame late after many notes
    balanced = np.stack([sound[:shortest] for sound in sounds])
    balanced *= level(mix(balanced))
    return balanced


def mix(stems: np.ndarray) -> np.ndarray:
    """Returns the sum of stems, float32 [frame, 2], of float32 [track, frame, 2]."""
    return stems.sum(axis=0)


def level(sound: np.ndarray, lufs: float = LOUDNESS) -> np.float32:
    """Returns the factor that makes a sound so loud, or as loud as `PEAK` allows; 1 for silence.

    Args:
        sound: float [frame, channel], `synth.RATE` frames a second.
        lufs: the loudness to reach.
    """
    measured = loudness(sound)
    if not np.isfinite(measured):
        return np.float32(1.0)
    return min(_amplitude(lufs - measured), _amplitude(PEAK) / np.abs(sound).max())


def _amplitude(decibels: float) -> np.float32:
    return np.float32(10 ** (decibels / 20))
