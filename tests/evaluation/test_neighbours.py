import numpy as np

from msw2.data import packing
from msw2.evaluation.neighbours import copied, transposed
from msw2.music.grid import Grid

GRID = Grid(bars=2, steps=16, pitches=22, lowest_pitch=26, beat_resolution=4)
DRUMS, PIANO, GUITAR, BASS, STRINGS = range(5)


def phrase(*notes):
    """Notes are (track, pitch, bar, step)."""
    cells = np.zeros((2, 16, 22, 5), bool)
    for track, pitch, bar, step in notes:
        cells[bar, step : step + 2, pitch, track] = True
    return cells


def without(*tracks):
    given = np.ones((2, 5), bool)
    given[:, tracks] = False
    return given


HERE = phrase((PIANO, 9, 0, 0), (PIANO, 12, 1, 4), (DRUMS, 3, 0, 8), (BASS, 5, 0, 0))


def test_the_track_of_the_nearest_context_is_copied_in_its_transposition():
    near = phrase((PIANO, 11, 0, 0), (PIANO, 14, 1, 4), (DRUMS, 3, 0, 8), (BASS, 2, 1, 2), (BASS, 19, 1, 2))
    far = phrase((PIANO, 9, 0, 0), (BASS, 5, 0, 0))  # its bass is right, but is not to be looked at
    found = copied(HERE[None], without(BASS), packing.pack(np.stack([far, near])), GRID)
    # Two semitones lower; the bass of HERE has no say.
    expected = phrase(
        (PIANO, 9, 0, 0), (PIANO, 12, 1, 4), (DRUMS, 3, 0, 8), (BASS, 0, 1, 2), (BASS, 17, 1, 2)
    )
    assert (found == expected).all()


def test_only_phrases_whose_hidden_part_sounds_are_copied():
    same = phrase((PIANO, 9, 0, 0), (PIANO, 12, 1, 4), (DRUMS, 3, 0, 8))
    other = phrase((PIANO, 9, 0, 0), (BASS, 8, 1, 1), (STRINGS, 4, 0, 1))
    found = copied(HERE[None], without(BASS), packing.pack(np.stack([same, other])), GRID)
    assert (found[0, ..., BASS] == other[..., BASS]).all()
    assert (found[0, ..., :BASS] == HERE[..., :BASS]).all()
    assert not found[..., STRINGS].any()  # given, and silent here
    assert not copied(HERE[None], without(BASS), packing.pack(same[None]), GRID)[..., BASS].any()


def test_bars_are_hidden_as_tracks_are():
    given = np.ones((2, 5), bool)
    given[1] = False
    near = phrase((PIANO, 9, 0, 0), (DRUMS, 3, 0, 8), (GUITAR, 6, 1, 3))
    found = copied(HERE[None], given, packing.pack(near[None]), GRID)
    assert (found[0, 0] == HERE[0]).all()
    assert (found[0, 1] == near[1]).all()


def test_what_leaves_the_axis_is_lost_and_drums_stay():
    cells = phrase((DRUMS, 0, 0, 0), (PIANO, 1, 0, 0), (PIANO, 20, 0, 4))
    assert (transposed(cells, -3) == phrase((DRUMS, 0, 0, 0), (PIANO, 17, 0, 4))).all()
    assert (transposed(cells, 2) == phrase((DRUMS, 0, 0, 0), (PIANO, 3, 0, 0))).all()
    assert (transposed(cells, 0) == cells).all()
