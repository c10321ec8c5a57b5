"""`make generate`: writes songs of a trained run, made from nothing.

A prior that has learnt songs draws each song as a whole, with a begin and an end. With any other prior, a song is some
phrases one after another. A phrase with a bar of silence is then left out, and the next seed's phrase takes its place.
"""

import pathlib

import numpy as np
from absl import flags

from msw2.cli import options, sound_options
from msw2.cli.launch import OptionError, launch
from msw2.cli.samples import check_memory, samples_folder, write_samples
from msw2.cli.song_figures import music_figures
from msw2.inference.plans import draw_all
from msw2.inference.sampling import Sampler, SilenceError
from msw2.inference.song_files import MadeSong
from msw2.inference.songs import Composer, NoComposerError, check_composes, composes
from msw2.inference.trained import Trained
from msw2.inference.verbs import from_nothing
from msw2.music.midi import MAX_BARS, MAX_TEMPO, MIN_TEMPO
from msw2.music.pianoroll import DEFAULT_TEMPO, join_phrases
from msw2.page.about import About, AboutError
from msw2.sound.rendering import Rendering
from msw2.system.progress import say
from msw2.training.device import set_up_device


def define_flags() -> None:
    """Defines the command's flags."""
    options.define_trained()
    options.define_drawing()
    flags.DEFINE_integer("songs", 8, "Songs to write.", lower_bound=1)
    flags.DEFINE_integer("phrases", 4, "Phrases a song, of four bars each.", lower_bound=1, upper_bound=256)
    text = "Bars a song, instead of phrases; for a prior that has learnt songs."
    flags.DEFINE_integer("bars", None, text, lower_bound=1, upper_bound=MAX_BARS)
    # A model of pianorolls knows no tempo; this is the one that LPD's authors give to music without one.
    flags.DEFINE_float("tempo", DEFAULT_TEMPO, "Beats a minute.", MIN_TEMPO, MAX_TEMPO)
    sound_options.define_sound()


def main() -> None:
    """Writes `<run>/samples/generated/song-000.mid`, `.npz`, `.png`, `.wav`, `.ogg` and so on, and a page of them."""
    values = flags.FLAGS
    if values.bars is not None and values["phrases"].present:
        raise OptionError("--bars and --phrases do not go together: both say how long a song is")
    sound_options.check_sound()
    rendering = sound_options.asked_sound(values.songs)
    set_up_device(values.threads)
    run = options.open_run()
    folder = samples_folder(run, "generated")
    check_memory(values.songs * -(-_bars(run) // run.config.grid.bars), run.config.grid)
    with options.writing(folder):
        _generate(run, folder, rendering)


def _generate(run: Trained, folder: pathlib.Path, rendering: Rendering) -> None:
    """Generates the songs that the flags ask for, and writes them to a folder."""
    values, bars = flags.FLAGS, _bars(run)
    say(f"{run.path}: generating")
    if composes(run.config):
        made = _songs(run, bars)
        summary = f"{len(made)} songs of {bars} bars, seed {values.seed}: {folder}"
    else:
        made, left_out = _songs_of_phrases(run)
        summary = f"{len(made)} songs of {values.phrases} phrases, seed {values.seed}: {folder}"
        if left_out:
            summary += f"\nphrases left out for a bar of silence: {left_out}"
    write_samples(folder, made, run.config.grid, rendering, summary)


def _bars(run: Trained) -> int:
    """Returns the bars of a song.

    Raises:
        NoComposerError: if the flags ask for bars, and the model has learnt phrases alone.
    """
    if flags.FLAGS.bars is None:
        return flags.FLAGS.phrases * run.config.grid.bars
    check_composes(run.config)
    return flags.FLAGS.bars


def _songs(run: Trained, bars: int) -> list[MadeSong]:
    """Returns songs that are drawn as a whole."""
    values = flags.FLAGS
    plans = [from_nothing(bars, run.config.grid)] * values.songs
    drawn = draw_all(Composer.of(run), plans, seed=values.seed, temperature=values.temperature)
    return [_made(run, index, song, (values.seed + index,)) for index, song in enumerate(drawn)]


def _songs_of_phrases(run: Trained) -> tuple[list[MadeSong], int]:
    """Returns songs of phrases that are drawn by themselves, and how many phrases were left out."""
    values = flags.FLAGS
    songs, seeds = Sampler.of(run).compose(
        values.songs, values.phrases, seed=values.seed, temperature=values.temperature
    )
    made = [
        _made(run, index, join_phrases(song), tuple(used.tolist()))
        for index, (song, used) in enumerate(zip(songs, seeds, strict=True))
    ]
    return made, int(seeds[-1, -1]) + 1 - values.seed - seeds.size


def _made(run: Trained, index: int, song: np.ndarray, seeds: tuple[int, ...]) -> MadeSong:
    """Returns a song, bool [step, pitch, track], to be written."""
    figures = music_figures(song, run.config.grid)
    about = About("generated", seeds=seeds, preset=run.preset, figures=figures)
    title = (
        f"generated, seed {seeds[0]}" if len(seeds) == 1 else f"generated, seeds {seeds[0]} to {seeds[-1]}"
    )
    return MadeSong(f"song-{index:03}", song, flags.FLAGS.tempo, title, about)


if __name__ == "__main__":
    launch(define_flags, main, AboutError, NoComposerError, OSError, SilenceError, *options.USER_ERRORS)
