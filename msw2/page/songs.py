"""What a song on the page is, and how its notes are written for the browser."""

import base64
import dataclasses
from collections.abc import Mapping

import numpy as np

from msw2.music import performance
from msw2.music.grid import Grid
from msw2.music.midi import read_velocities
from msw2.music.tracks import TRACKS

TICKS = 10  # a step: notes end up to 0.4 steps early


@dataclasses.dataclass(frozen=True, eq=False)
class Version:
    """One version of a song.

    Attributes:
        label: what a listener sees on the button: `original`, `restored`, and so on.
        pianoroll: bool [step, pitch, track], whole bars, at least one.
        tempo: beats a minute.
        file: name of the MIDI file to download.
        midi: content of that file. It tells how loud the notes are.
        facts: name -> number or text, in the order to show them.
    """

    label: str
    pianoroll: np.ndarray
    tempo: float
    file: str
    midi: bytes
    facts: Mapping[str, float | str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, eq=False)
class Song:
    """A song and its versions.

    Attributes:
        name: its title; what is before the last slash is shown faintly.
        versions: at least one, in the order of their buttons.

    Raises:
        ValueError: without a version.
    """

    name: str
    versions: tuple[Version, ...]

    def __post_init__(self):
        if not self.versions:
            raise ValueError(f"song {self.name!r} has no version")


def used_pitches(songs: list[Song], grid: Grid) -> list[set[int]]:
    """Returns for each track the MIDI pitches that any version of any song plays."""
    sounding = np.zeros((grid.pitches, len(TRACKS)), bool)
    for song in songs:
        for version in song.versions:
            sounding |= version.pianoroll.any(axis=0)
    return [set((np.flatnonzero(track) + grid.lowest_pitch).tolist()) for track in sounding.T]


def song_data(song: Song, grid: Grid) -> dict:
    """Returns a song as `player.js` reads it, of JSON's types.

    Raises:
        SongError: if a version's file is not MIDI.
    """
    return {"name": clean(song.name), "versions": [_version_data(version, grid) for version in song.versions]}


def _version_data(version: Version, grid: Grid) -> dict:
    velocities = read_velocities(version.midi, grid, len(version.pianoroll))
    return {
        "label": clean(version.label),
        "tempo": version.tempo,
        "steps": len(version.pianoroll),
        "notes": [
            _track_notes(version.pianoroll[..., track], velocities[..., track], TRACKS[track].is_drum, grid)
            for track in range(len(TRACKS))
        ],
        "file": clean(version.file),
        "midi": base64.b64encode(version.midi).decode("ascii"),
        "facts": [[clean(name), shown(value)] for name, value in version.facts.items()],
    }


def _track_notes(cells: np.ndarray, velocities: np.ndarray, is_drum: bool, grid: Grid) -> list[list[int]]:
    """Returns a track's notes in order of time: steps since the note before, MIDI pitches, lengths, velocities.

    Lengths are in `TICKS` a step. A note is as loud as in the file, or as msw2 plays it where none begins there.
    """
    played = performance.play(cells, is_drum, grid)
    order = np.lexsort((played.pitches, played.starts))
    starts = played.starts[order]
    loud = velocities[played.starts, played.pitches].astype(np.int64)
    loud = np.where(loud > 0, loud, played.velocities)
    lengths = np.rint((played.ends - played.starts) * TICKS).astype(np.int64)
    columns = (
        np.diff(starts, prepend=0),
        played.pitches[order] + grid.lowest_pitch,
        lengths[order],
        loud[order],
    )
    return [column.tolist() for column in columns]


def clean(text: str) -> str:
    """Returns a text that UTF-8 can hold: a file's name may have bytes that are no text."""
    return text.encode("utf-8", "replace").decode("utf-8")


def shown(value: float | str) -> str:
    """Returns a figure for people: a text unchanged, a number with about four digits that matter."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if abs(value) < 1 else f"{value:,.4f}".rstrip("0").rstrip(".")
