"""What the page says of a song in numbers."""

import numpy as np

from msw2.cli.song_figures import likeness_figures, music_figures
from msw2.music.grid import Grid
from msw2.music.pianoroll import join_phrases

GRID = Grid()


def test_figures_are_of_notes_and_bars():
    phrases = np.zeros((2, 4, 48, 84, 5), bool)
    phrases[0, 0, :6, 40, 0] = True  # six hits of the drums
    phrases[0, 0, 40:, 30, 1] = True  # one note of the piano, over a bar line
    phrases[0, 1, :5, 30, 1] = True
    phrases[1, 2, 7:9, [50, 54, 57], 4] = True  # a chord of the strings
    assert music_figures(join_phrases(phrases), GRID) == {
        "notes a bar": 1.2,
        "bars with each track, %": "drums 12, piano 25, guitar 0, bass 0, strings 12",
    }


def test_likeness_is_of_notes_and_cells():
    given, made = np.zeros((2, 5 * 48, 84, 5), bool)
    given[0:4, 40, 3] = given[8:10, 41, 3] = True  # two notes of the bass, six cells
    made[0:2, 40, 3] = True  # one of them, and two of its cells
    assert likeness_figures(given, made, GRID) == {"F1 of notes, %": 66.7, "F1 of cells, %": 50.0}
    assert likeness_figures(made[:0], made[:0], GRID) == {}
