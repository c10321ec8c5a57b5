"""`make generate`: writes songs of a trained run, made from nothing.

A song is some phrases one after another. A phrase with a bar of silence is left out, and the next seed's phrase
takes its place.
"""

from absl import flags

from msw2.cli import options, sound_options
from msw2.cli.launch import launch
from msw2.cli.page import write_page
from msw2.inference.sampling import Sampler, SilenceError
from msw2.inference.song_files import write_files
from msw2.music.midi import MAX_TEMPO, MIN_TEMPO
from msw2.music.pianoroll import DEFAULT_TEMPO, join_phrases
from msw2.page.about import About
from msw2.sound.rendering import render_songs
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
    rendering = sound_options.asked_sound(values.songs)
    set_up_device(flags.FLAGS.threads)
    run = options.open_run()
    say(f"{run.path}: generating")
    sampler = Sampler.of(run)
    songs, seeds = sampler.compose(
        values.songs, values.phrases, seed=values.seed, temperature=values.temperature
    )
    folder = run.path / "samples" / "generated"
    midis = []
    for index, (phrases, used) in enumerate(zip(songs, seeds, strict=True)):
        title = f"generated, seeds {used[0]} to {used[-1]}"
        name = f"song-{index:03}"
        song = join_phrases(phrases)
        about = About("generated", seeds=tuple(used.tolist()), preset=run.preset)
        midis += write_files(
            folder, name, song, sampler.grid, values.tempo, title=title, about=about, flat=rendering.flat
        )
    render_songs(midis, sampler.grid, rendering)
    left_out = int(seeds[-1, -1]) + 1 - values.seed - seeds.size
    print(f"{len(songs)} songs of {values.phrases} phrases, seed {values.seed}: {folder}")
    if left_out:
        print(f"phrases left out for a bar of silence: {left_out}")
    write_page(run.path / "samples", rendering)


if __name__ == "__main__":
    launch(define_flags, main, SilenceError, *options.USER_ERRORS)
