import numpy as np
import pytest

from msw2.data.windows import Rules, accepted, cut, windows
from msw2.music.grid import Grid

SMALL = Grid(bars=2, steps=4, pitches=3, lowest_pitch=60, beat_resolution=1)
DRUMS, PIANO, GUITAR, BASS, STRINGS = range(5)


def _sounding(bars_of_track, bars):
    """Small pianoroll in which each track sounds in the given bars, at one cell of each."""
    pianoroll = np.zeros((bars * 4, 3, 5), bool)
    for track, sounding in bars_of_track.items():
        for bar in sounding:
            pianoroll[4 * bar + 3, 2, track] = True
    return pianoroll


def test_any_wants_drums_bass_and_one_more_somewhere_in_the_window():
    pianoroll = _sounding({DRUMS: [0, 3, 5], BASS: [1, 3, 5], STRINGS: [1, 4]}, bars=6)
    # windows 0-1: all three; 1-2: no drums; 2-3: no third; 3-4: all; 4-5: all
    assert accepted(pianoroll, SMALL, "any").tolist() == [True, False, False, True, True]


@pytest.mark.parametrize("third", [PIANO, GUITAR, STRINGS])
def test_any_takes_each_of_the_others_as_the_third(third):
    assert accepted(_sounding({DRUMS: [0], BASS: [0], third: [1]}, 2), SMALL, "any").all()


def test_any_wants_drums_and_bass_both():
    assert not accepted(_sounding({PIANO: [0], BASS: [0], STRINGS: [1]}, 2), SMALL, "any").any()
    assert not accepted(_sounding({PIANO: [0], DRUMS: [0], STRINGS: [1]}, 2), SMALL, "any").any()


def test_all_five_wants_every_track():
    tracks = {DRUMS: [0, 1], PIANO: [1], GUITAR: [1, 2], BASS: [0, 2], STRINGS: [1]}
    assert accepted(_sounding(tracks, 3), SMALL, "all-five").tolist() == [True, True]
    tracks[PIANO] = [0]
    assert accepted(_sounding(tracks, 3), SMALL, "all-five").tolist() == [True, False]


def _just_enough():
    """Four bars at MuseGAN's thresholds on every track: pitches 2 2 2 1 2, steps 24 156 156 96 156."""
    pianoroll = np.zeros((192, 84, 5), bool)
    for track, (steps, pitches) in enumerate([(24, 2), (156, 2), (156, 2), (96, 1), (156, 2)]):
        pianoroll[np.arange(192 - steps, 192), 10, track] = True
        pianoroll[191, 10 + pitches - 1, track] = True
    return pianoroll


@pytest.mark.parametrize("track", range(5))
def test_musegan_thresholds_hold_for_each_track(track):
    pianoroll = _just_enough()
    assert accepted(pianoroll, Grid(), "musegan").tolist() == [True]
    fewer_steps = pianoroll.copy()
    fewer_steps[np.flatnonzero(pianoroll[..., track].any(axis=1))[0], :, track] = False
    assert accepted(fewer_steps, Grid(), "musegan").tolist() == [False]
    fewer_pitches = pianoroll.copy()
    fewer_pitches[191, :, track] = False
    fewer_pitches[:1, 10, track] = True  # same number of steps, one pitch
    fewer_pitches[191, 10, track] = track != 3
    assert accepted(fewer_pitches, Grid(), "musegan").tolist() == [track == 3]


def test_windows_keep_to_the_hop_from_bar_zero():
    pianoroll = _sounding({DRUMS: range(7), BASS: range(7), PIANO: range(1, 7)}, 7)
    rng = np.random.default_rng(0)
    assert windows(pianoroll, SMALL, Rules(hop=1), rng).tolist() == [0, 1, 2, 3, 4, 5]
    assert windows(pianoroll, SMALL, Rules(hop=2), rng).tolist() == [0, 2, 4]
    assert windows(pianoroll, SMALL, Rules(hop=3), rng).tolist() == [0, 3]


def test_a_limit_draws_windows_in_order_and_by_the_generator():
    pianoroll = _sounding({DRUMS: range(30), BASS: range(30), PIANO: range(30)}, 30)
    draws = [
        windows(pianoroll, SMALL, Rules(hop=1, windows_per_song=5), np.random.default_rng(s))
        for s in (1, 1, 2)
    ]
    assert draws[0].tolist() == draws[1].tolist() != draws[2].tolist()
    assert len(set(draws[0].tolist())) == 5
    assert (np.diff(draws[0]) > 0).all()
    everything = windows(pianoroll, SMALL, Rules(hop=1, windows_per_song=40), np.random.default_rng(1))
    assert everything.tolist() == list(range(29))


def test_a_song_shorter_than_a_window_gives_none():
    for bars in (0, 1):
        assert not windows(_sounding({}, bars), SMALL, Rules(), np.random.default_rng(0)).size


@pytest.mark.parametrize("layout", ["C", "F"])
def test_cut_gives_the_bars_of_each_window(layout):
    pianoroll = np.asarray(np.random.default_rng(5).random((16, 3, 5)) < 0.5, order=layout)
    found = cut(pianoroll, SMALL, np.array([0, 2]))
    assert found.shape == (2, 2, 4, 3, 5)
    assert np.array_equal(found[0].reshape(8, 3, 5), pianoroll[0:8])
    assert np.array_equal(found[1].reshape(8, 3, 5), pianoroll[8:16])


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"selection": "some"}, "selection 'some' is not one of any, all-five, musegan"),
        ({"hop": 0}, "hop 0 is below 1"),
        ({"windows_per_song": -1}, "windows_per_song -1 is below 0"),
        ({"seed": -1}, "seed -1 is below 0"),
    ],
)
def test_rules_refuse_bad_values(rule, message):
    with pytest.raises(ValueError, match=message):
        Rules(**rule)
