"""The page as one HTML file: songs, instruments, style and code inside it, and nothing that is fetched."""

import os
import pathlib
from collections.abc import Sequence

from msw2.music.grid import Grid
from msw2.music.tracks import TRACKS
from msw2.page.document import asset, write_document
from msw2.page.instruments import kit_data
from msw2.page.songs import Song, clean, song_data, used_pitches
from msw2.sound.soundfont import DEFAULT, LICENCE

# In this order: each uses those before it.
SCRIPTS = ("sampler.js", "song.js", "player.js", "roll.js", "card.js", "main.js")


def build_page(
    path: str | os.PathLike,
    songs: Sequence[Song],
    *,
    title: str,
    grid: Grid | None = None,
    soundfont: str | os.PathLike | None = None,
) -> None:
    """Writes one HTML file that plays songs in any current browser, without a network, whole or not at all.

    The same input gives the same bytes. Rendering the instruments takes some seconds.

    Args:
        path: the HTML file to write.
        songs: at least one, in the order of the page.
        title: of the page.
        grid: the grid of the songs; None: the usual one.
        soundfont: a SoundFont 2 file with General MIDI's programs; None: as `sound.synth.synthesise`.

    Raises:
        SongError: if the file of a version is not MIDI.
        SoundError: if the soundfont cannot be read or played.
        ValueError: if there are no songs.
    """
    if not songs:
        raise ValueError("no songs were given; at least one is needed")
    grid = grid or Grid()
    data = {
        "kit": kit_data(used_pitches(songs, grid), grid, soundfont),
        "songs": [song_data(song, grid) for song in songs],
    }
    write_document(
        path,
        "page.html",
        title=clean(title),
        style=_track_colours() + asset("page.css"),
        scripts=SCRIPTS,
        data=data,
        credit=_credit(soundfont),
    )


def _credit(soundfont: str | os.PathLike | None) -> str:
    """Returns a sentence on the sounds, if they are of the soundfont whose licence we know."""
    if soundfont is not None and pathlib.Path(soundfont).stem != DEFAULT:
        return ""
    return f"The sounds are short notes, rendered with the soundfont {DEFAULT} ({LICENCE})."


def _track_colours() -> str:
    """Returns the style rules that define --track-0 and on, for light and dark."""
    light = "".join(f"--track-{index}:{track.colour};" for index, track in enumerate(TRACKS))
    dark = "".join(f"--track-{index}:{track.colour_on_dark};" for index, track in enumerate(TRACKS))
    return f":root{{{light}}}\n@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
