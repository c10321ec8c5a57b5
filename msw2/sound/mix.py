"""The five tracks of a song as sounds that balance, at a loudness that is the same from song to song."""

import os
from collections.abc import Iterator

import numpy as np

from msw2.music.grid import Grid
from msw2.music.midi import midi_bytes
from msw2.music.tracks import TRACK_NAMES
from msw2.sound.loudness import loudness
from msw2.sound.synth import synthesise

# dB. TimGM6mb's strings drown the rest: over 40 songs of games and pop, the medians were -31.0 LUFS in drums, -31.0 in
# piano, -25.0 in guitar, -30.4 in bass and -23.2 in strings. With these gains, and over 40 other songs, a track is 4.8,
# 5.0, 5.4, 6.1 or 6.8 LU below the whole song.
GAINS = {"drums": 0.0, "piano": 1.0, "guitar": -5.0, "bass": -1.5, "strings": -7.5}
# LUFS of every song. 39 of the 40 songs reach it with one gain and no peak above `PEAK`. At -16, less than ten would.
LOUDNESS = -20.0
PEAK = -1.0  # dB of full scale; a song with higher peaks is made softer as a whole
# The most seconds that a note takes to fall by 100 dB once it is let go. TimGM6mb's strings take 2.4. Then a note that
# is repeated after a step grows out of the one before. At 120 beats a minute, the level between the two falls by 1.2 dB
# (median of 39 notes and chords; within a held note by 0.5 dB). With 0.6 s and the early end of `performance.play`, it
# falls by 4.8 dB. The other tracks are plucked or struck: a new attack rises by 9 dB or more.
LONGEST_RELEASE = {"strings": 0.6}


def stems(
    pianoroll: np.ndarray,
    grid: Grid,
    tempo: float,
    *,
    soundfont: str | os.PathLike | None = None,
    flat: bool = False,
) -> np.ndarray:
    """Returns the sound of each track. Their sum is the song: it has its loudness, and no peak above `PEAK`.

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
    song = None
    for index, sound in enumerate(_tracks(pianoroll, grid, tempo, soundfont, flat)):
        if song is None:
            song = np.zeros((len(TRACK_NAMES), *sound.shape), np.float32)
        song[index] = sound
    song *= level(mix(song))
    return song


def song_sound(
    pianoroll: np.ndarray,
    grid: Grid,
    tempo: float,
    *,
    soundfont: str | os.PathLike | None = None,
    flat: bool = False,
) -> np.ndarray:
    """Returns the sound of a song: the sum of its `stems`, added one by one. Takes the same arguments.

    Returns:
        float32 [frame, 2].
    """
    song = None
    for sound in _tracks(pianoroll, grid, tempo, soundfont, flat):
        song = sound if song is None else np.add(song, sound, out=song)
    song *= level(song)
    return song


def _tracks(
    pianoroll: np.ndarray, grid: Grid, tempo: float, soundfont: str | os.PathLike | None, flat: bool
) -> Iterator[np.ndarray]:
    """Yields the sound of each track with its gain, float32 [frame, 2], all of the same length."""
    frames = None
    for name in TRACK_NAMES:
        midi = midi_bytes(pianoroll, grid, tempo, flat=flat, tracks=(name,))
        sound = synthesise(midi, soundfont, longest_release=LONGEST_RELEASE.get(name))
        # The renderer adds up times as it goes: after many notes, a track may be a frame shorter or longer.
        frames = frames or len(sound)
        sound = sound[:frames] if len(sound) >= frames else np.pad(sound, ((0, frames - len(sound)), (0, 0)))
        sound *= amplitude(GAINS[name])
        yield sound


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
    return min(amplitude(lufs - measured), amplitude(PEAK) / max(sound.max(), -sound.min()))


def amplitude(decibels: float) -> np.float32:
    """Returns the factor that so many decibels are."""
    return np.float32(10 ** (decibels / 20))
