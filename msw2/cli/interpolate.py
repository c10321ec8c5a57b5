"""`make interpolate`: writes paths from the first phrase of a song to that of another."""

import itertools
from collections.abc import Iterator

from absl import flags

from msw2.cli import options
from msw2.cli.given_songs import GivenSong, Verb, check_name, define_given
from msw2.cli.launch import OptionError, launch
from msw2.cli.planned_songs import ERRORS, Planned, write_planned
from msw2.inference.verbs import VerbError, path
from msw2.music.grid import Grid

VERB = Verb("interpolate", "interpolated")


def define_flags() -> None:
    """Defines the command's flags."""
    define_given(VERB)
    options.define_seed()
    flags.DEFINE_string(
        "to",
        None,
        "The MIDI file at the end of the path. Songs of the store have a path from each to the next.",
    )
    flags.DEFINE_integer("points", 7, "Phrases of the path, its two ends among them.", 2, 256)


def main() -> None:
    """Writes paths between songs."""
    values = flags.FLAGS
    if bool(values.midi) != bool(values.to):
        raise OptionError("a path has two ends: give --midi and --to, or neither for songs of the store")
    write_planned(VERB, _paths, "to")


def _paths(songs: list[GivenSong], grid: Grid) -> Iterator[Planned]:
    """Yields a path from each song to the next."""
    if len(songs) < 2:
        raise OptionError("a path has two ends, and there is one song: give more --songs, or another --split")
    for first, second in itertools.pairwise(songs):
        name = f"{first.name}-to-{second.name}"
        check_name(name, name, VERB)
        try:
            plan = path(first.pianoroll, second.pianoroll, flags.FLAGS.points, grid)
        except VerbError as error:
            raise OptionError(f"{name}: {error}") from error
        yield first._replace(name=name), plan


if __name__ == "__main__":
    launch(define_flags, main, *ERRORS, positional="midi")
