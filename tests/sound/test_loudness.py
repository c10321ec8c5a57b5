"""BS.1770 against the values that its own documents state."""

import numpy as np
import pytest

from msw2.sound.loudness import loudness
from msw2.sound.synth import RATE


def _sine(seconds, decibels, *, frequency=1000.0, channels=2):
    time = np.arange(round(seconds * RATE)) / RATE
    wave = 10 ** (decibels / 20) * np.sin(2 * np.pi * frequency * time)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def test_a_sine_of_997_hz_at_full_scale_in_one_channel_is_3_01_below_zero():
    """BS.1770-5, Annex 1."""
    assert loudness(_sine(3, 0, frequency=997, channels=1)) == pytest.approx(-3.01, abs=0.01)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        # EBU Tech 3341, table 1: (seconds, dB of full scale) of a sine in both channels, and LUFS.
        ([(20, -23)], -23),
        ([(20, -33)], -33),
        ([(10, -36), (60, -23), (10, -36)], -23),
        ([(10, -72), (10, -36), (60, -23), (10, -36), (10, -72)], -23),
        ([(20, -26), (20.1, -20), (20, -26)], -23),
    ],
)
def test_the_cases_of_the_european_broadcasters(parts, expected):
    sound = np.concatenate([_sine(*part) for part in parts])
    assert loudness(sound) == pytest.approx(expected, abs=0.1)


def test_low_notes_count_less_and_high_ones_more():
    """The weighting of BS.1770, figure 4: +4 dB high up, and little left below 40 Hz."""
    middle = loudness(_sine(2, -20))
    assert loudness(_sine(2, -20, frequency=8000)) - middle == pytest.approx(3.3, abs=0.2)
    assert loudness(_sine(2, -20, frequency=40)) - middle < -5


def test_two_channels_add_up_and_order_does_not_matter():
    both, left = _sine(2, -20), _sine(2, -20)
    left[:, 1] = 0
    assert loudness(both) - loudness(left) == pytest.approx(10 * np.log10(2), abs=1e-4)
    assert loudness(left) == pytest.approx(loudness(left[:, ::-1]), abs=1e-9)


def test_pieces_of_a_long_sound_are_joined_without_a_seam():
    long = _sine(61, -20)
    assert loudness(long) == pytest.approx(loudness(long[: 5 * RATE]), abs=1e-3)


def test_short_sounds_and_silence():
    assert loudness(np.zeros((RATE, 2), np.float32)) == -np.inf
    assert loudness(np.zeros((0, 2), np.float32)) == -np.inf
    assert loudness(_sine(5, -80)) == -np.inf
    assert loudness(_sine(0.3, -20)) == pytest.approx(loudness(_sine(5, -20)), abs=0.2)
