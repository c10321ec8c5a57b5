"""Short songs for the tests of sound. A bar at 240 beats a minute takes one second."""

import numpy as np
import pytest

from msw2.music.grid import Grid

GRID = Grid()
TEMPO = 240.0
DRUMS, PIANO, GUITAR, BASS, STRINGS = range(5)


@pytest.fixture(scope="session")
def song():
    """bool [step, pitch, track]: two bars; each track plays something else."""
    pianoroll = np.zeros((96, 84, 5), bool)
    pianoroll[::12, 12, DRUMS] = True
    pianoroll[6::12, 18, DRUMS] = True
    pianoroll[:40, [36, 40, 43], PIANO] = True
    pianoroll[52:96, 45, PIANO] = True
    pianoroll[24:44, 31, GUITAR] = True
    pianoroll[::, 12, BASS] = np.arange(96) % 12 < 10
    pianoroll[0:90, 48, STRINGS] = True
    return pianoroll
