"""A song as audio files: the mix as WAV and Ogg Vorbis, and on demand a WAV for each track."""

import os
import pathlib

import numpy as np

from msw2.music.grid import BEATS_PER_BAR, Grid
from msw2.music.tracks import TRACK_NAMES
from msw2.sound.audio_file import write_audio
from msw2.sound.mix import mix, song_sound, stems
from msw2.sound.synth import check_length


def write_song_audio(
    folder: str | os.PathLike,
    name: str,
    pianoroll: np.ndarray,
    grid: Grid,
    tempo: float,
    *,
    soundfont: str | os.PathLike | None = None,
    flat: bool = False,
    separate: bool = False,
) -> list[pathlib.Path]:
    """Writes `<name>.wav` and `<name>.ogg`; the same song gives the same bytes.

    Args:
        folder: made if it is missing.
        name: of the files.
        pianoroll: bool [step, pitch, track], whole bars.
        grid: the grid of the pianoroll.
        tempo: beats a minute.
        soundfont: a SoundFont 2 file; None: as `synth.synthesise`.
        flat: whether all notes are equally loud.
        separate: whether to write `<name>-drums.wav` and so on too. They add up to the mix.

    Returns:
        The paths of the files, the mix first.

    Raises:
        SoundError: as `synth.synthesise`, before the rendering if the song is too long.
    """
    check_length(len(pianoroll) / grid.steps * BEATS_PER_BAR * 60 / tempo)
    folder = pathlib.Path(folder)
    how = {"soundfont": soundfont, "flat": flat}
    parts = stems(pianoroll, grid, tempo, **how) if separate else ()
    whole = mix(parts) if separate else song_sound(pianoroll, grid, tempo, **how)
    sounds = dict.fromkeys(_mixes(name), whole) | dict(zip(_stems(name), parts, strict=False))
    for file, sound in sounds.items():
        write_audio(folder / file, sound)
    return [folder / file for file in sounds]


def remove_song_audio(folder: str | os.PathLike, name: str) -> None:
    """Removes what `write_song_audio` wrote: a new song under this name is not to stand beside an old sound.

    A file stays if it is the mix of another song, such as `a-drums.wav` beside `a-drums.mid`.

    Args:
        folder: of the files; it may be missing.
        name: of the song.
    """
    folder = pathlib.Path(folder)
    for file in (*_mixes(name), *_stems(name)):
        if file in _mixes(name) or not (folder / file).with_suffix(".mid").exists():
            (folder / file).unlink(missing_ok=True)


def _mixes(name: str) -> tuple[str, ...]:
    return f"{name}.wav", f"{name}.ogg"


def _stems(name: str) -> tuple[str, ...]:
    return tuple(f"{name}-{track}.wav" for track in TRACK_NAMES)
