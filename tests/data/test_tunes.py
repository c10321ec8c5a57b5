"""Hand-made songs: what is one tune, and what is not."""

import numpy as np
import pytest

from msw2.data.tunes import telling_bars, tunes_of
from msw2.music.grid import Grid

GRID = Grid()
PIANO, GUITAR, BASS = 1, 2, 3


def _melody(bars, seed):
    """[(bar, step, height)]: eight starts a bar, of at least three pitches."""
    rng = np.random.default_rng(seed)
    return [
        (bar, step, height)
        for bar in range(bars)
        for step, height in zip(range(0, 48, 6), [0, 4, 7, *rng.integers(0, 12, 5)], strict=True)
    ]


def _song(bars, parts, drums=6):
    """bool [step, pitch, track]: parts are (track, lowest pitch, melody, length of a note)."""
    pianoroll = np.zeros((bars * 48, 84, 5), bool)
    pianoroll[::drums, 12, 0] = True
    for track, lowest, melody, length in parts:
        for bar, step, height in melody:
            start = 48 * bar + step
            pianoroll[start : start + length, lowest + height, track] = True
    return pianoroll


def _tunes(*songs):
    return tunes_of("abcdefgh"[: len(songs)], [telling_bars(song, GRID) for song in songs])


def test_a_tune_is_found_in_another_key_with_other_drums_lengths_and_accompaniment():
    tune = _melody(8, 0)
    here = _song(8, [(PIANO, 30, tune, 5), (GUITAR, 40, _melody(8, 1), 5)])
    there = _song(8, [(PIANO, 33, tune, 2), (GUITAR, 44, _melody(8, 2), 3)], drums=9)
    assert _tunes(here, there) == ["a", "a"]


def test_a_tune_is_found_with_its_notes_on_another_track_or_on_two():
    tune = _melody(8, 0)
    here = _song(8, [(PIANO, 30, tune, 5)])
    elsewhere = _song(8, [(GUITAR, 30, tune, 5)])
    shared = _song(8, [(PIANO, 30, tune[::2], 5), (GUITAR, 30, tune[1::2], 5)])
    assert _tunes(here, elsewhere, shared) == ["a", "a", "a"]


def test_other_tunes_over_the_same_bass_of_few_notes_are_not_joined():
    bass = [(bar, step, 0) for bar in range(8) for step in range(0, 48, 6)]  # eight starts of one pitch
    chords = [(bar, 0, height) for bar in range(8) for height in (0, 3, 7, 10, 14)]  # five starts
    songs = [
        _song(8, [(BASS, 10, bass, 5), (GUITAR, 30, chords, 40), (PIANO, 40, _melody(8, seed), 5)])
        for seed in range(3)
    ]
    assert _tunes(*songs) == ["a", "b", "c"]


def test_more_than_a_tenth_of_the_bars_of_the_song_that_has_fewer_is_shared():
    tune = _melody(40, 0)
    short, long = tune, _melody(80, 1)
    with_four = [(bar, step, height) for bar, step, height in tune if bar < 4] + [
        note for note in long if note[0] >= 4
    ]
    with_five = [(bar, step, height) for bar, step, height in tune if bar < 5] + [
        note for note in long if note[0] >= 5
    ]
    # Four bars of forty are a tenth, five are more.
    assert _tunes(_song(40, [(PIANO, 30, short, 5)]), _song(80, [(PIANO, 30, with_four, 5)])) == ["a", "b"]
    assert _tunes(_song(40, [(PIANO, 30, short, 5)]), _song(80, [(PIANO, 30, with_five, 5)])) == ["a", "a"]


@pytest.mark.parametrize(
    ("bars", "shared", "expected"),
    [(4, 2, ["a", "b"]), (4, 3, ["a", "a"]), (2, 1, ["a", "b"]), (2, 2, ["a", "a"])],
)
def test_songs_of_a_few_bars_share_at_least_three_or_all(bars, shared, expected):
    tune, other = _melody(bars, 0), _melody(8, 1)
    mixed = [note for note in tune if note[0] < shared] + [note for note in other if note[0] >= shared]
    assert _tunes(_song(bars, [(PIANO, 30, tune, 5)]), _song(8, [(PIANO, 30, mixed, 5)])) == expected


def test_what_two_songs_share_with_a_third_makes_them_one_tune_named_by_the_first_digest():
    one, two = _melody(4, 0), [(bar + 4, step, height) for bar, step, height in _melody(4, 1)]
    first, last = _song(8, [(PIANO, 30, one, 5)]), _song(8, [(PIANO, 30, two, 5)])
    medley = _song(8, [(PIANO, 30, one + two, 5)])
    stranger = _song(8, [(PIANO, 30, _melody(8, 2), 5)])
    bars = [telling_bars(song, GRID) for song in (first, stranger, last, medley)]
    assert tunes_of(["7", "5", "6", "8"], bars) == ["6", "5", "6", "6"]
    assert tunes_of(["7", "5", "6"], bars[:3]) == ["7", "5", "6"]


def test_bars_of_very_many_songs_do_not_count():
    common = [np.arange(5, dtype=np.uint64)] * 51
    assert len(set(tunes_of([f"{index:02}" for index in range(50)], common[:50]))) == 1
    assert len(set(tunes_of([f"{index:02}" for index in range(51)], common))) == 51


def test_a_bar_counts_once_and_only_with_six_starts_of_three_pitches():
    heights = [0, 6, 12, 0, 6, 12]
    riff = [(bar, 6 * index, height) for bar in range(3) for index, height in enumerate(heights)]
    few = [(3, 6 * index, height) for index, height in enumerate(heights[:5])]  # five starts
    low = [(4, step, step % 12) for step in range(0, 48, 6)]  # two pitches
    held = [(6, 0, height) for height in range(6)]
    pianoroll = _song(7, [(PIANO, 30, riff + few + low + held, 5)])
    assert len(telling_bars(pianoroll, GRID)) == 2
    # Notes that go on over the bar line start before it.
    pianoroll[6 * 48 - 1, 30:35, PIANO] = True
    assert len(telling_bars(pianoroll, GRID)) == 1


def test_songs_without_such_bars_and_no_songs_at_all():
    assert _tunes(_song(4, []), _song(4, [])) == ["a", "b"]
    assert tunes_of([], []) == []
