"""Asks a running server (`make serve`) for a song from nothing, or of a MIDI file; writes MIDI and sound."""

import pathlib

import numpy as np
from absl import flags

from msw2.cli import sound_options
from msw2.cli.launch import OptionError, launch
from msw2.cli.request_verbs import VERBS, composed, define_verbs, made_of
from msw2.music.grid import Grid
from msw2.music.midi import MAX_TEMPO, MIN_TEMPO, Song, SongError, read_song, write_song
from msw2.music.pianoroll import DEFAULT_TEMPO, join_phrases
from msw2.serving.client import TIMEOUT, generate
from msw2.serving.contract import MAX_TEMPERATURE
from msw2.serving.transport import RequestError
from msw2.sound.rendering import render_songs
from msw2.sound.song_audio import remove_song_audio
from msw2.sound.soundfont import SoundError

PHRASES = (
    "phrases",
    "seed",
    "temperature",
    "tempo",
)  # flags of a song of phrases, which no verb is asked for


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string(
        "url",
        "http://localhost:8501/v1/models/msw2:predict",
        "Where the model is served; grpc://localhost:8500 asks over gRPC.",
    )
    flags.DEFINE_string("midi", None, "A MIDI file to work on, instead of a song from nothing.")
    define_verbs()
    flags.DEFINE_string(
        "out",
        None,
        "MIDI file to write; its sound goes beside it. song.mid, or <midi>-restored.mid and so on.",
    )
    flags.DEFINE_integer(
        "phrases", 4, "Phrases of a song that is not composed.", lower_bound=1, upper_bound=256
    )
    flags.DEFINE_integer("seed", 0, "Seed of the song; of its first phrase, if it is not composed.", 0, 2**62)
    flags.DEFINE_float("temperature", 1.0, "Spread of the prior.", 0.0, MAX_TEMPERATURE)
    flags.DEFINE_float("tempo", DEFAULT_TEMPO, "Beats a minute.", MIN_TEMPO, MAX_TEMPO)
    flags.DEFINE_float("timeout", TIMEOUT, "Seconds to wait for each answer.", 0.001, 86400.0)
    sound_options.define_sound()


def main() -> None:
    """Writes one song."""
    values, grid = flags.FLAGS, Grid()
    sound_options.check_sound()
    rendering = sound_options.asked_sound(1)
    verb = values.verb or ("restore" if values.midi else None)
    _check_flags(verb)
    if values.midi:
        song, tempo = _made(verb, grid)
        default = f"{pathlib.Path(values.midi).stem}{VERBS[verb][0]}.mid"
    else:
        song, tempo, default = composed(grid) if verb else _generated(grid), values.tempo, "song.mid"
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


def _made(verb: str, grid: Grid) -> tuple[np.ndarray, float]:
    """Returns what a verb makes of the MIDI file, bool [step, pitch, track], and its tempo."""
    values = flags.FLAGS
    song = _read(values.midi, grid)
    other = _read(values.to, grid).pianoroll if verb == "interpolate" else None
    return made_of(verb, song.pianoroll, other, grid), song.tempo


def _read(path: str, grid: Grid) -> Song:
    """Returns the song of a MIDI file, which is not the one that is written."""
    out = flags.FLAGS.out
    if out and pathlib.Path(out).resolve() == pathlib.Path(path).resolve():
        raise OptionError(f"--out={out} is the song itself: give another name")
    try:
        return read_song(path, grid)
    except SongError as error:
        raise OptionError(f"{path}: {error}") from error


def _check_flags(verb: str | None) -> None:
    """Refuses flags that do not go with a verb; None: a song of phrases."""
    values = flags.FLAGS
    if values.midi and verb == "compose":
        raise OptionError("--verb=compose and --midi do not go together: it makes a song from nothing")
    if verb and verb != "compose" and not values.midi:
        raise OptionError(f"--verb={verb} needs a song: name a MIDI file")
    if verb == "interpolate" and not values.to:
        raise OptionError("--to is missing: the MIDI file whose first phrase the path ends with")
    known = set(PHRASES).union(*(names for _, names in VERBS.values()))
    fitting = VERBS[verb][1] if verb else PHRASES
    if wrong := sorted(name for name in known - {*fitting} if values[name].present):
        others = ", ".join(f"--{name}" for name in wrong)
        asked = f"--verb={verb}" if verb else "a song without --verb"
        raise OptionError(f"{others} and {asked} do not go together")


if __name__ == "__main__":
    launch(define_flags, main, RequestError, SoundError, positional="midi")
