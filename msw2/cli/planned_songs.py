"""What the verbs' commands share: plans of songs are drawn, and become samples."""

from collections.abc import Callable, Iterable

import numpy as np
from absl import flags

from msw2.cli import options
from msw2.cli.given_songs import GivenSong, Verb, work_on_songs
from msw2.cli.launch import OptionError
from msw2.cli.song_figures import likeness_figures, music_figures
from msw2.inference.plans import Path, Plan, Variation, draw_all
from msw2.inference.song_files import MadeSong
from msw2.inference.songs import Composer, NoComposerError
from msw2.inference.trained import Trained
from msw2.inference.verbs import VerbError
from msw2.music.grid import Grid
from msw2.page.about import About, AboutError
from msw2.system.progress import say

ERRORS = (AboutError, NoComposerError, OSError, VerbError, *options.USER_ERRORS)

Planned = tuple[GivenSong, Plan]


def write_planned(
    verb: Verb, plan: Callable[[list[GivenSong], Grid], Iterable[Planned]], *midi_flags: str
) -> None:
    """Draws what is planned of the songs that the flags name, and writes it; see `given_songs.work_on_songs`.

    Args:
        verb: the command.
        plan: of songs on a grid, what each made song is named after and takes its tempo from, and its plan.
        *midi_flags: names of further flags that name a MIDI file.
    """

    def make(run: Trained, songs: list[GivenSong]) -> list[MadeSong]:
        planned = list(plan(songs, run.config.grid))  # first: to read the weights takes seconds
        say(f"{run.path}: reading the weights")
        made = draw_all(Composer.of(run), [plan for _, plan in planned], seed=flags.FLAGS.seed, **_how())
        return [
            _made(verb, run, each, cells, seed=flags.FLAGS.seed + index)
            for index, (each, cells) in enumerate(zip(planned, made, strict=True))
        ]

    work_on_songs(verb, make, *midi_flags)


def write_each(verb: Verb, plan: Callable[[np.ndarray, Grid], Plan]) -> None:
    """Does as `write_planned`, with a plan of each song by itself."""
    write_planned(verb, lambda songs, grid: [(song, _plan_of(song, plan, grid)) for song in songs])


def _plan_of(song: GivenSong, plan: Callable[[np.ndarray, Grid], Plan], grid: Grid) -> Plan:
    try:
        return plan(song.pianoroll, grid)
    except VerbError as error:
        raise OptionError(f"{song.name}: {error}") from error


def _how() -> dict[str, float]:
    """Returns the temperature, if the command has one."""
    return {"temperature": flags.FLAGS.temperature} if "temperature" in flags.FLAGS else {}


def _made(verb: Verb, run: Trained, planned: Planned, cells: np.ndarray, *, seed: int) -> MadeSong:
    """Returns the song that was drawn by a plan, to be written."""
    song, plan = planned
    figures = {"made": plan.wanted} | music_figures(cells, run.config.grid)
    given = plan.given
    if isinstance(plan, Variation):
        figures |= likeness_figures(song.pianoroll, cells, run.config.grid)
        given = plan.kept(cells, run.config.grid)
    original = plan.song if isinstance(plan, Path) else song.pianoroll
    about = About(verb.done, seeds=(seed,), preset=run.preset, figures=figures)
    return MadeSong(song.name, cells, song.tempo, f"{verb.done}: {plan.wanted}", about, original, given)
