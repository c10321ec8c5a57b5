"""`make generate`: writes songs of a trained run, made from nothing.

A song is some phrases one after another. A phrase with a bar of silence is left out, and the next seed's phrase
takes its place.
"""

import pathlib

import numpy as np
from absl import flags

from msw2.cli import options, sound_options
from msw2.cli.launch import launch
from msw2.cli.samples import check_memory, samples_folder, write_samples
from msw2.inference.sampling import Sampler, SilenceError
from msw2.inference.song_files import MadeSong
from msw2.inference.trained import Trained
from msw2.music.midi import MAX_TEMPO, MIN_TEMPO
from msw2.music.notes import runs
from msw2.music.pianoroll import DEFAULT_TEMPO, join_phrases
from msw2.music.tracks import TRACK_NAMES, TRACKS
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
    # A model of pianorolls knows no tempo; this is the one that LPD's authors give to music without one.
    flags.DEFINE_float("tempo", DEFAULT_TEMPO, "Beats a minute.", MIN_TEMPO, MAX_TEMPO)
    sound_options.define_sound()


def main() -> None:
    """Writes `<run>/samples/generated/song-000.mid`, `.npz`, `.png`, `.wav`, `.ogg` and so on, and a page of them."""
    values = flags.FLAGS
    sound_options.check_sound()
    rendering = sound_options.asked_sound(values.songs)
    set_up_device(values.threads)
    run = options.open_run()
    folder = samples_folder(run, "generated")
    check_memory(values.songs * values.phrases, run.config.grid)
    with options.writing(folder):
        _generate(run, folder, rendering)


def _generate(run: Trained, folder: pathlib.Path, rendering: Rendering) -> None:
    """Generates the songs that the flags ask for, and writes them to a folder."""
    values = flags.FLAGS
    say(f"{run.path}: generating")
    sampler = Sampler.of(run)
    songs, seeds = sampler.compose(
        values.songs, values.phrases, seed=values.seed, temperature=values.temperature
    )
    made = [
        _made(index, song, used.tolist(), run.preset)
        for index, (song, used) in enumerate(zip(songs, seeds, strict=True))
    ]
    left_out = int(seeds[-1, -1]) + 1 - values.seed - seeds.size
    summary = f"{len(songs)} songs of {values.phrases} phrases, seed {values.seed}: {folder}"
    if left_out:
        summary += f"\nphrases left out for a bar of silence: {left_out}"
    write_samples(folder, made, sampler.grid, rendering, summary)


def _made(index: int, phrases: np.ndarray, seeds: list[int], preset: str) -> MadeSong:
    """Returns a song of phrases, bool [phrase, bar, step, pitch, track]."""
    about = About("generated", seeds=tuple(seeds), preset=preset, figures=_figures(phrases))
    title = f"generated, seeds {seeds[0]} to {seeds[-1]}"
    return MadeSong(f"song-{index:03}", join_phrases(phrases), flags.FLAGS.tempo, title, about)


def _figures(phrases: np.ndarray) -> dict[str, float | str]:
    """Returns what a listener hears in numbers: how many notes, and how long each track plays."""
    song = join_phrases(phrases)
    notes = sum(len(runs(song[..., index], track.is_drum)[0]) for index, track in enumerate(TRACKS))
    bars = phrases.any(axis=(2, 3)).reshape(-1, len(TRACKS))
    shares = np.rint(100 * bars.mean(axis=0)).astype(int).tolist()
    return {
        "notes a bar": round(notes / len(bars), 1),
        "bars with each track, %": ", ".join(
            f"{name} {share}" for name, share in zip(TRACK_NAMES, shares, strict=True)
        ),
    }


if __name__ == "__main__":
    launch(define_flags, main, AboutError, OSError, SilenceError, *options.USER_ERRORS)
