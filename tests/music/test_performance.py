"""How notes are played, counted by hand."""

import numpy as np
import pytest

from msw2.music.grid import Grid
from msw2.music.performance import accents, play

GRID = Grid()
SMALL = Grid(bars=2, steps=16, pitches=7, lowest_pitch=60, beat_resolution=4)


def _cells(grid, bars, *notes):
    """bool [step, pitch] with notes (pitch, start, end)."""
    cells = np.zeros((bars * grid.steps, grid.pitches), bool)
    for pitch, start, end in notes:
        cells[start:end, pitch] = True
    return cells


def test_the_place_in_the_bar_makes_the_accent():
    starts = np.array([0, 12, 24, 36, 48, 6, 18, 42, 54, 1, 3, 4, 8, 23, 47])
    expected = [108, 98, 102, 98, 108, 88, 88, 88, 88, 78, 78, 78, 78, 78, 78]
    assert accents(starts, GRID).tolist() == expected
    assert accents(np.array([0, 4, 8, 12, 16, 2, 1, 3]), SMALL).tolist() == [
        108,
        98,
        102,
        98,
        108,
        88,
        78,
        78,
    ]


def test_notes_come_with_their_pitch_start_end_and_velocity():
    cells = _cells(GRID, 2, (5, 6, 12), (3, 0, 48), (3, 60, 61), (80, 95, 96))
    played = play(cells, False, GRID)
    assert played.pitches.tolist() == [3, 3, 5, 80]
    assert played.starts.tolist() == [0, 60, 6, 95]
    assert played.ends.tolist() == [48.0, 61.0, 12.0, 96.0]
    assert played.velocities.tolist() == [108, 98, 88, 78]
    flat = play(cells, False, GRID, flat=True)
    assert flat.velocities.tolist() == [96, 96, 96, 96]
    assert all((flat[axis] == played[axis]).all() for axis in range(3))


@pytest.mark.parametrize(("gap", "end"), [(1, 9.6), (2, 9.6), (3, 9.6), (4, 10.0), (12, 10.0)])
def test_a_note_is_let_go_early_if_its_pitch_comes_again_soon(gap, end):
    cells = _cells(GRID, 1, (4, 2, 10), (4, 10 + gap, 30), (5, 30, 32), (6, 31, 33))
    assert play(cells, False, GRID).ends.tolist() == [end, 30.0, 32.0, 33.0]


def test_soon_is_a_quarter_of_a_beat_on_every_grid():
    cells = _cells(SMALL, 1, (0, 0, 3), (0, 4, 5), (1, 0, 3), (1, 5, 6))
    assert play(cells, False, SMALL).ends.tolist() == [2.6, 5.0, 3.0, 6.0]


def test_each_drum_cell_is_a_hit():
    played = play(_cells(GRID, 1, (2, 11, 14)), True, GRID)
    assert played.starts.tolist() == [11, 12, 13]
    assert played.ends.tolist() == [11.6, 12.6, 14.0]
    assert played.velocities.tolist() == [78, 98, 78]


def test_silence_has_no_notes():
    assert [len(axis) for axis in play(_cells(GRID, 1), False, GRID)] == [0, 0, 0, 0]
