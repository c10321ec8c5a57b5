"""What is told of the bars that a bar may take up, against plain loops in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from msw2.models.references import FEATURES, OFFSETS, ORDER, before_writing, features, overlaps, turns

SONGS, BARS, TRACKS, CELLS = 2, 11, 5, 7


@pytest.fixture(scope="module")
def songs():
    """Cells bool [song, bar, track, cell], and what is given, bool [song, bar, track]: bars, tracks, and any units."""
    rng = np.random.default_rng(0)
    cells = rng.random((SONGS, BARS, TRACKS, CELLS)) < 0.4
    cells[0, 5], cells[1, 8, 2] = cells[0, 3], cells[1, 6, 2]
    cells[1, 4:6] = False
    given = rng.random((SONGS, BARS, TRACKS)) < 0.4
    given[0, 6:9], given[1, :, 3] = True, True
    return cells, given


@pytest.fixture(scope="module")
def found(songs):
    cells, given = songs
    common = overlaps(tf.constant(cells, tf.float32))
    return features(common, tf.constant(given, tf.float32)).numpy()


def test_turns_by_hand():
    """Drums, bass, piano, guitar, strings; given ones before."""
    assert [ORDER.index(track) for track in range(TRACKS)] == [0, 2, 3, 1, 4]
    given = np.float32([[[0, 0, 0, 0, 0], [0, 0, 1, 0, 1], [1, 1, 1, 1, 1], [0, 1, 0, 1, 0]]])
    expected = [[[0, 2, 3, 1, 4], [2, 4, 0, 3, 1], [0, 2, 3, 1, 4], [2, 1, 3, 0, 4]]]
    made = turns(tf.constant(given))
    assert made.dtype == tf.int32
    assert made.numpy().tolist() == expected


def test_overlaps_are_the_cells_that_two_bars_share(songs):
    cells, _ = songs
    made = overlaps(tf.constant(cells, tf.float32)).numpy()
    assert made.shape == (SONGS, TRACKS, BARS, BARS)
    for song, track, bar, other in np.ndindex(made.shape):
        assert made[song, track, bar, other] == (cells[song, bar, track] & cells[song, other, track]).sum()


def written(given, bar, track):
    """The tracks of a bar that are there before a track is written: given ones, then those before it in the order."""
    place = {other: (not given[bar, other], ORDER.index(other)) for other in range(TRACKS)}
    return [other for other in range(TRACKS) if place[other] < place[track]]


class Oracle:
    """Tells the features of one song, looking only at units that are known when a track of a bar is written."""

    def __init__(self, cells, given, bar):
        self.cells, self.given, self.bar = cells, given, bar

    def known(self, bar, track):
        return 0 <= bar < BARS and (bar < self.bar or self.given[bar, track])

    def alike(self, pairs):
        """Jaccard similarity of pairs of units (bar, other bar, track), all together."""
        both = sum(int((self.cells[a, track] & self.cells[b, track]).sum()) for a, b, track in pairs)
        either = sum(int((self.cells[a, track] | self.cells[b, track]).sum()) for a, b, track in pairs)
        return both / max(either, 1)

    def beside(self, step, offset):
        """How alike the bars beside the two are, in the tracks that are known."""
        here, there = self.bar + step, self.bar + offset + step
        tracks = [t for t in range(TRACKS) if self.known(here, t) and self.known(there, t)]
        return self.alike([(here, there, track) for track in tracks])

    def features(self, track, offset):
        there = self.bar + offset
        now = [t for t in written(self.given, self.bar, track) if self.known(there, t)]
        return [
            float(self.known(there, track)),
            self.beside(-1, offset),
            self.beside(1, offset),
            self.alike([(self.bar, there, other) for other in now]),
        ]


def test_features_are_those_of_plain_loops(songs, found):
    cells, given = songs
    assert found.shape == (SONGS, BARS, TRACKS, len(OFFSETS), FEATURES)
    for song, bar, track, index in np.ndindex(found.shape[:4]):
        told = Oracle(cells[song], given[song], bar).features(track, OFFSETS[index])
        where = f"song {song}, bar {bar}, track {track}, offset {OFFSETS[index]}"
        np.testing.assert_allclose(found[song, bar, track, index], told, atol=1e-6, err_msg=where)
    seen = found.reshape(-1, FEATURES)
    assert all(len(np.unique(number)) > 20 for number in seen[:, 1:].T)
    assert (found[0, 5, :, OFFSETS.index(-2), 3] == [0, 1, 1, 1, 1]).sum() >= 3  # the same bar as two before


def test_what_is_not_known_changes_nothing(songs, found):
    """Cells that are written later, in the bar or in later bars, are others."""
    cells, given = songs
    bar, rng = 4, np.random.default_rng(1)
    for track in range(TRACKS):
        others = cells.copy()
        for song in range(SONGS):
            late = np.array(sorted(set(range(TRACKS)) - set(written(given[song], bar, track))))
            others[song, bar, late] = rng.random((len(late), CELLS)) < 0.5
            later = ~given[song, bar + 1 :, :, None]
            noise = rng.random(cells[song, bar + 1 :].shape) < 0.5
            others[song, bar + 1 :] = np.where(later, noise, cells[song, bar + 1 :])
            # What is given itself is known, in whichever bar.
            others[song, bar] = np.where(given[song, bar, :, None], cells[song, bar], others[song, bar])
        told = features(overlaps(tf.constant(others, tf.float32)), tf.constant(given, tf.float32)).numpy()
        np.testing.assert_allclose(told[:, bar, track], found[:, bar, track], atol=1e-6)


def test_before_a_bar_is_written_nothing_is_told_of_its_own_tracks(found):
    told = before_writing(tf.constant(found)).numpy()
    assert not told[..., 3].any()
    assert np.array_equal(told[..., :3], found[..., :3])
    half = before_writing(tf.constant(found, tf.bfloat16))
    assert half.dtype == tf.bfloat16
