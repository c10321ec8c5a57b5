import numpy as np

from msw2.evaluation.controls import NOISE, ONE_SONG, SHUFFLED, controls, shuffled
from msw2.music.grid import Grid
from msw2.music.notes import draw, runs

GRID = Grid(bars=3, steps=16, pitches=30, lowest_pitch=26, beat_resolution=4)
DRUMS, BASS = 0, 3


def test_noise_is_as_dense_and_one_song_is_the_longest():
    rng = np.random.default_rng(0)
    phrases = rng.random((40, 3, 16, 30, 5)) < [0.3, 0.01, 0, 0.05, 0.1]
    songs = np.array([3] * 9 + [1] * 20 + [7] * 11)
    found = controls(phrases, songs, GRID, seed=1)
    assert list(found) == [NOISE, ONE_SONG, SHUFFLED]
    assert all(each.shape == phrases.shape and each.dtype == bool for each in found.values())
    density = found[NOISE].mean(axis=(0, 1, 2, 3))
    assert np.allclose(density, phrases.mean(axis=(0, 1, 2, 3)), rtol=0.1)
    assert density[2] == 0
    assert (found[ONE_SONG] == phrases[[*range(9, 29)] * 2]).all()
    again, other = (controls(phrases, songs, GRID, seed=seed) for seed in (1, 2))
    assert (found[NOISE] == again[NOISE]).all()
    assert (found[SHUFFLED] == again[SHUFFLED]).all()
    assert (found[SHUFFLED] != other[SHUFFLED]).any()


def test_shuffled_notes_keep_their_histograms():
    # In a beat of its own, far apart in pitch: whatever the order, no two notes touch.
    phrase = np.zeros((48, 30, 5), bool)
    pitches, starts, ends = [2, 9, 16, 25], [1, 18, 22, 38], [2, 20, 23, 39]
    draw(phrase[..., BASS], np.array(pitches), np.array(starts), np.array(ends))
    phrase[[0, 3, 17], [5, 6, 5], DRUMS] = True
    seen = set()
    for seed in range(20):
        made = shuffled(phrase.reshape(1, 3, 16, 30, 5), GRID, np.random.default_rng(seed)).reshape(48, 30, 5)
        found, first, last = runs(made[..., BASS], False)
        assert sorted(found) == pitches
        assert sorted(first // 16) == [0, 1, 1, 2]
        assert sorted(first % 4) == [1, 2, 2, 2]
        assert sorted(last - first) == [1, 1, 1, 2]
        hits, steps, _ = runs(made[..., DRUMS], True)
        assert sorted(steps // 16) == [0, 0, 1]
        assert sorted(steps % 4) == [0, 1, 3]
        assert set(hits) == {5, 6}
        assert not made[..., [1, 2, 4]].any()
        seen.add((*found, *first, *last))
    assert len(seen) > 15


def test_a_note_that_would_pass_the_end_is_cut_there():
    phrase = np.zeros((48, 30, 5), bool)
    phrase[0:20, 3, BASS] = True
    phrase[47, 8, BASS] = True
    for seed in range(10):
        made = shuffled(phrase.reshape(1, 3, 16, 30, 5), GRID, np.random.default_rng(seed)).reshape(48, 30, 5)
        assert made[..., BASS].any(axis=0).sum() == 2
