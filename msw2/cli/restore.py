"""`make restore`: takes songs through the whole model and back, and writes what comes out."""

from msw2.cli import options
from msw2.cli.given_songs import GivenSong, Verb, define_given, work_on_songs
from msw2.cli.launch import launch
from msw2.cli.song_figures import likeness_figures
from msw2.inference.sampling import Sampler
from msw2.inference.song_files import MadeSong
from msw2.inference.trained import Trained
from msw2.music.pianoroll import cut_phrases, join_phrases
from msw2.page.about import About, AboutError
from msw2.system.progress import say

VERB = Verb("restore", "restored")


def define_flags() -> None:
    """Defines the command's flags."""
    define_given(VERB)


def main() -> None:
    """Restores songs; see `given_songs.work_on_songs`."""
    work_on_songs(VERB, _restored)


def _restored(run: Trained, songs: list[GivenSong]) -> list[MadeSong]:
    """Returns what comes out of the model for songs."""
    say(f"{run.path}: restoring")
    sampler = Sampler.of(run)
    return [_made(sampler, run.preset, song) for song in songs]


def _made(sampler: Sampler, preset: str, song: GivenSong) -> MadeSong:
    restored = join_phrases(sampler.restore(cut_phrases(song.pianoroll, sampler.grid)))
    cells = restored[: len(song.pianoroll)]  # the last phrase is padded
    figures = likeness_figures(song.pianoroll, cells, sampler.grid)
    about = About("restored", preset=preset, figures=figures)
    return MadeSong(song.name, cells, song.tempo, "restored", about, song.pianoroll)


if __name__ == "__main__":
    launch(define_flags, main, AboutError, OSError, *options.USER_ERRORS, positional="midi")
