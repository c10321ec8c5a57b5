"""Songs to put on a page."""

import numpy as np
import pytest

from msw2.music.grid import Grid
from msw2.music.midi import midi_bytes
from msw2.music.tracks import TRACK_NAMES
from msw2.page.songs import Song, Version

GRID = Grid()
HOSTILE = "</script><script>alert(1)</script><!--\u2028&amp;'\""


def drawn(pitch=40, bars=2):
    """bool [step, pitch, track]: a piano note in the first bar, one of strings to the end."""
    cells = np.zeros((48 * bars, 84, len(TRACK_NAMES)), bool)
    cells[5:17, pitch, TRACK_NAMES.index("piano")] = True
    cells[20:, pitch + 7, TRACK_NAMES.index("strings")] = True
    return cells


def version(label, pitch=40, *, file="a.mid", tempo=120.0, **others):
    cells = drawn(pitch)
    return Version(label, cells, tempo, file, midi_bytes(cells, GRID, tempo), **others)


@pytest.fixture
def two_notes():
    """Returns `drawn`."""
    return drawn


@pytest.fixture
def hostile():
    """A text that is code where it is not escaped."""
    return HOSTILE


@pytest.fixture
def songs():
    """A song of two versions, and one whose every text is hostile."""
    return [
        Song("restored/a", (version("original"), version("restored", 43, facts={"F1": 0.5}))),
        Song(HOSTILE, (version(HOSTILE, 41, file=f"{HOSTILE}.mid", facts={HOSTILE: HOSTILE}),)),
    ]
