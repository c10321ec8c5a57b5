import numpy as np
import pytest

from msw2.music import coherence
from msw2.music.grid import Grid

GRID = Grid(bars=2, steps=16, pitches=26, lowest_pitch=24, beat_resolution=4)  # pitch 0 is C
DRUMS, PIANO, GUITAR, BASS, STRINGS = range(5)


def silence(songs=1, bars=6):
    return np.zeros((songs, bars, 16, 26, 5), bool)


def counts(ratio):
    return ratio.numerator.tolist(), ratio.denominator.tolist()


def test_bars_are_alike_by_the_cells_that_both_have():
    song = silence(bars=5)
    song[0, 0, :4, 7, BASS] = True  # four cells
    song[0, 1, 2:5, 7, BASS] = True  # two of these and another
    song[0, 1, 0, 3, DRUMS] = True  # the same pitch and step in another track is another cell
    song[0, 2, 0, 3, PIANO] = True
    song[0, 4, :2, 7, BASS] = True
    found = coherence.bar_similarity(song, (1, 2, 4, 5))
    # 0-1: 2 of 6. 1-2 and 2-3, 3-4: nothing in common. 0-2, 2-4: nothing; 1-3: nothing; 0-4: 2 of 4. No bars 5 apart.
    assert counts(found) == ([[2 / 6, 0, 0.5, 0]], [[4, 3, 1, 0]])
    assert np.isnan(found.pooled()[3])


def test_two_silent_bars_do_not_count():
    song = silence(songs=2, bars=4)
    song[1, 2:, 5, 5, STRINGS] = True
    assert counts(coherence.bar_similarity(song, (1,))) == ([[0], [1]], [[0], [2]])


def test_across_a_seam_one_bar_is_before_it_and_one_after():
    song = silence(bars=6)
    for bar, pitch in enumerate((1, 2, 1, 1, 2, 9)):
        song[0, bar, 0, pitch, GUITAR] = True
    # Seam 3: at distance 1 the pair (2, 3); at 3 the pairs (0, 3), (1, 4), (2, 5); at 5 (0, 5); at 4 (0, 4), (1, 5).
    found = coherence.bar_similarity(song, (1, 3, 4, 5, 7), seam=3)
    assert counts(found) == ([[1, 2, 0, 0, 0]], [[1, 3, 2, 1, 0]])
    # Seam 2: at distance 1 the pair (1, 2), at 3 (0, 3) and (1, 4).
    assert counts(coherence.bar_similarity(song, (1, 3), seam=2)) == ([[0, 2]], [[1, 2]])


def test_keys_are_of_phrases_with_pitched_cells():
    song = silence(songs=1, bars=10)
    c_major, d_major = (0, 4, 7, 11, 12), (2, 6, 9, 13, 14)
    song[0, 0, 3, c_major, PIANO] = True
    song[0, 3, 5, c_major, STRINGS] = True  # the second phrase
    song[0, 4, 5, d_major, BASS] = True
    song[0, 6:8, 5, c_major, DRUMS] = True  # no key
    song[0, 9, 5, d_major, GUITAR] = True
    # (C, C), (C, D); the pairs with the phrase of drums alone do not count.
    assert counts(coherence.same_keys(song, GRID)) == ([[1]], [[2]])


def test_sounding_tracks_and_notes_are_counted_a_bar():
    song = silence(songs=2, bars=4)
    song[1, 0, :, 3, BASS] = song[1, 1, :4, 3, BASS] = True  # one note, across the bar line
    song[1, 1, 6:8, 3, BASS] = True
    song[1, 1, 6:8, 3, DRUMS] = True  # two notes
    assert counts(coherence.sounding_tracks(song)) == ([[0], [3]], [[4], [4]])
    assert counts(coherence.notes_each_bar(song)) == ([[0] * 5, [2, 0, 0, 2, 0]], [[4] * 5] * 2)


def test_onsets_coincide_step_by_step():
    song = silence(bars=2)
    song[0, 0, 2:5, 3, BASS] = True
    song[0, 0, 2:5, 10, BASS] = True  # one step, though two notes
    song[0, 1, 0, 3, BASS] = song[0, 1, 8, 3, BASS] = True
    song[0, 0, 2:4, 7, DRUMS] = True  # the second hit is where the bass holds
    song[0, 1, 8, 1, DRUMS] = song[0, 1, 12, 1, DRUMS] = True
    assert counts(coherence.onsets_together(song, BASS, DRUMS)) == ([[2]], [[3]])
    assert counts(coherence.onsets_together(song, DRUMS, BASS)) == ([[2]], [[4]])
    assert np.isnan(coherence.onsets_together(song, GUITAR, DRUMS).pooled()[0])


def test_a_phrase_must_be_whole():
    with pytest.raises(ValueError, match="reshape"):
        coherence.same_keys(silence(bars=5), GRID)
