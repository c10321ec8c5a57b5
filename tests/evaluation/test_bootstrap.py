"""Songs are drawn, with all their phrases."""

import numpy as np
import pytest

from msw2.evaluation.bootstrap import resample
from msw2.music import metrics

NAN = np.nan
SONGS = np.array(list("ccabbbbca"))  # of 3, 2 and 4 phrases, not one after another


def random_phrases(number, seed):
    return np.random.default_rng(seed).random((number, 3, 16, 14, 5)) < 0.05


def test_resampling_counts_equals_measuring_resampled_phrases():
    phrases = random_phrases(9, seed=3)
    sample = resample({"QN": metrics.qualified_note_rate(phrases)}, seed=5, resamples=40)["QN"]
    drawn = np.random.default_rng(5).multinomial(9, [1 / 9] * 9, 40)
    expected = [metrics.qualified_note_rate(np.repeat(phrases, counts, axis=0)).pooled() for counts in drawn]
    np.testing.assert_allclose(sample.draws, expected)
    np.testing.assert_allclose(sample.interval(), np.quantile(expected, [0.025, 0.975], axis=0))


def test_a_song_is_drawn_with_all_its_phrases():
    phrases = random_phrases(9, seed=3)
    sample = resample({"QN": metrics.qualified_note_rate(phrases)}, 5, 40, SONGS)["QN"]
    drawn = np.random.default_rng(5).multinomial(3, [1 / 3] * 3, 40)
    expected = []
    for counts in drawn:
        music = [phrases[np.flatnonzero(name == SONGS)] for name in np.repeat(list("abc"), counts)]
        expected.append(metrics.qualified_note_rate(np.concatenate(music)).pooled())
    np.testing.assert_allclose(sample.draws, expected)
    np.testing.assert_allclose(sample.value, metrics.qualified_note_rate(phrases).pooled())


def test_phrases_that_repeat_their_song_make_no_interval_narrower():
    # 40 songs of ten phrases that are all alike: a quarter of the songs is silent.
    silent = metrics.ratio(np.repeat(np.arange(40) < 10, 10)[:, None], 1)
    songs = np.repeat(np.arange(40), 10)
    by_song, by_phrase = (
        resample({"": silent}, 1, 4000, each)[""].interval()[:, 0] for each in (songs, None)
    )
    half = 1.96 * np.sqrt(0.25 * 0.75 / 40)
    assert by_song == pytest.approx([0.25 - half, 0.25 + half], abs=0.02)
    assert np.ptp(by_phrase) == pytest.approx(2 * half / np.sqrt(10), rel=0.1)


def test_a_song_counts_by_its_notes():
    # Shares pool: of song a 1 of 1, of song b 0 of 9.
    pooled = resample({"": metrics.ratio([[1], [0], [0]], [[1], [4], [5]])}, 2, 300, np.array(list("abb")))[
        ""
    ]
    assert pooled.value == [0.1]
    assert set(np.round(pooled.draws[:, 0], 9)) == {0, 0.1, 1}


def test_a_song_alone_has_a_value_and_no_interval():
    shares = {"": metrics.ratio([[1], [0]], [[1], [1]], silence=0.0)}
    alone = resample(shares, 2, 30, np.array(["a", "a"]))[""]
    assert alone.value == [0.5]
    np.testing.assert_equal(alone.interval(), [[NAN], [NAN]])
    assert not np.isnan(resample(shares, 2, 30, np.array(["a", "b"]))[""].interval()).any()


def test_every_phrase_needs_its_song():
    with pytest.raises(ValueError, match="songs of 8 phrases are given for 9 phrases"):
        resample({"": metrics.empty_bar_rate(random_phrases(9, seed=1))}, 1, 2, SONGS[:8])
