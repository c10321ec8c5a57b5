import numpy as np
import pytest

from msw2.music import features, ordering
from msw2.music.aspects import NAMES, aspects, tones
from msw2.music.grid import Grid

GRID = Grid(bars=3, steps=16, pitches=26, lowest_pitch=26, beat_resolution=4)  # pitch 0 is D
RNG = np.random.default_rng(5)
PHRASES = RNG.random((9, 3, 16, 26, 5)) < [0.05, 0.01, 0, 0.02, 0.2]


def test_each_aspect_has_its_components():
    found = aspects(PHRASES, GRID)
    assert list(found) == list(NAMES) == ["texture", "tones", "order"]
    assert {name: each.shape for name, each in found.items()} == {
        name: (9, len(names)) for name, names in NAMES.items()
    }
    assert [len(names) for names in NAMES.values()] == [33, 12, 24]
    assert (found["order"] == ordering.order_features(PHRASES, GRID)).all()
    texture = dict(zip(NAMES["texture"], found["texture"].T, strict=True))
    every = dict(zip(features.NAMES, features.features(PHRASES, GRID).T, strict=True))
    for name, values in texture.items():
        assert (values == every[name]).all(), name
    assert "strings_cells" in texture
    assert "drums_cells" not in texture
    assert "drums_sixteenth_2" in texture


def test_tones_are_shares_of_the_cells_of_all_pitched_tracks():
    phrase = np.zeros((2, 3, 16, 26, 5), bool)
    phrase[0, 0, :6, 0, 1] = True  # D, six cells
    phrase[0, 1, :3, 16, 3] = True  # F sharp above the octave, three
    phrase[0, 2, 4, 7, 4] = True  # A
    phrase[0, 2, 4, 8, 0] = True  # drums have no tone
    found = tones(phrase, GRID)
    # D major holds all, as do G and A major; D sounds most.
    assert found[0] == pytest.approx([0.6, 0, 0, 0, 0.3, 0, 0, 0.1, 0, 0, 0, 0])
    assert not found[1].any()
    assert tones(phrase[:0], GRID).shape == (0, 12)


def test_tones_do_not_depend_on_the_key_or_on_other_phrases(monkeypatch):
    low = PHRASES.copy()
    low[:, :, :, 22:] = False
    moved = np.roll(low, 4, axis=3)
    assert tones(moved, GRID) == pytest.approx(tones(low, GRID))
    monkeypatch.setattr("msw2.music.aspects._CHUNK", 4)
    assert tones(moved, GRID) == pytest.approx(tones(low, GRID))
