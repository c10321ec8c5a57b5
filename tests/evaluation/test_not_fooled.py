"""What is no music comes out at least ten times as far from songs as songs are from one another.

The songs are made here: chords of a key, a bass on their roots, a groove of drums and a melody that moves in steps and
comes back. Every song has its own key, chords, groove, registers and density, and changes a little from bar to bar.
"""

import numpy as np
import pytest

from msw2.evaluation.closeness import TOTAL, closeness
from msw2.music.aspects import aspects
from msw2.music.grid import Grid
from msw2.music.notes import draw, runs
from msw2.music.tracks import TRACKS

GRID = Grid()
SONGS, PHRASES = 160, 2
DRUMS, PIANO, GUITAR, BASS, STRINGS = range(5)
MAJOR = np.array([0, 2, 4, 5, 7, 9, 11])
KICK, SNARE, HAT = 12, 14, 18


def song(rng):
    """bool [phrase, bar, step, pitch, track] of one song."""
    bars = GRID.bars * PHRASES
    roll = np.zeros((bars, 48, 84, 5), bool)
    key, chords = rng.integers(12), rng.choice(7, 4)
    playing = rng.random(5) < [0.9, 0.6, 0.6, 0.95, 0.7]
    playing[[DRUMS, BASS]] |= ~playing.any()
    kick, hat = rng.random(16) < rng.uniform(0.1, 0.4), rng.random(16) < rng.uniform(0.3, 0.9)
    rhythm = rng.random(8) < rng.uniform(0.3, 0.8)
    rhythm[0] = True
    theme = np.cumsum(rng.choice([-2, -1, -1, 0, 1, 1, 2], 8))
    length, register = rng.choice([3, 6]), rng.integers(-1, 2, 5) * 7
    sixteenths, strum = rng.random() < 0.3, rng.choice([12, 24, 48])
    for bar in range(bars):
        tones = (chords[bar % 4] + np.array([0, 2, 4])) % 7
        varied = rng.random() < 0.3
        if playing[DRUMS]:
            beats = np.arange(16) * 3
            roll[bar, beats[kick], KICK, DRUMS] = True
            roll[bar, [12, 36], SNARE, DRUMS] = True
            roll[bar, beats[hat if sixteenths else hat & (np.arange(16) % 2 == 0)], HAT, DRUMS] = True
            if varied:
                roll[bar, rng.integers(16) * 3, SNARE, DRUMS] = True
        if playing[BASS]:
            for step in np.flatnonzero(rhythm) * 6:
                degree = tones[0] if step < 24 or not varied else tones[2]
                roll[
                    bar,
                    step : step + length,
                    12 + register[BASS] // 7 * 5 % 12 + (key + MAJOR[degree]) % 12,
                    BASS,
                ] = True
        for track, every in ((PIANO, strum), (STRINGS, 48)):
            if playing[track]:
                pitches = 36 + register[track] + (key + MAJOR[tones]) % 12
                for step in range(0, 48, every):
                    roll[bar, step : step + every - 1, pitches, track] = True
        if playing[GUITAR]:
            line = theme + rng.integers(-1, 2) * varied + chords[bar % 4]
            for step, degree in zip(np.flatnonzero(rhythm) * 6, line, strict=False):
                pitch = 48 + register[GUITAR] + key + 12 * (degree // 7) + MAJOR[degree % 7]
                roll[bar, step : step + length, np.clip(pitch, 0, 83), GUITAR] = True
    return roll.reshape(PHRASES, GRID.bars, *roll.shape[1:])


def notes_of(phrase):
    """Returns pitches, starts and ends of each track."""
    steps = phrase.reshape(-1, *phrase.shape[2:])
    return [runs(steps[..., track], each.is_drum) for track, each in enumerate(TRACKS)]


def in_random_order(phrases, rng, *, of_all):
    """Returns the notes of phrases in random order: as many a bar and track as there are.

    Pitches, lengths and steps within the beat are permuted among the notes of a phrase and track, or drawn from those
    of all phrases. The beat is random.
    """
    notes = [notes_of(phrase) for phrase in phrases]
    made = np.zeros((len(phrases), 192, 84, 5), bool)
    for track in range(5):
        everywhere = np.concatenate([np.stack(each[track]) for each in notes], axis=1)
        for phrase, each in enumerate(notes):
            here = np.stack(each[track])
            kinds = everywhere if of_all else here
            pitches, (starts, _), lengths = (
                rng.choice(values, here.shape[1], replace=of_all, axis=-1) if here.size else values[..., :0]
                for values in (kinds[0], kinds[1:], kinds[2] - kinds[1])
            )
            begin = here[1] // 48 * 48 + 12 * rng.integers(0, 4, here.shape[1]) + starts % 12
            draw(made[phrase, :, :, track], pitches, begin, np.minimum(begin + lengths, 192))
    return made.reshape(phrases.shape)


@pytest.fixture(scope="module")
def real():
    rng = np.random.default_rng(1)
    return np.concatenate([song(rng) for _ in range(SONGS)])


@pytest.fixture(scope="module")
def ratio(real):
    """Returns a function phrases -> the ratio of their distance to the floor, by aspect."""
    vectors, songs = aspects(real, GRID), np.arange(len(real)) // PHRASES

    def measure(phrases):
        one = np.zeros(len(phrases), int)  # of one song: no time is spent on intervals
        found = closeness(vectors, aspects(phrases, GRID), songs, one, seed=0)
        assert found.size == len(real) // 2
        return {aspect: estimate.mean for aspect, estimate in found.ratio.items()}

    return measure


@pytest.fixture(scope="module")
def half(real):
    """Half as many phrases of other songs."""
    rng = np.random.default_rng(2)
    return np.concatenate([song(rng) for _ in range(SONGS // 2)])


def test_other_songs_are_as_near_as_songs_are(half, ratio):
    assert 0.7 < ratio(half)[TOTAL] < 1.3


def test_noise_as_dense_as_the_songs_is_far(half, ratio):
    rng = np.random.default_rng(3)
    found = ratio(rng.random(half.shape) < half.mean(axis=(0, 1, 2, 3)))
    assert all(each > 10 for each in found.values())


@pytest.mark.parametrize("one", [slice(0, PHRASES), slice(3, 4), slice(60, 62)])
def test_one_song_or_one_phrase_again_and_again_is_far(half, ratio, one):
    found = ratio(np.resize(half[one], half.shape))
    assert found[TOTAL] > 10


@pytest.mark.parametrize("of_all", [True, False])
def test_the_right_notes_in_random_order_are_far(half, ratio, of_all):
    phrases = in_random_order(half, np.random.default_rng(4), of_all=of_all)
    found = ratio(phrases)
    assert found[TOTAL] > 10
    assert found["order"] > 10


def test_random_order_keeps_the_notes(half):
    phrases = in_random_order(half[:5], np.random.default_rng(4), of_all=False)
    assert not np.array_equal(phrases, half[:5])
    for before, after in zip(half[:5], phrases, strict=True):
        for first, second in zip(notes_of(before), notes_of(after), strict=True):
            assert set(second[0]) == set(first[0])
