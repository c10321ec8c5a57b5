"""Asks a running server (`make serve`) for a song from nothing, or for a MIDI file restored; writes MIDI and sound."""

import pathlib

import numpy as np
from absl import flags

from msw2.cli import sound_options
from msw2.cli.launch import OptionError, launch
from msw2.music.grid import Grid
from msw2.music.midi import MAX_TEMPO, MIN_TEMPO, SongError, read_song, write_song
from msw2.music.pianoroll import DEFAULT_TEMPO, cut_phrases, join_phrases
from msw2.serving.client import TIMEOUT, generate, restore
from msw2.serving.contract import MAX_TEMPERATURE
from msw2.serving.transport import RequestError
from msw2.sound.rendering import render_songs
from msw2.sound.song_audio import remove_song_audio
from msw2.sound.soundfont import SoundError

FROM_NOTHING = (
    "phrases",
    "seed",
    "temperature",
    "tempo",
)  # flags that say nothing about a song that is there


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string(
        "url",
        "http://localhost:8501/v1/models/msw2:predict",
        "Where the model is served; grpc://localhost:8500 asks over gRPC.",
    )
    flags.DEFINE_string("midi", None, "A MIDI file to restore, instead of a song from nothing.")
    flags.DEFINE_string(
        "out", None, "MIDI file to write; its sound goes beside it. song.mid, or <midi>-restored.mid."
    )
    flags.DEFINE_integer("phrases", 4, "Phrases of the song.", lower_bound=1, upper_bound=256)
    flags.DEFINE_integer("seed", 0, "Seed of the first phrase; the others count on from it.", 0, 2**62)
    flags.DEFINE_float("temperature", 1.0, "Spread of the prior.", 0.0, MAX_TEMPERATURE)
    flags.DEFINE_float("tempo", DEFAULT_TEMPO, "Beats a minute.", MIN_TEMPO, MAX_TEMPO)
    flags.DEFINE_float("timeout", TIMEOUT, "Seconds to wait for each answer.", 0.001, 86400.0)
    sound_options.define_sound()


def main() -> None:
    """Writes one song."""
    values, grid = flags.FLAGS, Grid()
    sound_options.check_sound()
    rendering = sound_options.asked_sound(1)
    if values.midi:
        song, tempo, default = *_restored(grid), f"{pathlib.Path(values.midi).stem}-restored.mid"
    else:
        song, tempo, default = _generated(grid), values.tempo, "song.mid"
    out = pathlib.Path(values.out or default)
    try:
        remove_song_audio(out.parent, out.stem)
        write_song(out, song, grid, tempo, flat=rendering.flat)
    except OSError as error:
        raise OptionError(f"{out} cannot be written: {error.strerror}") from error
    render_songs([out], grid, rendering)
    print(f"{out}: {len(song) // grid.steps} bars")


def _generated(grid: Grid) -> np.ndarray:
    """Returns a song from nothing, bool [step, pitch, track]."""
    values = flags.FLAGS
    seeds = list(range(values.seed, values.seed + values.phrases))
    phrases = generate(values.url, grid, seeds=seeds, temperature=values.temperature, timeout=values.timeout)
    return join_phrases(phrases)


def _restored(grid: Grid) -> tuple[np.ndarray, float]:
    """Returns what comes back of the MIDI file, bool [step, pitch, track], and its tempo."""
    values = flags.FLAGS
    if given := [f"--{name}" for name in FROM_NOTHING if values[name].present]:
        raise OptionError(f"{', '.join(given)} and --midi do not go together: the song is there")
    if values.out and pathlib.Path(values.out).resolve() == pathlib.Path(values.midi).resolve():
        raise OptionError(f"--out={values.out} is the song itself: give another name")
    try:
        song = read_song(values.midi, grid)
    except SongError as error:
        raise OptionError(f"{values.midi}: {error}") from error
    phrases = restore(values.url, grid, cut_phrases(song.pianoroll, grid), timeout=values.timeout)
    return join_phrases(phrases)[: len(song.pianoroll)], song.tempo  # the last phrase was padded


if __name__ == "__main__":
    launch(define_flags, main, RequestError, SoundError, positional="midi")
