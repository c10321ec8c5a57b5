"""The five tracks together: balance, loudness, no clipping."""

import numpy as np
import pytest

from msw2.music.midi import midi_bytes
from msw2.music.tracks import TRACK_NAMES
from msw2.sound.loudness import loudness
from msw2.sound.mix import GAINS, LONGEST_RELEASE, LOUDNESS, PEAK, level, mix, song_sound, stems
from msw2.sound.synth import RATE, TAIL, synthesise

from .conftest import BASS, DRUMS, GRID, PIANO, STRINGS, TEMPO


@pytest.fixture(scope="module")
def parts(song):
    return stems(song, GRID, TEMPO)


def test_each_track_is_the_synthesizers_with_one_gain_for_the_whole(song, parts):
    assert parts.dtype == np.float32
    assert parts.shape == (5, pytest.approx(RATE * (2 + TAIL), abs=RATE / 500), 2)
    factors = []
    for name, part in zip(TRACK_NAMES, parts, strict=True):
        midi = midi_bytes(song, GRID, TEMPO, tracks=[name])
        raw = synthesise(midi, longest_release=LONGEST_RELEASE.get(name))
        frames = min(len(raw), len(part))
        factor = np.vdot(raw[:frames], part[:frames]) / np.vdot(raw, raw)
        np.testing.assert_allclose(part[:frames], factor * raw[:frames], atol=1e-5)
        factors.append(factor / 10 ** (GAINS[name] / 20))
    assert factors == pytest.approx([factors[0]] * 5, rel=1e-3)


def test_the_mix_is_the_sum_and_as_loud_as_every_song(parts):
    whole = mix(parts)
    np.testing.assert_array_equal(whole, parts[0] + parts[1] + parts[2] + parts[3] + parts[4])
    # In four seconds, the tail that is above -70 LUFS only after the gain counts: 0.2 LU.
    assert loudness(whole) == pytest.approx(LOUDNESS, abs=0.3)
    assert 20 * np.log10(np.abs(whole).max()) < PEAK


def test_a_song_alone_is_the_sum_of_its_stems(song, parts):
    whole = song_sound(song, GRID, TEMPO)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(whole, mix(parts), atol=1e-6)


@pytest.mark.parametrize("off", [-3, 2])
def test_a_track_that_is_some_frames_off_is_as_long_as_the_first(song, monkeypatch, off):
    lengths = iter([100, 100 + off, 100, 100, 100])
    monkeypatch.setattr("msw2.sound.mix.synthesise", lambda *_, **__: np.ones((next(lengths), 2), np.float32))
    made = stems(song, GRID, TEMPO)
    assert made.shape == (5, 100, 2)
    np.testing.assert_array_equal(made[1, :, 0] > 0, np.arange(100) < 100 + off)


def test_a_silent_track_is_silence_of_the_same_length_and_a_silent_song_too():
    song = np.zeros((48, 84, 5), bool)
    assert not stems(song, GRID, TEMPO).any()
    song[:24, 30, BASS] = True
    parts = stems(song, GRID, TEMPO)
    assert parts[BASS].any()
    assert not np.delete(parts, BASS, axis=0).any()


def test_strings_that_repeat_a_note_sound_repeated():
    """The level falls between two notes by 6.6 dB; by 5.6 without the early end, by 3.6 with the font's releases."""
    song = np.zeros((96, 84, 5), bool)
    song[:60, [36, 40, 43], STRINGS] = True
    assert _fall(song) < 1.5
    song[23, :, STRINGS] = False  # one step of silence, 50 ms
    assert _fall(song) > 6


def _fall(song):
    """Returns the dB by which the strings' level falls around step 24, at 100 beats a minute."""
    power = np.square(stems(song, GRID, 100.0)[STRINGS]).mean(axis=1)
    level = 10 * np.log10(
        power[: len(power) // 960 * 960].reshape(-1, 960).mean(axis=1) + 1e-9
    )  # every 20 ms
    attack = 24 * 50 // 20
    around = min(level[attack - 12 : attack - 6].mean(), level[attack + 8 : attack + 16].mean())
    return around - level[attack - 5 : attack + 6].min()


def test_flat_notes_are_equally_loud():
    song = np.zeros((48, 84, 5), bool)
    song[[0, 7, 18, 36], 14, DRUMS] = (
        True  # a snare on the downbeat, between, on an off-beat and on the last beat
    )

    def spread(flat):
        hits = stems(song, GRID, 60.0, flat=flat)[DRUMS]
        peaks = [np.abs(hits[4000 * step : 4000 * step + 20_000]).max() for step in (0, 7, 18, 36)]
        return 20 * np.log10(np.array(peaks) / peaks[0])

    np.testing.assert_allclose(spread(True), 0, atol=0.5)
    expected = 40 * np.log10(np.array([108, 78, 88, 98]) / 108)
    np.testing.assert_allclose(spread(False), expected, atol=0.5)


def test_level_stops_at_the_peak():
    time = np.arange(RATE) / RATE
    sine = np.stack([np.sin(2 * np.pi * 1000 * time)] * 2, axis=1).astype(np.float32)
    assert level(sine) == pytest.approx(
        10 ** (-20 / 20), rel=0.01
    )  # a full sine in both channels is at 0 LUFS
    clicks = sine * 0.05
    clicks[::8000] = 0.9
    assert level(clicks) * np.abs(clicks).max() == pytest.approx(10 ** (PEAK / 20), rel=1e-5)
    assert level(clicks, lufs=-40.0) * np.abs(clicks).max() < 0.5
    assert level(np.zeros((RATE, 2), np.float32)) == 1


def test_a_piano_is_heard_beside_full_strings():
    """Both with the same three notes: before the gains, strings are 8 dB louder."""
    song = np.zeros((96, 84, 5), bool)
    for index in (PIANO, STRINGS):
        song[0:96:12, [36, 40, 43], index] = True
        song[1:96, [36, 40, 43], index] = np.arange(1, 96)[:, None] % 12 < 11
    parts = stems(song, GRID, 120.0)
    assert abs(loudness(parts[PIANO]) - loudness(parts[STRINGS])) < 4
