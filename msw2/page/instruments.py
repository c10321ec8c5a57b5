"""The instruments as the page's player reads them: one recording in Ogg Vorbis, and where each sound lies in it."""

import base64
import math
import os
from collections.abc import Collection, Sequence

import numpy as np

from msw2.music.grid import Grid
from msw2.music.tracks import TRACKS
from msw2.page.samples import VELOCITY, record
from msw2.page.songs import TICKS
from msw2.sound.audio_file import ogg_bytes
from msw2.sound.mix import GAINS, LONGEST_RELEASE, amplitude
from msw2.sound.synth import RATE

# Drums of General MIDI that end one another: hi-hats, whistles, guiros, cuicas, triangles.
CHOKES = ((42, 44, 46), (71, 72), (73, 74), (78, 79), (80, 81))
GAIN = 4.5  # of all tracks: 20 real songs, with the mix's gains, then have its loudness in the median
RELEASE = 0.1  # seconds; then a note that was let go has fallen to 1 / e, as TimGM6mb's do
# The mix says when a note has fallen by 100 dB instead. That is this many times as late.
FALL = math.log(10**5)
COMPRESSION = 0.8  # of Vorbis, 0..1


def kit_data(used: Sequence[Collection[int]], grid: Grid, soundfont: str | os.PathLike | None = None) -> dict:
    """Returns the instruments as `sampler.js` reads them, of JSON's types.

    Args:
        used: for each track, the MIDI pitches that the songs play.
        grid: the grid of the songs.
        soundfont: a SoundFont 2 file; None: as `sound.synth.synthesise`.

    Raises:
        SoundError: if the soundfont cannot be read or played.
    """
    recording = record(used, soundfont)
    return {
        "bar": grid.steps,
        "beat": grid.beat_resolution,
        "ticks": TICKS,
        "rate": RATE,
        "gain": GAIN,
        "velocity": VELOCITY,
        "tracks": [
            {
                "name": track.name,
                "drum": track.is_drum,
                "gain": round(level * float(amplitude(GAINS[track.name])), 6),
                "release": round(LONGEST_RELEASE.get(track.name, FALL * RELEASE) / FALL, 4),
            }
            for track, level in zip(TRACKS, recording.levels, strict=True)
        ],
        "chokes": CHOKES,
        "samples": [
            [
                *(each.track, each.pitch, each.start, each.frames),
                *(each.loop_start, each.loop_end, each.decay),
            ]
            for each in recording.samples
        ],
        "ogg": _ogg(recording.sound),
    }


def _ogg(sound: np.ndarray) -> str:
    """Returns a mono sound as Ogg Vorbis in base64; no text for no sound."""
    content = ogg_bytes(sound[:, None], rate=RATE, compression=COMPRESSION) if len(sound) else b""
    return base64.b64encode(content).decode("ascii")
