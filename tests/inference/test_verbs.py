"""The verbs as plans: what is given, what is drawn, what is refused. A composer that writes ones stands in."""

import numpy as np
import pytest

from msw2.inference import verbs
from msw2.inference.plans import draw_all
from msw2.inference.verbs import VerbError
from msw2.music.grid import Grid

GRID = Grid(bars=2, steps=8, pitches=3, lowest_pitch=34, beat_resolution=2)


class Ones:
    """Draws every cell; keeps what it was asked."""

    grid = GRID

    def __init__(self):
        self.asked = []

    def complete(self, song, given, *, seed, temperature, told):
        self.asked.append((seed, temperature))
        told(len(song))
        return song | ~given[:, None, None]

    def vary(self, song, amount, *, seed, told):
        self.asked.append((seed, amount))
        told(len(song))
        return ~song

    def between(self, first, second, points, *, seed):
        self.asked.append((seed, points))
        return np.stack([first, *[first ^ second] * (points - 2), second])


def song_of(bars, *cells):
    song = np.zeros((8 * bars, 3, 5), bool)
    for cell in cells:
        song[cell] = True
    return song


def test_a_continuation_gives_the_song_and_draws_the_bars_after_it():
    song = song_of(3, (23, 1, 2))
    plan = verbs.continuation(song, 2, GRID)
    assert plan.given.tolist() == 3 * [[True] * 5] + 2 * [[False] * 5]
    assert plan.wanted == "bars 4 to 5"
    made = plan.drawn(Ones(), seed=0)
    assert made.shape == (40, 3, 5)
    np.testing.assert_array_equal(made[:24], song)
    assert made[24:].all()
    assert verbs.continuation(song, 1, GRID).wanted == "bar 4"


def test_a_gap_counts_bars_from_one_and_has_both_its_ends():
    song = song_of(4, (7, 0, 0), (8, 0, 0), (23, 2, 4), (24, 2, 4))
    plan = verbs.gap(song, 2, 3, GRID)
    assert plan.given[:, 0].tolist() == [True, False, False, True]
    assert (plan.given == plan.given[:, :1]).all()
    assert np.argwhere(plan.song).tolist() == [[7, 0, 0], [24, 2, 4]]
    assert plan.wanted == "bars 2 to 3"
    made = plan.drawn(Ones(), seed=0)
    np.testing.assert_array_equal(made[:8], song[:8])
    np.testing.assert_array_equal(made[24:], song[24:])
    assert made[8:24].all()
    assert verbs.gap(song, 4, 4, GRID).given[:, 1].tolist() == [True, True, True, False]


def test_tracks_to_write_lose_their_notes_and_the_others_keep_theirs():
    song = song_of(2, (1, 0, 0), (3, 1, 1), (15, 2, 3))
    plan = verbs.without_tracks(song, ["bass", "drums", "bass"], GRID)
    assert plan.given.tolist() == 2 * [[False, True, True, False, True]]
    assert np.argwhere(plan.song).tolist() == [[3, 1, 1]]
    assert plan.wanted == "drums, bass"
    made = plan.drawn(Ones(), seed=0)
    np.testing.assert_array_equal(made[..., [1, 2, 4]], song[..., [1, 2, 4]])
    assert made[..., [0, 3]].all()


def test_a_path_goes_from_first_phrase_to_first_phrase():
    first, second = song_of(3, (2, 1, 1), (16, 0, 0)), song_of(2, (9, 2, 4))
    plan = verbs.path(first, second, 3, GRID)
    assert plan.given.shape == (6, 5)
    assert not plan.given.any()
    made = plan.drawn(Ones(), seed=0)
    assert np.argwhere(made).tolist() == [[2, 1, 1], [18, 1, 1], [25, 2, 4], [41, 2, 4]]


def test_a_variation_has_the_bars_of_the_song():
    song = song_of(3, (20, 1, 1))
    plan = verbs.variation(song, 0.25, GRID)
    assert not plan.given.any()
    np.testing.assert_array_equal(plan.drawn(Ones(), seed=0), ~song)


def test_a_variation_tells_which_bars_it_kept():
    song = song_of(3, (20, 1, 1))
    made = song.copy()
    made[9, 2, 3] = True  # the second bar of bass
    made[20, 1, 1] = False  # the third of piano
    expected = np.ones((3, 5), bool)
    expected[1, 3] = expected[2, 1] = False
    np.testing.assert_array_equal(verbs.variation(song, 0.25, GRID).kept(made, GRID), expected)


def test_seeds_count_on_and_the_rest_is_handed_on():
    composer = Ones()
    plans = [verbs.from_nothing(3, GRID), verbs.from_nothing(1, GRID)]
    made = draw_all(composer, plans, seed=7, temperature=0.5)
    assert composer.asked == [(7, 0.5), (8, 0.5)]
    assert [song.shape for song in made] == [(24, 3, 5), (8, 3, 5)]
    assert all(song.all() for song in made)
    draw_all(composer, [verbs.variation(song_of(1), 0.25, GRID)], seed=3, progress=False)
    draw_all(composer, [verbs.path(song_of(2), song_of(2), 4, GRID)], seed=4, progress=False)
    assert composer.asked[2:] == [(3, 0.25), (4, 4)]


NONE = song_of(0)
SILENT = "a song of no bars gives nothing to go by"
TRACKS = "drums, piano, guitar, bass, strings"


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: verbs.from_nothing(0, GRID), "a song of 0 bars cannot be made: 1 to 4096 bars"),
        (lambda: verbs.from_nothing(4097, GRID), "a song of 4097 bars cannot be made: 1 to 4096 bars"),
        (lambda: verbs.continuation(NONE, 4, GRID), SILENT),
        (
            lambda: verbs.continuation(song_of(3), 0, GRID),
            "0 bars cannot follow a song of 3 bars: at least 1, and 4096 in all",
        ),
        (
            lambda: verbs.continuation(song_of(3), 4094, GRID),
            "4094 bars cannot follow a song of 3 bars: at least 1, and 4096 in all",
        ),
        (lambda: verbs.gap(NONE, 1, 1, GRID), SILENT),
        (
            lambda: verbs.gap(song_of(3), 0, 2, GRID),
            "bars 0 to 2 are not in a song of 3 bars: they count from 1",
        ),
        (
            lambda: verbs.gap(song_of(3), 2, 4, GRID),
            "bars 2 to 4 are not in a song of 3 bars: they count from 1",
        ),
        (
            lambda: verbs.gap(song_of(3), 3, 2, GRID),
            "bars 3 to 2 are not in a song of 3 bars: they count from 1",
        ),
        (lambda: verbs.without_tracks(NONE, ["bass"], GRID), SILENT),
        (
            lambda: verbs.without_tracks(song_of(3), [], GRID),
            f"no track to write: name one or more of {TRACKS}",
        ),
        (
            lambda: verbs.without_tracks(song_of(3), ["drum"], GRID),
            f"track 'drum' is not one of {TRACKS}",
        ),
        (
            lambda: verbs.path(song_of(2), song_of(1), 3, GRID),
            "a song of 1 bars has no phrase: at least 2 bars are needed",
        ),
        (
            lambda: verbs.path(song_of(2), song_of(2), 1, GRID),
            "a path of 1 points cannot be made: 2 to 2048, its two ends among them",
        ),
        (lambda: verbs.variation(NONE, 0.3, GRID), SILENT),
        (lambda: verbs.variation(song_of(2), 1.5, GRID), "amount 1.5 is not in 0 to 1"),
        (lambda: verbs.variation(song_of(2), float("nan"), GRID), "amount nan is not in 0 to 1"),
    ],
)
def test_what_does_not_fit_a_song_is_one_sentence(ask, message):
    with pytest.raises(VerbError) as caught:
        ask()
    assert str(caught.value) == message
