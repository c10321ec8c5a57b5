import numpy as np

from msw2.data import packing
from msw2.music.grid import Grid

ODD = Grid(bars=2, steps=4, pitches=3, lowest_pitch=60, beat_resolution=1)  # 24 cells: three bytes


def test_pack_is_bar_step_pitch_with_the_first_cell_in_the_highest_bit():
    phrases = np.zeros((2, 2, 4, 3, 5), bool)
    phrases[0, 0, 0, 0, 1] = True  # cell 0 of piano
    phrases[1, 0, 2, 2, 1] = True  # cell 2 * 3 + 2 = 8
    phrases[1, 1, 3, 2, 4] = True  # cell 12 + 3 * 3 + 2 = 23
    packed = packing.pack(phrases)
    assert packed.dtype == np.uint8
    assert packed.shape == (2, 5, 3)
    assert packed[0, 1].tolist() == [128, 0, 0]
    assert packed[1, 1].tolist() == [0, 128, 0]
    assert packed[1, 4].tolist() == [0, 0, 1]
    assert packed.sum(dtype=int) == 257


def test_unpack_undoes_pack():
    for grid in (
        ODD,
        Grid(bars=3, steps=8, pitches=5, lowest_pitch=60, beat_resolution=2),
    ):  # 120 and 24 cells
        phrases = np.random.default_rng(0).random((4, *grid.phrase_shape, 5)) < 0.5
        assert np.array_equal(packing.unpack(packing.pack(phrases), grid), phrases)
    uneven = Grid(
        bars=1, steps=4, pitches=3, lowest_pitch=60, beat_resolution=1
    )  # 12 cells: half a byte over
    phrases = np.random.default_rng(0).random((4, *uneven.phrase_shape, 5)) < 0.5
    assert packing.pack(phrases).shape == (4, 5, packing.bytes_per_track(uneven)) == (4, 5, 2)
    assert np.array_equal(packing.unpack(packing.pack(phrases), uneven), phrases)


def test_the_default_phrase_is_2016_bytes_a_track():
    assert packing.bytes_per_track(Grid()) == 2016


def test_summarise_counts_cells_and_sounding_bars_over_chunks():
    phrases = np.zeros((3, 2, 4, 3, 5), bool)
    phrases[0, 0, :2, 1, 3] = True
    phrases[0, 1, 0, 1, 3] = True
    phrases[2, 1, 3, 2, 0] = True
    found = packing.summarise([phrases[:2], phrases[2:]], np.array([0, 4, 8]), 90.0, ODD)
    assert len(found) == 3
    assert np.array_equal(found.packed, packing.pack(phrases))
    assert found.cells.tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0], [0, 3, 0], [0, 0, 0]]
    assert found.sounding_bars.tolist() == [1, 0, 0, 2, 0]
