"""`make page`: one HTML file that plays the songs of a folder, in any browser and without a network."""

import pathlib

from absl import flags

from msw2.cli import sound_options
from msw2.cli.launch import OptionError, launch
from msw2.music.grid import Grid
from msw2.page.build import build_page
from msw2.page.folder import FolderError, read_folder
from msw2.sound.soundfont import SoundError
from msw2.system.progress import say

MEGABYTE = 1e6
PAGE = "index.html"


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string("folder", None, "Folder of MIDI files; those of its sub-folders count, too.")
    flags.DEFINE_string("out", None, "HTML file to write; FOLDER/index.html without it.")
    flags.DEFINE_string("title", None, "Title of the page; the folder's name without it.")
    sound_options.define_soundfont()


def main() -> None:
    """Writes the page, and prints its path and size, and what was left out."""
    values = flags.FLAGS
    if not values.folder:
        raise OptionError("--folder is missing: it names a folder of MIDI files")
    folder = pathlib.Path(values.folder)
    path = pathlib.Path(values.out) if values.out else folder / PAGE
    if path.is_dir():
        raise OptionError(f"{path} is a folder: --out names an HTML file to write")
    soundfont = sound_options.checked_soundfont()
    songs, left_out = read_folder(folder, Grid())
    for sentence in left_out:
        print(f"left out: {sentence}")
    say("rendering the instruments")
    build_page(path, songs, title=values.title or page_title(folder), soundfont=soundfont)
    print(f"{len(songs)} songs, {path.stat().st_size / MEGABYTE:.1f} MB: {path}")


def page_title(folder: pathlib.Path) -> str:
    """Returns a folder's name; for a run's samples, the name of the run, too."""
    whole = folder.resolve()
    return f"{whole.parent.name}: samples" if whole.name == "samples" else whole.name


if __name__ == "__main__":
    launch(define_flags, main, FolderError, SoundError, OSError, positional="folder")
