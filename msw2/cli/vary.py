"""`make vary`: writes some bars of songs anew."""

from absl import flags

from msw2.cli import options
from msw2.cli.given_songs import Verb, define_given
from msw2.cli.launch import launch
from msw2.cli.planned_songs import ERRORS, write_each
from msw2.inference.verbs import variation

VERB = Verb("vary", "varied")


def define_flags() -> None:
    """Defines the command's flags."""
    define_given(VERB)
    options.define_seed()
    flags.DEFINE_float(
        "amount", 0.3, "The share of the bars of each track that is written anew, 0 to 1.", 0.0, 1.0
    )


def main() -> None:
    """Writes variations of songs."""
    amount = flags.FLAGS.amount
    write_each(VERB, lambda song, grid: variation(song, amount, grid))


if __name__ == "__main__":
    launch(define_flags, main, *ERRORS, positional="midi")
