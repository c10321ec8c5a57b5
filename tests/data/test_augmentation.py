import numpy as np
import pytest
import tensorflow as tf

from msw2.data import augmentation


def transposed(phrases, semitones):
    return augmentation.transpose_phrases(phrases, semitones).numpy()


SEED = tf.constant([1, 2], tf.int64)


def test_transposition_by_hand():
    cells = np.zeros((5, 2, 6), np.uint8)
    cells[0, 0, 2] = cells[0, 1, 4] = 1  # two up: only one is free
    cells[1, 1, 1] = 1  # two down: only one is free
    cells[2, 0, [0, 5]] = 1  # no way to go
    cells[3, 1, 2] = 1  # three up
    expected = np.zeros_like(cells)  # bar 4 is silent
    expected[0, 0, 3] = expected[0, 1, 5] = 1
    expected[1, 1, 0] = 1
    expected[2] = cells[2]
    expected[3, 1, 5] = 1
    found = augmentation.transpose(tf.constant(cells), tf.constant([2, -2, 3, 3, 4]))
    assert np.array_equal(found, expected)


def test_transposition_loses_no_note():
    rng = np.random.default_rng(1)
    cells = (rng.random((200, 8, 12)) < 0.03).astype(np.uint8)
    shifts = rng.integers(-11, 12, 200).astype(np.int32)
    found = augmentation.transpose(tf.constant(cells), tf.constant(shifts)).numpy()
    assert np.array_equal(found.sum(axis=2), cells.sum(axis=2))
    for before, after, shift in zip(cells, found, shifts, strict=True):
        pitches = np.flatnonzero(before.any(axis=0))
        if len(pitches):
            moved = np.flatnonzero(after.any(axis=0)) - pitches
            assert len(set(moved)) == 1
            assert moved[0] == np.clip(shift, -pitches[0], 11 - pitches[-1])


def filled(bars=400):
    """Bar i is all ones where i is odd, all zeros where it is even; [bar, step 8, pitch 5]."""
    return np.repeat(np.arange(bars) % 2, 40).reshape(bars, 8, 5).astype(np.uint8)


def test_mixed_bars_end_in_another_bar_from_a_beat_on():
    cells = filled()
    mixed = augmentation.mix(cells, 1.0, is_drum=np.zeros(len(cells), bool), beat=2, seed=SEED).numpy()
    cuts = []
    for before, after in zip(cells, mixed, strict=True):
        own = (after == before).all(axis=1)
        cut = int(own.sum())
        assert (after[:cut] == before[0, 0]).all()
        assert (after[cut:] == 1 - before[0, 0]).all()
        cuts.append(cut)
    counts = np.bincount(cuts, minlength=9)
    assert np.flatnonzero(counts).tolist() == [2, 4, 6]  # beats of two steps
    assert counts[[2, 4, 6]].min() > 90


def test_drums_are_also_mixed_by_instruments():
    cells = filled()
    mixed = augmentation.mix(cells, 1.0, is_drum=np.ones(len(cells), bool), beat=2, seed=SEED).numpy()
    replaced = mixed != cells
    by_instrument = (replaced == replaced[:, :1]).all(axis=(1, 2))
    by_beat = (replaced == replaced[:, :, :1]).all(axis=(1, 2))
    assert (by_instrument | by_beat).all()
    assert 130 < (by_instrument & ~by_beat).sum() < 270
    assert replaced[by_instrument].mean() == pytest.approx(0.5, abs=0.08)


def test_the_share_of_mixed_bars():
    cells = filled(2000)
    for share in (0.0, 0.25):
        mixed = augmentation.mix(cells, share, is_drum=np.zeros(len(cells), bool), beat=2, seed=SEED).numpy()
        assert (mixed != cells).any(axis=(1, 2)).mean() == pytest.approx(share, abs=0.04)


def test_a_unit_is_mixed_with_the_one_before_it_of_its_kind():
    is_drum = np.array([1, 0, 0, 1, 0, 1, 1], bool)
    before = [6, 4, 1, 0, 2, 3, 5]
    # Each unit says in every cell which one it is.
    cells = np.broadcast_to(np.arange(7, dtype=np.uint8)[:, None, None], (7, 8, 5))
    mixed = augmentation.mix(cells, 1.0, is_drum=is_drum, beat=2, seed=SEED).numpy()
    for unit, other in enumerate(before):
        assert set(np.unique(mixed[unit])) == {unit, other}
        if not is_drum[unit]:
            assert (mixed[unit, :2] == unit).all()
            assert (mixed[unit, 6:] == other).all()


def test_a_longer_unit_is_cut_at_all_of_its_beats():
    cells = filled(900)
    pitched = np.zeros(900, bool)
    mixed = augmentation.mix(cells, 1.0, is_drum=pitched, beat=1, seed=SEED).numpy()
    cuts = (mixed == cells).all(axis=2).sum(axis=1)
    assert np.flatnonzero(np.bincount(cuts)).tolist() == [1, 2, 3, 4, 5, 6, 7]


PHRASES = (3, 2, 4, 7, 5)  # phrase, bar, step, pitch, track


def phrases_of(*places):
    phrases = np.zeros(PHRASES, bool)
    for place in places:
        phrases[place] = True
    return phrases


def test_pitched_tracks_move_and_drums_stay():
    before = phrases_of((0, 0, 1, 2, 0), (0, 0, 1, 2, 1), (0, 1, 3, 4, 3), (2, 1, 0, 0, 4))
    up = phrases_of((0, 0, 1, 2, 0), (0, 0, 1, 4, 1), (0, 1, 3, 6, 3), (2, 1, 0, 2, 4))
    assert np.array_equal(transposed(before, 2), up)


def test_a_phrase_moves_as_one_and_only_as_far_as_its_outermost_note_can():
    # Phrase 0: piano at 2, strings at 5: three up becomes one up, for both and in every bar.
    # Phrase 1, on its own, has room for all three.
    before = phrases_of((0, 0, 0, 2, 1), (0, 1, 2, 5, 4), (1, 0, 3, 1, 2))
    after = phrases_of((0, 0, 0, 3, 1), (0, 1, 2, 6, 4), (1, 0, 3, 4, 2))
    assert np.array_equal(transposed(before, 3), after)
    down = phrases_of((0, 0, 0, 0, 1), (0, 1, 2, 3, 4), (1, 0, 3, 0, 2))
    assert np.array_equal(transposed(before, -3), down)


def test_drums_neither_move_nor_hold_the_others_back():
    before = phrases_of((0, 0, 0, 6, 0), (0, 0, 0, 0, 0), (0, 0, 0, 3, 2))
    after = phrases_of((0, 0, 0, 6, 0), (0, 0, 0, 0, 0), (0, 0, 0, 5, 2))
    assert np.array_equal(transposed(before, 2), after)


def test_silence_stays_silence_and_zero_changes_nothing():
    assert not transposed(phrases_of(), 5).any()
    before = np.random.default_rng(0).random(PHRASES) < 0.3
    assert np.array_equal(transposed(before, 0), before)


@pytest.mark.parametrize("semitones", [-12, -6, -3, -1, 1, 2, 6, 12])
def test_no_note_is_lost_and_intervals_are_kept(semitones):
    rng = np.random.default_rng(semitones + 100)
    before = np.zeros((20, 2, 4, 11, 5), bool)
    before[:, :, :, 3:8] = rng.random((20, 2, 4, 5, 5)) < 0.1
    untouched = before.copy()
    after = transposed(before, semitones)
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
