"""What the commands that make songs with a run share: the folder of its samples, and all that goes there."""

import math
import os
import pathlib
from collections.abc import Sequence

from msw2.cli.launch import OptionError
from msw2.cli.page import PAGE, page_title
from msw2.inference.song_files import MadeSong, draw_songs, write_songs
from msw2.inference.trained import Trained
from msw2.music.grid import Grid
from msw2.music.tracks import TRACK_NAMES
from msw2.page.build import build_page
from msw2.page.folder import FolderError, read_folder
from msw2.sound.rendering import Rendering, rendering_songs
from msw2.system.memory import available
from msw2.system.progress import say

COPIES = 3  # of a phrase in memory at a time: as it is drawn, in its song, and in its song's pianoroll


def samples_folder(run: Trained, kind: str) -> pathlib.Path:
    """Returns the folder of one kind of a run's samples, which can be written.

    Args:
        run: what makes the songs.
        kind: `generated`, `restored`, and so on.

    Raises:
        OptionError: if it cannot be made, or nothing can be written there.
    """
    folder = run.path / "samples" / kind
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(f"{folder} cannot be written: {error.strerror}") from error
    for place in (folder, folder.parent):  # the page lies in the second
        if not os.access(place, os.W_OK | os.X_OK):
            raise OptionError(f"{place} cannot be written: Permission denied")
    return folder


def check_memory(phrases: int, grid: Grid) -> None:
    """Refuses more phrases than the memory holds.

    Args:
        phrases: of all songs that a command makes.
        grid: of the phrases.

    Raises:
        OptionError: naming how many there is room for.
    """
    each = COPIES * math.prod(grid.phrase_shape) * len(TRACK_NAMES)
    if phrases * each > (there := available()):
        raise OptionError(
            f"{phrases:,} phrases need {phrases * each / 1e9:,.1f} GB of memory, and {there / 1e9:,.1f} GB are free: "
            f"ask for at most {int(there // each):,}"
        )


def write_samples(
    folder: pathlib.Path, songs: Sequence[MadeSong], grid: Grid, rendering: Rendering, summary: str
) -> None:
    """Writes songs as files, with sound and pictures, and a page of all samples of the run. Prints what is where.

    Pictures and page are made while other processes render the sound.

    Args:
        folder: from `samples_folder`.
        songs: to write.
        grid: the grid of the songs.
        rendering: what sound is written.
        summary: a line to print before the page's.

    Raises:
        SoundError: if the soundfont cannot be played, or the sound cannot be written.
    """
    midis = write_songs(folder, songs, grid, flat=rendering.flat)
    with rendering_songs(midis, grid, rendering):
        draw_songs(folder, songs, grid)
        page = _write_page(folder.parent, grid, rendering.soundfont)
    print(summary)
    if page:
        print(f"to listen: {page}")


def _write_page(samples: pathlib.Path, grid: Grid, soundfont: str | None) -> pathlib.Path | None:
    """Returns the page of all samples that a command and others before it made; None where they are too many."""
    page = samples / PAGE
    try:
        songs, _ = read_folder(samples, grid)
    except FolderError as error:
        page.unlink(missing_ok=True)  # an old page would leave out the new songs
        say(f"no page: {error}")
        return None
    build_page(page, songs, title=page_title(samples), grid=grid, soundfont=soundfont)
    return page
