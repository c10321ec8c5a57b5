import dataclasses

import pytest

from msw2.music.grid import Grid


def test_default_is_the_grid_of_the_training_file():
    assert dataclasses.astuple(Grid()) == (4, 48, 84, 24, 12)
    assert Grid().phrase_shape == (4, 48, 84)


def test_pitches_may_reach_both_ends_of_midi():
    assert Grid(pitches=128, lowest_pitch=0).phrase_shape == (4, 48, 128)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"bars": 0}, "bars 0 is below 1"),
        ({"pitches": -3}, "pitches -3 is below 1"),
        ({"steps": 50}, "steps 50 is not 4 beats of beat_resolution 12"),
        ({"beat_resolution": 24}, "steps 48 is not 4 beats of beat_resolution 24"),
        ({"lowest_pitch": -1}, "pitches -1..82 do not lie in MIDI's 0..127"),
        ({"lowest_pitch": 45}, "pitches 45..128 do not lie in MIDI's 0..127"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes, message):
    with pytest.raises(ValueError, match=message):
        Grid(**sizes)
