"""`make infill`: writes a range of bars of songs anew, in all tracks."""

import re

from absl import flags

from msw2.cli import options
from msw2.cli.given_songs import Verb, define_given
from msw2.cli.launch import OptionError, launch
from msw2.cli.planned_songs import ERRORS, write_each
from msw2.inference.verbs import gap

VERB = Verb("infill", "infilled")
RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")


def define_flags() -> None:
    """Defines the command's flags."""
    define_given(VERB)
    options.define_seed()
    options.define_temperature()
    flags.DEFINE_string("bars", None, "Bars to write, counted from 1, both included: 5-8, or 5 for one bar.")


def main() -> None:
    """Writes songs with these bars anew."""
    first, last = asked_bars(flags.FLAGS.bars)
    write_each(VERB, lambda song, grid: gap(song, first, last, grid))


def asked_bars(text: str | None) -> tuple[int, int]:
    """Returns the first and the last bar that a text names.

    Raises:
        OptionError: if it is missing, or names no bars.
    """
    if text is None:
        raise OptionError("--bars is missing: it names the bars to write, such as 5-8")
    if not (found := RANGE.fullmatch(text)):
        raise OptionError(f"--bars={text} is no range of bars such as 5-8, and no bar such as 5")
    return int(found[1]), int(found[2] or found[1])


if __name__ == "__main__":
    launch(define_flags, main, *ERRORS, positional="midi")
