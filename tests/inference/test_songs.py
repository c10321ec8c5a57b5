"""Songs of any length: what is given stays, what is hidden has no influence, windows see what they should."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from msw2.inference.sampling import Sampler
from msw2.inference.songs import Composer, NoComposerError, SongFunctions, _arc
from msw2.models.prior import Prior

TRACKS = 5


@pytest.fixture(scope="module")
def composer(tiny_sandwich, tiny_config, tiny_prior):
    return Composer(tiny_sandwich, tiny_config, tiny_prior)


@pytest.fixture(scope="module")
def functions(tiny_sandwich, tiny_config, tiny_prior):
    return SongFunctions(tiny_sandwich, tiny_config, tiny_prior)


def song_of(bars, seed=0):
    return np.random.default_rng(seed).random((bars, 8, 6, TRACKS)) < 0.25


def mask_of(bars, seed=1, share=0.5):
    return np.random.default_rng(seed).random((bars, TRACKS)) < share


def chosen(song, mask):
    """Cells of the bars and tracks of a mask."""
    return np.moveaxis(song, -1, 1)[mask]


@pytest.fixture
def windows(composer, monkeypatch):
    """What the composer asks its graph for: (song, given, where, seed) of each window of `complete`."""
    seen, complete = [], composer._complete

    def look(song, given, where, seed, temperature):
        seen.append((song[0], given[0].copy(), where[0].tolist(), int(seed[0])))
        return complete(song, given, where, seed, temperature)

    monkeypatch.setattr(composer, "_complete", look)
    return seen


@pytest.mark.parametrize("bars", [1, 3, 64, 65, 100])
def test_given_bars_and_tracks_come_back_and_the_others_are_drawn(composer, bars):
    song, given = song_of(bars), mask_of(bars)
    made = composer.complete(song, given, seed=3)
    assert made.shape == song.shape
    assert made.dtype == bool
    assert np.array_equal(chosen(made, given), chosen(song, given))
    drawn = chosen(made, ~given)
    assert 0.02 < drawn.mean() < 0.98
    assert not np.array_equal(drawn, chosen(song, ~given))


def test_what_is_not_given_has_no_influence(composer):
    song, given = song_of(7), mask_of(7)
    other = np.where(given[:, None, None], song, ~song)
    assert np.array_equal(composer.complete(song, given, seed=3), composer.complete(other, given, seed=3))


def test_what_is_given_has_influence_on_every_bar_and_track(composer):
    song, given = song_of(6), np.zeros((6, TRACKS), bool)
    given[2, 1] = True
    other = song.copy()
    other[2, :, :, 1] = ~song[2, :, :, 1]
    drawn = [composer.complete(each, given, seed=3) for each in (song, other)]
    changed = (drawn[0] != drawn[1]).any(axis=(1, 2))
    assert changed[:, [0, 2, 3, 4]].any()  # another track than the one that was given


def test_the_seed_and_the_temperature_make_the_song(composer):
    song, nothing = song_of(4), np.zeros((4, TRACKS), bool)
    first, again, other = (composer.complete(song, nothing, seed=seed) for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    cold = [composer.complete(song, nothing, seed=seed, temperature=0.0) for seed in (5, 6)]
    assert np.array_equal(*cold)
    assert not np.array_equal(cold[0], first)


def test_the_largest_seed_will_do_for_a_long_song(composer):
    made = composer.complete(song_of(66), np.zeros((66, TRACKS), bool), seed=2**63 - 1)
    assert made.shape == (66, 8, 6, TRACKS)


def test_a_song_all_of_which_is_given_is_not_drawn(composer, windows):
    song = song_of(5)
    assert np.array_equal(composer.complete(song, np.ones((5, TRACKS), bool), seed=0), song)
    assert composer.complete(song[:0], np.ones((0, TRACKS), bool), seed=0).shape == (0, 8, 6, TRACKS)
    assert windows == []


def test_a_long_song_is_drawn_in_windows_that_begin_with_what_is_drawn(composer, windows):
    made = composer.complete(song_of(99), np.zeros((99, TRACKS), bool), seed=7)
    assert [where for _, _, where, _ in windows] == [[0, 99], [32, 99], [36, 99]]
    assert [len(song) for song, *_ in windows] == [64, 64, 64]
    for known, (song, given, (start, _), seed) in zip((0, 32, 60), windows, strict=True):
        assert given[:known].all()
        assert not given[known:].any()
        assert np.array_equal(song[:known], made[start : start + known])
        assert seed == 7 + (start << 32)


def test_a_gap_is_drawn_with_what_is_before_and_after_it(composer, windows):
    song, given = song_of(100), np.ones((100, TRACKS), bool)
    given[61:67, 2] = False
    made = composer.complete(song, given, seed=7)
    ((seen, known, where, _),) = windows
    assert where == [28, 100]
    assert np.array_equal(known, given[28:92])
    assert np.array_equal(np.where(known[:, None, None], seen, song[28:92]), song[28:92])
    assert np.array_equal(chosen(made, given), chosen(song, given))


def test_gaps_far_apart_have_windows_of_their_own(composer, windows):
    given = np.ones((200, TRACKS), bool)
    given[3] = given[70] = given[199] = False
    composer.complete(song_of(200), given, seed=1)
    assert [where for _, _, where, _ in windows] == [[0, 200], [38, 200], [136, 200]]


def test_songs_of_a_batch_are_those_that_each_is_alone(functions):
    songs, given = np.stack([song_of(6, 1), song_of(6, 2)]), np.stack([mask_of(6, 3), mask_of(6, 4)])
    where, seeds = np.int32([[0, 6], [2, 20]]), np.int64([5, 6])
    heat = np.float32([1.0, 0.5])
    together = functions.complete(songs, given, where, seeds, heat).numpy()
    varied = functions.vary(songs, np.float32([0.2, 0.7]), seeds).numpy()
    for row in range(2):
        one = slice(row, row + 1)
        alone = functions.complete(songs[one], given[one], where[one], seeds[one], heat[one])
        assert np.array_equal(alone[0], together[row])
        alone = functions.vary(songs[one], np.float32([[0.2, 0.7][row]]), seeds[one])
        assert np.array_equal(alone[0], varied[row])


def test_a_window_knows_its_place_in_the_song(functions):
    cells = tf.zeros([2, 4, 8, 6, TRACKS], tf.bool)
    found = functions._places(cells, np.int32([[0, 4], [30, 33]])).numpy()
    before, after = [[0, 1, 2, 3], [30, 31, 32, 33]], [[3, 2, 1, 0], [2, 1, 0, 0]]
    expected = np.exp(-np.stack([before, after], axis=-1) / 8.0)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def written(made, song):
    """bool [bar, track]: which bars of tracks are no longer those of a song."""
    return (made != song).any(axis=(1, 2))


@pytest.mark.parametrize("bars", [1, 3, 100])
def test_a_variation_writes_nothing_anew_or_all(composer, bars):
    song, nothing = song_of(bars), np.zeros((bars, TRACKS), bool)
    assert np.array_equal(composer.vary(song, 0.0, seed=1), song)
    made = composer.vary(song, 1.0, seed=1)
    assert written(made, song).all()
    if bars < 64:  # in one window, it is a song of its own
        assert np.array_equal(made, composer.complete(song, nothing, seed=1))


def test_a_variation_writes_a_share_of_each_track_and_leaves_the_rest_as_it_is(composer):
    song = song_of(60)
    some, more = (composer.vary(song, amount, seed=1) for amount in (0.25, 0.75))
    assert some.dtype == bool
    changed = written(some, song)
    assert 0.2 < changed.mean() < 0.3
    assert (changed.mean(axis=0) > 0.1).all()
    assert (changed.mean(axis=0) < 0.4).all()
    # It is as if these bars had been hidden.
    assert np.array_equal(some, composer.complete(song, ~changed, seed=1))
    hidden = np.where(changed[:, None, None], ~song, song)
    assert np.array_equal(some, composer.vary(hidden, 0.25, seed=1))
    # More takes in what less does.
    assert 0.7 < written(more, song).mean() < 0.8
    assert (written(more, song) | ~changed).all()


def test_the_seed_makes_the_variation(composer):
    song = song_of(40)
    first, again, other = (composer.vary(song, 0.3, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(written(first, song), written(other, song))


def test_a_variation_of_a_long_song_has_its_begin_and_its_end_where_the_song_has(composer, monkeypatch):
    seen, vary = [], composer._vary

    def look(song, amount, seed, where):
        seen.append((song.shape[1], where.tolist(), int(seed[0])))
        return vary(song, amount, seed, where)

    monkeypatch.setattr(composer, "_vary", look)
    composer.vary(song_of(99), 0.5, seed=4)
    assert seen == [(64, [[0, 99]], 4), (36, [[64, 99]], 4 + (64 << 32))]


def test_a_path_leads_from_one_restored_phrase_to_the_other(composer, tiny_sandwich, tiny_config, tiny_prior):
    first, second = song_of(2, 8), song_of(2, 9)
    restored = Sampler(tiny_sandwich, tiny_config, tiny_prior).restore(np.stack([first, second]))
    made = composer.between(first, second, 5, seed=3)
    assert made.shape == (5, 2, 8, 6, TRACKS)
    assert made.dtype == bool
    assert np.array_equal(made[[0, -1]], restored)
    assert len({point.tobytes() for point in made}) >= 3
    ways = [(made != end).mean(axis=(1, 2, 3, 4)) for end in restored]
    assert (np.diff(ways[0]) >= 0).all()
    assert (np.diff(ways[1]) <= 0).all()
    assert np.array_equal(made[::-1], composer.between(second, first, 5, seed=4))  # nothing is drawn


def test_a_path_keeps_to_the_arc_between_latents():
    first, second = tf.constant([[[3.0, 0.0]]]), tf.constant([[[0.0, 1.0]]])
    points = [_arc(first, second, share).numpy()[0, 0] for share in (0.0, 1 / 3, 1.0)]
    # A third of the right angle is 30 degrees, and each end keeps its length.
    np.testing.assert_allclose(points, [[3, 0], [3 * 3**0.5 / 2, 0.5], [0, 1]], atol=1e-6)


def test_a_prior_of_phrases_composes_nothing(tiny_sandwich, tiny_config):
    config = dataclasses.replace(tiny_config, prior="gaussian")
    with pytest.raises(
        NoComposerError, match=r"^the prior 'gaussian' of this model has learnt phrases, not songs: "
    ):
        Composer(tiny_sandwich, config, Prior.isotropic(2, 4, 1.0))
