import numpy as np
import pytest

from msw2.music.transposition import transpose

SHAPE = (3, 2, 4, 7, 5)  # phrase, bar, step, pitch, track


def cells(*places):
    phrases = np.zeros(SHAPE, bool)
    for place in places:
        phrases[place] = True
    return phrases


def test_pitched_tracks_move_and_drums_stay():
    before = cells((0, 0, 1, 2, 0), (0, 0, 1, 2, 1), (0, 1, 3, 4, 3), (2, 1, 0, 0, 4))
    up = cells((0, 0, 1, 2, 0), (0, 0, 1, 4, 1), (0, 1, 3, 6, 3), (2, 1, 0, 2, 4))
    assert np.array_equal(transpose(before, 2), up)


def test_a_phrase_moves_as_one_and_only_as_far_as_its_outermost_note_can():
    # Phrase 0: piano at 2, strings at 5: three up becomes one up, for both and in every bar.
    # Phrase 1, on its own, has room for all three.
    before = cells((0, 0, 0, 2, 1), (0, 1, 2, 5, 4), (1, 0, 3, 1, 2))
    after = cells((0, 0, 0, 3, 1), (0, 1, 2, 6, 4), (1, 0, 3, 4, 2))
    assert np.array_equal(transpose(before, 3), after)
    down = cells((0, 0, 0, 0, 1), (0, 1, 2, 3, 4), (1, 0, 3, 0, 2))
    assert np.array_equal(transpose(before, -3), down)


def test_drums_neither_move_nor_hold_the_others_back():
    before = cells((0, 0, 0, 6, 0), (0, 0, 0, 0, 0), (0, 0, 0, 3, 2))
    after = cells((0, 0, 0, 6, 0), (0, 0, 0, 0, 0), (0, 0, 0, 5, 2))
    assert np.array_equal(transpose(before, 2), after)


def test_silence_stays_silence_and_zero_changes_nothing():
    assert not transpose(cells(), 5).any()
    before = np.random.default_rng(0).random(SHAPE) < 0.3
    assert np.array_equal(transpose(before, 0), before)


@pytest.mark.parametrize("semitones", [-12, -6, -3, -1, 1, 2, 6, 12])
def test_no_note_is_lost_and_intervals_are_kept(semitones):
    rng = np.random.default_rng(semitones + 100)
    before = np.zeros((20, 2, 4, 11, 5), bool)
    before[:, :, :, 3:8] = rng.random((20, 2, 4, 5, 5)) < 0.1
    untouched = before.copy()
    after = transpose(before, semitones)
    assert np.array_equal(before, untouched)
    assert after.shape == before.shape
    assert after.dtype == bool
    assert np.array_equal(after.sum(axis=3), before.sum(axis=3))
    for phrase in range(20):
        old, new = np.argwhere(before[phrase, ..., 1:]), np.argwhere(after[phrase, ..., 1:])
        moves = set(new[np.lexsort(new.T[[2, 3, 1, 0]]), 2] - old[np.lexsort(old.T[[2, 3, 1, 0]]), 2])
        assert len(moves) == 1
        move = moves.pop()
        edge = old[:, 2].min() if semitones < 0 else 10 - old[:, 2].max()
        assert abs(move) == min(abs(semitones), edge)
        assert move * semitones >= 0
