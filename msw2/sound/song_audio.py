"""A song as audio files: the mix as WAV and Ogg Vorbis, and on demand a WAV for each track."""

import os
import pathlib

import numpy as np

from msw2.music.grid import BEATS_PER_BAR, Grid
from msw2.music.tracks import TRACK_NAMES
from msw2.sound.audio_file import write_audio
from msw2.sound.mix import mix, stems
from msw2.sound.synth import check_length
from msw2.system.progress import Progress


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
    show_progress: bool = False,
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
        show_progress: whether to show it on standard error.

    Returns:
        The paths of the files, the mix first.

    Raises:
        SoundError: if the song is too long for a sound, or as `synth.synthesise`.
    """
    check_length(len(pianoroll) / grid.steps * BEATS_PER_BAR * 60 / tempo)
    folder = pathlib.Path(folder)
    progress = Progress(len(TRACK_NAMES), "tracks", label=f"{name}: sound") if show_progress else None
    parts = stems(pianoroll, grid, tempo, soundfont=soundfont, flat=flat, progress=progress)
    whole = mix(parts)
    sounds = {f"{name}.wav": whole, f"{name}.ogg": whole}
    if separate:
        sounds |= {f"{name}-{track}.wav": part for track, part in zip(TRACK_NAMES, parts, strict=True)}
    for file, sound in sounds.items():
        write_audio(folder / file, sound)
    if progress is not None:
        progress.close()
    return [folder / file for file in sounds]
