import numpy as np
import pytest

from msw2.evaluation import paths
from msw2.evaluation.results import ALL, Key
from msw2.music.grid import Grid

GRID = Grid(bars=2, steps=16, pitches=26, lowest_pitch=24, beat_resolution=4)  # pitch 0 is C
DRUMS, PIANO = range(2)


def path(*points):
    """Points are lists of (track, pitch, step, steps)."""
    cells = np.zeros((len(points), 2, 16, 26, 5), bool)
    for point, notes in zip(cells, points, strict=True):
        for track, pitch, step, steps in notes:
            point[0, step : step + steps, pitch, track] = True
    return cells


C, G, DRUM = (PIANO, 0, 0, 3), (PIANO, 7, 4, 3), (DRUMS, 5, 8, 1)
ONE = path([C], [C, DRUM], [G, DRUM], [G, DRUM])


def test_steps_are_what_changes():
    found = paths.measured(ONE, ONE[[0, -1]], GRID)
    cells, notes = [1 - 6 / 7, 1 - 2 / 8, 0], [1 - 2 / 3, 1 - 2 / 4, 0]
    angles = np.pi * np.array([7 / 6, 3 / 2, 2 / 3])
    fifth = np.sqrt((np.array([1, 1, 0.5]) ** 2 * 2 * (1 - np.cos(7 * angles))).sum())
    expected = [np.mean(cells), np.mean(notes), fifth / 3]
    assert found["mean_step"].pooled() == pytest.approx(expected)
    largest = [cells[1] / np.mean(cells), notes[1] / np.mean(notes), 3]
    assert found["largest_over_mean"].pooled() == pytest.approx(largest)
    assert found["steady"].pooled().tolist() == [0, 1, 0]
    assert found["notes_between"].pooled() == pytest.approx([2 / 1.5])


def test_the_ends_are_held_to_the_restorations():
    restored = path([C], [G, DRUM, (PIANO, 9, 0, 1)])
    found = paths.measured(ONE, restored, GRID)
    assert found["ends_exact"].pooled() == [0.5]
    assert found["ends_F1_notes"].pooled() == pytest.approx([2 * 3 / (4 + 3)])


def test_what_does_not_move_is_neither_steady_nor_not():
    still = paths.measured(path([C], [C], [C]), path([C], [C]), GRID)
    assert still["mean_step"].pooled().tolist() == [0, 0, 0]
    for name in ("steady", "largest_over_mean"):
        assert np.isnan(still[name].pooled()).all()


def test_pairs_and_draws_are_means():
    still, moving = (
        paths.measured(each, each[[0, -1]], GRID) for each in (path([C], [C], [C]), path([C], [G], [C]))
    )
    found = paths.judged([[still, moving], [moving, moving]], seed=0, resamples=20)
    assert found[Key("interpolate", "mean_step", "correct", "cells")].mean == 0.75
    assert found[Key("interpolate, seed 0", "mean_step", "correct", "notes")].mean == 0.5
    assert found[Key("interpolate", "steady", "correct", "key")].mean == 1
    assert found[Key("interpolate", "ends_exact", "correct", ALL)][:] == (1, 1, 1)
