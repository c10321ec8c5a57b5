"""Clips of a listening test as sound: at most 20 seconds each, all equally loud."""

import dataclasses
import os
from collections.abc import Sequence

import numpy as np

from msw2.music.grid import BEATS_PER_BAR, Grid
from msw2.page.listening_key import ListeningError
from msw2.sound.loudness import loudness
from msw2.sound.mix import LOUDNESS, amplitude, song_sound
from msw2.sound.synth import RATE
from msw2.system.progress import Progress

MAX_SECONDS = 20.0  # of a clip
RELEASE = 0.5  # seconds after the last bar; the sound fades out there
PEAK = -1.5  # dB of full scale; Vorbis may add a few tenths


@dataclasses.dataclass(frozen=True, eq=False)
class Clip:
    """A piece of music for the listeners.

    Attributes:
        pianoroll: bool [step, pitch, track], whole bars.
        tempo: beats a minute.
        source: where it is from, for the key.
    """

    pianoroll: np.ndarray
    tempo: float
    source: str


def whole_bars(clip: Clip, grid: Grid) -> np.ndarray:
    """Returns the bars of a clip that fit into 20 seconds, at least one: bool [step, pitch, track]."""
    bar = 60 * BEATS_PER_BAR / clip.tempo
    bars = int((MAX_SECONDS - RELEASE) / bar + 1e-9)
    return clip.pianoroll[: max(1, bars) * grid.steps]


def sounds(
    clips: Sequence[Clip], grid: Grid, *, soundfont: str | os.PathLike | None = None
) -> list[np.ndarray]:
    """Returns the clips as sound: cut at a bar line, faded out, all of the same loudness, none clipped.

    Each has one gain, so nothing is pressed. A clip so slow that a bar is longer than 20 seconds is cut within it.

    Args:
        clips: any number.
        grid: of their pianorolls.
        soundfont: a SoundFont 2 file; None: as `sound.synth.synthesise`.

    Returns:
        float32 [frame, 2] of each, `sound.synth.RATE` frames a second.

    Raises:
        ListeningError: if a clip is silent.
        SoundError: as `sound.synth.synthesise`.
    """
    rendered, progress = [], Progress(len(clips), "clips", label="rendering")
    for clip in clips:
        rendered.append(_rendered(clip, grid, soundfont))
        progress.update(len(rendered))
    progress.close()
    return matched(rendered)


def matched(sounds: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Returns sounds, float32 [frame, channel], at one loudness: the mix's, or what the highest peak allows.

    None of them may be silent.
    """
    levels = [loudness(sound) for sound in sounds]
    peaks = [20 * np.log10(np.abs(sound).max()) for sound in sounds]
    target = min([LOUDNESS, *(level + PEAK - peak for level, peak in zip(levels, peaks, strict=True))])
    gains = [amplitude(target - level) for level in levels]
    return [sound * gain for sound, gain in zip(sounds, gains, strict=True)]


def _rendered(clip: Clip, grid: Grid, soundfont: str | os.PathLike | None) -> np.ndarray:
    bars = whole_bars(clip, grid)
    sound = song_sound(bars, grid, clip.tempo, soundfont=soundfont)
    seconds = len(bars) / grid.beat_resolution * 60 / clip.tempo + RELEASE
    sound = sound[: round(min(seconds, MAX_SECONDS) * RATE)]
    fade = round(RELEASE * RATE)
    sound[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)[:, None]
    if not np.isfinite(loudness(sound)):
        raise ListeningError(f"{clip.source} is silent, and listeners cannot rate that: leave it out")
    return sound
