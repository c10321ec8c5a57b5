# The types of `__init__.py`, which must not import what they name.
import os
from typing import TypeVar

from pretty_midi import PrettyMIDI
from pypianoroll import Multitrack

from msw2.inference.band import Band

Song = TypeVar("Song", Multitrack, PrettyMIDI)

__version__: str
MODEL: str

def load(path: str | os.PathLike = ...) -> Band: ...
def restore(song: Song, *, model: str | os.PathLike = ..., progress: bool = ...) -> Song: ...
def generate(
    *,
    model: str | os.PathLike = ...,
    songs: int = ...,
    bars: int | None = ...,
    phrases: int | None = ...,
    seed: int = ...,
    temperature: float = ...,
    tempo: float = ...,
    progress: bool = ...,
) -> list[Multitrack]: ...
