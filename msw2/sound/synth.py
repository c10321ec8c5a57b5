"""MIDI to sound, in this process: midirenderer plays a General MIDI soundfont (SoundFont 2)."""

import importlib.util
import os
import pathlib

import midirenderer
import numpy as np
import symusic

from msw2.sound.soundfont_check import SoundError, check_soundfont

RATE = 48_000  # frames a second: what midirenderer renders
TAIL = 2.0  # seconds after the last event, in which notes and their echo die away
MAX_SECONDS = 1200.0  # of one sound: 460 MB as float32 in stereo
MAX_SOUNDFONT_BYTES = 512 * 2**20
WAVE_HEADER = 44  # bytes before the samples in what midirenderer returns
FULL_SCALE = 32768.0  # of 16 bits


def synthesise(midi: bytes, soundfont: str | os.PathLike | None = None) -> np.ndarray:
    """Returns the sound of a MIDI file. The same input gives the same sound.

    The sound goes on for `TAIL` seconds after the file's last event (in `midi.write_song`'s files: the marker "end").

    Args:
        midi: a Standard MIDI file's content.
        soundfont: a SoundFont 2 file with General MIDI's programs; None: TimGM6mb, which pretty_midi brings.

    Returns:
        float32 [frame, 2 (left, right)], -1..1, `RATE` frames a second.

    Raises:
        SoundError: if the soundfont is missing, damaged or no soundfont, or the MIDI file cannot be played.
    """
    path = default_soundfont() if soundfont is None else pathlib.Path(soundfont)
    return _render(_read_soundfont(path), _with_tail(midi), path)


def default_soundfont() -> pathlib.Path:
    """Returns the path of TimGM6mb.sf2 in pretty_midi's package, which is not imported (it takes a second).

    Raises:
        SoundError: if pretty_midi is not installed.
    """
    spec = importlib.util.find_spec("pretty_midi")
    if spec is None or not spec.submodule_search_locations:
        raise SoundError("no soundfont: pretty_midi, which brings one, is not installed")
    return pathlib.Path(spec.submodule_search_locations[0]) / "TimGM6mb.sf2"


def _read_soundfont(path: pathlib.Path) -> bytes:
    """Returns a soundfont's content, checked."""
    try:
        size = path.stat().st_size
        if size > MAX_SOUNDFONT_BYTES:
            raise SoundError(f"soundfont {path}: {size} bytes, at most {MAX_SOUNDFONT_BYTES}")
        content = path.read_bytes()
    except OSError as error:
        raise SoundError(f"soundfont {path} cannot be read: {error.strerror}") from error
    try:
        check_soundfont(content)
    except SoundError as error:
        raise SoundError(f"soundfont {path}: {error}") from error
    return content


def _with_tail(midi: bytes) -> bytes:
    """Returns the file with a marker `TAIL` seconds after its end: the renderer stops at the last event."""
    try:
        score = symusic.Score.from_midi(midi)
        seconds = score.to("second").end()
    except (RuntimeError, ValueError, MemoryError) as error:
        raise SoundError(f"damaged MIDI file: {' '.join(str(error).split())[:100]}") from error
    end = max(score.end(), *(marker.time for marker in score.markers), 0)
    beat = score.tempos[-1].mspq if len(score.tempos) else 500_000
    if seconds > MAX_SECONDS:
        raise SoundError(f"too long for sound: {seconds / 60:.0f} minutes, at most {MAX_SECONDS / 60:.0f}")
    tail = round(TAIL * 1e6 / beat * score.ticks_per_quarter)
    score.markers.append(symusic.TextMeta(end + tail, "tail", ttype="tick"))
    return score.dumps_midi()


def _render(soundfont: bytes, midi: bytes, path: pathlib.Path) -> np.ndarray:
    """Returns float32 [frame, 2]."""
    try:
        wave = midirenderer.render_wave_from(soundfont, midi)
    except (RuntimeError, ValueError) as error:
        raise SoundError(
            f"soundfont {path} cannot be played: {' '.join(str(error).split())[:100]}"
        ) from error
    except BaseException as error:
        # A fault in the renderer's Rust code arrives as an exception that is no Exception, of a type without a name.
        if type(error).__name__ != "PanicException":
            raise
        raise SoundError(f"soundfont {path} cannot be played: it is damaged") from None
    samples = np.frombuffer(wave, "<i2", offset=WAVE_HEADER).reshape(-1, 2)
    return samples.astype(np.float32) / np.float32(FULL_SCALE)
