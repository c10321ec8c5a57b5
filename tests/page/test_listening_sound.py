"""Clips of a listening test as sound."""

import numpy as np
import pytest

from msw2.music.grid import Grid
from msw2.page.listening_key import ListeningError
from msw2.page.listening_sound import LOUDNESS, PEAK, Clip, matched, sounds, whole_bars
from msw2.sound.loudness import loudness
from msw2.sound.synth import RATE

GRID = Grid()


def held(bars, track=1, pitch=36):
    """A note held through so many bars, by one track."""
    pianoroll = np.zeros((bars * 48, 84, 5), bool)
    pianoroll[:, pitch, track] = True
    return pianoroll


@pytest.mark.parametrize(
    ("tempo", "bars"),
    [
        (120.0, 9),  # 2 seconds a bar: 9 make 18, 10 would leave no half second for the end
        (96.0, 7),  # 2.5 seconds a bar
        (240 / 1.95, 10),  # exactly 19.5 seconds
        (10.0, 1),  # 24 seconds a bar
    ],
)
def test_a_clip_ends_with_a_bar(tempo, bars):
    assert len(whole_bars(Clip(held(12), tempo, "x"), GRID)) == 48 * bars


def test_a_short_clip_is_whole():
    assert len(whole_bars(Clip(held(3), 96.0, "x"), GRID)) == 3 * 48


def test_clips_are_equally_loud_fade_out_and_have_their_length():
    clips = [Clip(held(2, 1), 240.0, "a"), Clip(held(1, 4, 50), 200.0, "b"), Clip(held(1, 3, 8), 10.0, "c")]
    made = sounds(clips, GRID)
    assert [len(sound) for sound in made] == [round(2.5 * RATE), round(1.7 * RATE), 20 * RATE]
    levels = [loudness(sound) for sound in made]
    assert max(levels) - min(levels) < 0.01
    for sound in made:
        assert sound.dtype == np.float32
        assert sound.shape[1] == 2
        assert np.abs(sound).max() < 10 ** (PEAK / 20) + 1e-6
        assert not sound[-1].any()
        assert np.abs(sound[-RATE // 20 :]).max() < 0.15 * np.abs(sound).max()


def noise(seconds, scale, seed):
    return np.random.default_rng(seed).normal(0, scale, (int(seconds * RATE), 2)).astype(np.float32)


def test_what_can_be_as_loud_as_asked_is():
    made = matched([noise(2, 0.5, 0), noise(1, 0.001, 1)])
    assert [loudness(sound) for sound in made] == pytest.approx([LOUDNESS] * 2, abs=1e-3)


def test_the_sharpest_peak_makes_all_softer():
    click = noise(1, 0.01, 0)
    click[RATE // 2] = 1.0
    made = matched([click, noise(2, 0.1, 1)])
    levels = [loudness(sound) for sound in made]
    assert levels[0] == pytest.approx(levels[1], abs=1e-3)
    assert levels[0] < LOUDNESS - 5
    assert np.abs(made[0]).max() == pytest.approx(10 ** (PEAK / 20), rel=1e-5)
    np.testing.assert_allclose(made[0] / made[0].max(), click / click.max(), atol=1e-6)  # one gain


def test_silence_is_refused():
    with pytest.raises(
        ListeningError, match=r"^song x is silent, and listeners cannot rate that: leave it out$"
    ):
        sounds([Clip(np.zeros((48, 84, 5), bool), 120.0, "song x")], GRID)
