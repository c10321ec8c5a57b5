"""MIDI to sound, in this process: midirenderer plays a General MIDI soundfont (SoundFont 2)."""

import os
import pathlib

import midirenderer
import numpy as np
import symusic

from msw2.music.midi import DEFAULT_BEAT_MICROSECONDS
from msw2.sound.soundfont import SoundError, default_soundfont, read_soundfont, with_short_releases

RATE = 48_000  # frames a second: what midirenderer renders
TAIL = 2.0  # seconds after the last event: notes and their echo die away
MAX_SECONDS = 600.0  # of one sound, which is then 230 MB; a song has five
# The renderer clips. This volume of each channel (MIDI's default is 100) halves the amplitude. Then even all drums
# at once stay below full scale.
CHANNEL_VOLUME = 71
VOLUME = 7  # MIDI's controller of the channel volume
WAVE_HEADER = 44  # bytes before the samples in what midirenderer returns
FULL_SCALE = 32768.0  # of 16 bits


class TooLongError(SoundError):
    """Music longer than `MAX_SECONDS`."""


def synthesise(
    midi: bytes, soundfont: str | os.PathLike | None = None, *, longest_release: float | None = None
) -> np.ndarray:
    """Returns the sound of a MIDI file. The same input gives the same sound.

    The sound goes on for `TAIL` seconds after the file's last event (in `midi.write_song`'s files: the marker "end").

    Args:
        midi: a Standard MIDI file's content.
        soundfont: a SoundFont 2 file with General MIDI's programs; None: TimGM6mb, which pretty_midi brings.
        longest_release: the most seconds that a note takes to fall by 100 dB once it is let go; None: the soundfont's.

    Returns:
        float32 [frame, 2 (left, right)], -1..1, `RATE` frames a second.

    Raises:
        SoundError: if the soundfont is missing, damaged or no soundfont, or the MIDI file is damaged.
        TooLongError: a SoundError, if the music is longer than `MAX_SECONDS`.
    """
    midi = _prepared(midi)
    path = default_soundfont() if soundfont is None else soundfont
    content = read_soundfont(path)
    if longest_release is not None:
        content = with_short_releases(content, longest_release)
    return _render(content, midi, path)


def duration(path: str | os.PathLike) -> float:
    """Returns the seconds of a MIDI file up to its last event; 0 if it cannot be read."""
    try:
        return _end(symusic.Score.from_midi(pathlib.Path(path).read_bytes()).to("second"))
    except (OSError, RuntimeError, ValueError, MemoryError):
        return 0.0


def check_length(seconds: float) -> None:
    """Refuses what is too long for a sound.

    Raises:
        TooLongError: for more than `MAX_SECONDS`.
    """
    if seconds > MAX_SECONDS:
        raise TooLongError(f"too long for sound: {seconds / 60:.1f} minutes, at most {MAX_SECONDS / 60:.0f}")


def _prepared(midi: bytes) -> bytes:
    """Returns the file at `CHANNEL_VOLUME`, with a marker `TAIL` seconds after its end: the renderer stops there."""
    try:
        score = symusic.Score.from_midi(midi)
        timed = score.to("second")
    except (RuntimeError, ValueError, MemoryError) as error:
        raise SoundError(f"damaged MIDI file: {' '.join(str(error).split())[:100]}") from error
    check_length(_end(timed))
    for track in score.tracks:
        track.controls.insert(0, symusic.ControlChange(0, VOLUME, CHANNEL_VOLUME, ttype="tick"))
    end = _end(score)
    beat = score.tempos[-1].mspq if len(score.tempos) else DEFAULT_BEAT_MICROSECONDS
    tail = round(TAIL * 1e6 / beat * score.ticks_per_quarter)
    score.markers.append(symusic.TextMeta(end + tail, "tail", ttype="tick"))
    return score.dumps_midi()


def _end(score: symusic.Score) -> float:
    """Returns the time of the last event, in the unit of the score."""
    return max(score.end(), *(marker.time for marker in score.markers), 0)


def _render(soundfont: bytes, midi: bytes, path: str | os.PathLike) -> np.ndarray:
    """Returns float32 [frame, 2]."""
    try:
        wave = midirenderer.render_wave_from(soundfont, midi)
    except (RuntimeError, ValueError) as error:
        raise SoundError(
            f"soundfont {path} cannot be played: {' '.join(str(error).split())[:100]}"
        ) from error
    except BaseException as error:
        # A fault in the renderer's Rust code comes as a type that cannot be imported, and that is no Exception.
        if type(error).__name__ != "PanicException":
            raise
        raise SoundError(f"soundfont {path} cannot be played: it is damaged") from None
    samples = np.frombuffer(wave, "<i2", offset=WAVE_HEADER).reshape(-1, 2)
    return samples * np.float32(1 / FULL_SCALE)  # exact, and one array
