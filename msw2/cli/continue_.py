"""`make continue`: writes the bars after songs."""

from absl import flags

from msw2.cli import options
from msw2.cli.given_songs import Verb, define_given
from msw2.cli.launch import launch
from msw2.cli.planned_songs import ERRORS, write_each
from msw2.inference.verbs import continuation
from msw2.music.midi import MAX_BARS

VERB = Verb("continue", "continued")


def define_flags() -> None:
    """Defines the command's flags."""
    define_given(VERB)
    options.define_seed()
    options.define_temperature()
    flags.DEFINE_integer("bars", 16, "Bars to write after the song.", lower_bound=1, upper_bound=MAX_BARS)


def main() -> None:
    """Writes songs that go on."""
    bars = flags.FLAGS.bars
    write_each(VERB, lambda song, grid: continuation(song, bars, grid))


if __name__ == "__main__":
    launch(define_flags, main, *ERRORS, positional="midi")
