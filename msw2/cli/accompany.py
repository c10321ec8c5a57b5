"""`make accompany`: writes tracks of songs anew, in all bars, to go with the other tracks."""

from absl import flags

from msw2.cli import options
from msw2.cli.given_songs import Verb, define_given
from msw2.cli.launch import launch
from msw2.cli.planned_songs import ERRORS, write_each
from msw2.inference.verbs import checked_tracks, without_tracks
from msw2.music.tracks import TRACK_NAMES

VERB = Verb("accompany", "accompanied")


def define_flags() -> None:
    """Defines the command's flags."""
    define_given(VERB)
    options.define_seed()
    options.define_temperature()
    flags.DEFINE_list(
        "tracks",
        [],
        f"Tracks to write, of {', '.join(TRACK_NAMES)}: bass,drums. What the song has of them is dropped.",
    )


def main() -> None:
    """Writes songs with these tracks anew."""
    tracks = flags.FLAGS.tracks
    checked_tracks(tracks)
    write_each(VERB, lambda song, grid: without_tracks(song, tracks, grid))


if __name__ == "__main__":
    launch(define_flags, main, *ERRORS, positional="midi")
