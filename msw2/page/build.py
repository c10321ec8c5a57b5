"""The page as one HTML file: songs, instruments, style and code inside it, and nothing that is fetched."""

import base64
import hashlib
import html
import importlib.resources
import json
import os
import string
from collections.abc import Sequence

from msw2.music.grid import Grid
from msw2.music.tracks import TRACKS
from msw2.page.instruments import kit_data
from msw2.page.songs import Song, clean, song_data, used_pitches
from msw2.system.files import replacing

SCRIPTS = (
    "sampler.js",
    "player.js",
    "roll.js",
    "card.js",
    "main.js",
)  # in this order: each uses those before it
# Nothing is fetched, and no code runs but that of the page: a song's name cannot bring any.
POLICY = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data:; media-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)


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
    script = "{\n'use strict';\n" + "\n".join(map(asset, SCRIPTS)) + "}\n"
    style = _track_colours() + asset("page.css")
    page = string.Template(asset("page.html")).substitute(
        policy=POLICY.format(script=digest(script), style=digest(style)),
        title=html.escape(clean(title)),
        style=style,
        data=inline_json(data),
        script=script,
    )
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")


def asset(name: str) -> str:
    """Returns the text of a file in `msw2/page/assets`."""
    return (importlib.resources.files("msw2.page") / "assets" / name).read_text(encoding="utf-8")


def inline_json(data: object) -> str:
    """Returns data as JSON that can stand inside a script element: `<` would end it, or open a comment."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def digest(text: str) -> str:
    """Returns the digest by which a Content Security Policy names an inline script or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _track_colours() -> str:
    """Returns the style rules that define --track-0 and on, for light and dark."""
    light = "".join(f"--track-{index}:{track.colour};" for index, track in enumerate(TRACKS))
    dark = "".join(f"--track-{index}:{track.colour_on_dark};" for index, track in enumerate(TRACKS))
    return f":root{{{light}}}\n@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
