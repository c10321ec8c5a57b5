"""The verbs of a band on objects, with a prior of random weights."""

import numpy as np
import pretty_midi
import pypianoroll
import pytest

from msw2.inference.band import Band
from msw2.inference.songs import NoComposerError
from msw2.inference.verbs import VerbError
from msw2.music.grid import Grid
from msw2.music.midi import SongError
from msw2.music.multitrack import from_multitrack, from_pretty_midi, to_multitrack, to_pretty_midi

GRID = Grid()


@pytest.fixture(scope="module")
def band(song_run, song_sandwich):
    return Band(song_sandwich[0], song_run.config, song_sandwich[1], song_run.preset)


@pytest.fixture(scope="module")
def cells():
    """Six bars: a phrase and a half."""
    found = np.zeros((6 * 48, 84, 5), bool)
    for track in range(5):
        for bar in range(6):
            found[48 * bar : 48 * bar + 40, 36 + 2 * ((track + bar) % 3), track] = True
    return found


def read(song):
    return from_multitrack(song, GRID)


def test_a_continued_song_begins_with_the_song(band, cells):
    song = to_multitrack(cells, GRID, 93.0)
    longer = band.continue_(song, 3, seed=5)
    assert isinstance(longer, pypianoroll.Multitrack)
    made, tempo = read(longer)
    assert (len(made), tempo) == (9 * 48, 93.0)
    np.testing.assert_array_equal(made[: len(cells)], cells)
    np.testing.assert_array_equal(read(band.continue_(song, 3, seed=5))[0], made)
    assert (made != read(band.continue_(song, 3, seed=6))[0]).any()
    np.testing.assert_array_equal(read(song)[0], cells)  # what was given is as it was


def test_infilled_bars_are_those_that_a_musician_counts(band, cells):
    made, _ = read(band.infill(to_multitrack(cells, GRID, 93.0), 2, 3))
    assert made.shape == cells.shape
    kept = np.r_[:48, 3 * 48 : 6 * 48]
    np.testing.assert_array_equal(made[kept], cells[kept])
    assert (made[48 : 3 * 48] != cells[48 : 3 * 48]).any()


def test_accompanied_tracks_are_new_and_the_others_untouched(band, cells):
    made, _ = read(band.accompany(to_multitrack(cells, GRID, 93.0), ["bass", "drums"]))
    np.testing.assert_array_equal(made[..., [1, 2, 4]], cells[..., [1, 2, 4]])
    assert (made[..., 0] != cells[..., 0]).any()
    assert (made[..., 3] != cells[..., 3]).any()
    other = cells.copy()
    other[..., [0, 3]] = False  # what the song has of them is not looked at
    again = band.accompany(to_multitrack(other, GRID, 93.0), ["drums", "bass"])
    np.testing.assert_array_equal(read(again)[0], made)


def test_a_path_has_the_restored_phrases_at_its_ends(band, cells):
    first, second = to_multitrack(cells, GRID, 93.0), to_multitrack(cells[48:], GRID, 80.0)
    made, tempo = read(band.interpolate(first, second, points=3))
    assert (len(made), tempo) == (12 * 48, 93.0)
    np.testing.assert_array_equal(made[: 4 * 48], read(band.restore(first))[0][: 4 * 48])
    np.testing.assert_array_equal(made[8 * 48 :], read(band.restore(second))[0][: 4 * 48])


def test_a_variation_is_as_long_as_the_song(band, cells):
    song = to_multitrack(cells, GRID, 93.0)
    made, tempo = read(band.vary(song, 1.0, seed=2))
    assert (made.shape, tempo) == (cells.shape, 93.0)
    assert (made != read(band.vary(song, 1.0, seed=3))[0]).any()
    made, _ = read(band.vary(song, 0.0, seed=2))
    np.testing.assert_array_equal(made, cells)


def test_a_pretty_midi_comes_back_as_one(band, cells):
    cells = cells.copy()
    cells[..., 0] = False  # pretty_midi joins the hits of drums
    song = to_pretty_midi(cells, GRID, 120.0)
    accompanied = band.accompany(song, ["piano"])
    others = band.interpolate(song, song, 2), band.vary(song)
    assert all(isinstance(made, pretty_midi.PrettyMIDI) for made in (accompanied, *others))
    strings = from_pretty_midi(accompanied, GRID)[0][..., 4]
    np.testing.assert_array_equal(strings, cells[..., 4])


def test_songs_of_bars_are_drawn_whole(band):
    one, two = band.generate(2, bars=5, seed=3, tempo=80.0)
    assert [len(read(song)[0]) for song in (one, two)] == [5 * 48, 5 * 48]
    assert read(one)[1] == 80.0
    np.testing.assert_array_equal(read(band.generate(bars=5, seed=4)[0])[0], read(two)[0])
    assert len(read(band.generate()[0])[0]) == 16 * 48
    assert len(read(band.generate(phrases=1)[0])[0]) == 4 * 48
    with pytest.raises(ValueError, match=r"^8 bars and 2 phrases are both given: one of them is enough$"):
        band.generate(bars=8, phrases=2)
    with pytest.raises(VerbError, match=r"^a song of 0 bars cannot be made"):
        band.generate(bars=0)


def test_what_does_not_fit_is_one_sentence(band, cells):
    song = to_multitrack(cells, GRID, 93.0)
    with pytest.raises(VerbError, match=r"^bars 5 to 7 are not in a song of 6 bars"):
        band.infill(song, 5, 7)
    with pytest.raises(VerbError, match=r"^track 'flute' is not one of drums, piano, guitar, bass, strings$"):
        band.accompany(song, ["flute"])
    with pytest.raises(SongError, match="no notes"):
        band.vary(to_multitrack(cells[:0], GRID, 93.0))
    with pytest.raises(TypeError, match=r"^ndarray is not one of Multitrack, PrettyMIDI$"):
        band.continue_(cells, 4)


def test_a_prior_of_phrases_has_no_verbs(smoke_run, smoke_sandwich, cells):
    band = Band(smoke_sandwich[0], smoke_run.config, smoke_sandwich[1])
    song = to_multitrack(cells, GRID, 93.0)
    for verb in (
        lambda: band.continue_(song),
        lambda: band.vary(song),
        lambda: band.interpolate(song, song),
        lambda: band.generate(bars=8),
    ):
        with pytest.raises(NoComposerError, match=r"^the prior 'mixture' of this model has learnt phrases, "):
            verb()
