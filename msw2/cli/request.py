"""Asks a running server (`make serve`) for a song and writes it as MIDI and sound."""

import pathlib

from absl import flags

from msw2.cli import sound_options
from msw2.cli.launch import OptionError, launch
from msw2.music.grid import Grid
from msw2.music.midi import MAX_TEMPO, MIN_TEMPO, write_song
from msw2.music.pianoroll import DEFAULT_TEMPO, join_phrases
from msw2.serving.client import RequestError, generate
from msw2.sound.rendering import render_songs
from msw2.sound.song_audio import remove_song_audio
from msw2.sound.soundfont import SoundError


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string("url", "http://localhost:8501/v1/models/msw2:predict", "Where the model is served.")
    flags.DEFINE_string("out", "song.mid", "MIDI file to write; its sound goes beside it.")
    flags.DEFINE_integer("phrases", 4, "Phrases of the song.", lower_bound=1, upper_bound=256)
    flags.DEFINE_integer("seed", 0, "Seed of the first phrase; the others count on from it.", lower_bound=0)
    flags.DEFINE_float("temperature", 1.0, "Spread of the prior.", lower_bound=0.0)
    flags.DEFINE_float("tempo", DEFAULT_TEMPO, "Beats a minute.", MIN_TEMPO, MAX_TEMPO)
    sound_options.define_sound()


def main() -> None:
    """Writes one song."""
    values, grid = flags.FLAGS, Grid()
    sound_options.check_sound()
    rendering = sound_options.asked_sound(1)
    seeds = list(range(values.seed, values.seed + values.phrases))
    phrases = generate(values.url, grid, seeds=seeds, temperature=values.temperature)
    out = pathlib.Path(values.out)
    try:
        remove_song_audio(out.parent, out.stem)
        write_song(out, join_phrases(phrases), grid, values.tempo, flat=rendering.flat)
    except OSError as error:
        raise OptionError(f"{values.out} cannot be written: {error.strerror}") from error
    render_songs([out], grid, rendering)
    print(f"{values.out}: {len(phrases) * grid.bars} bars")


if __name__ == "__main__":
    launch(define_flags, main, RequestError, SoundError)
