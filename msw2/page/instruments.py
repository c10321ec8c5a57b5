"""The instruments as the page's player reads them: one recording in Ogg Vorbis, and where each sound lies in it."""

import base64
import io
import os
from collections.abc import Collection, Sequence

import numpy as np
import soundfile

from msw2.music.grid import Grid
from msw2.music.tracks import TRACKS
from msw2.page.samples import VELOCITY, record
from msw2.page.songs import TICKS
from msw2.sound.synth import RATE

# Drums of General MIDI that end one another: hi-hats, whistles, guiros, cuicas, triangles.
CHOKES = ((42, 44, 46), (71, 72), (73, 74), (78, 79), (80, 81))
GAIN = 2.0
COMPRESSION = 0.8  # 0..1, of Vorbis
CHUNK = 2**16


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
            {"name": track.name, "drum": track.is_drum, "gain": round(level, 6)}
            for track, level in zip(TRACKS, recording.levels, strict=True)
        ],
        "chokes": CHOKES,
        "samples": [
            [each.track, each.pitch, each.start, each.frames, each.loop_start, each.loop_end]
            for each in recording.samples
        ],
        "ogg": base64.b64encode(_ogg(recording.sound)).decode("ascii"),
    }


def _ogg(sound: np.ndarray) -> bytes:
    """Returns a mono sound as Ogg Vorbis."""
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer, "w", RATE, 1, format="OGG", subtype="VORBIS", compression_level=COMPRESSION
    ) as file:
        for at in range(0, len(sound), CHUNK):
            file.write(sound[at : at + CHUNK])
    return buffer.getvalue()
