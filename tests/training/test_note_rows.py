"""Notes in rows: a bar written out by hand, and the rest against loops."""

import numpy as np
import pytest

from msw2.models.references import OFFSETS, ORDER
from msw2.models.writer import VOICES
from msw2.music.notes import runs
from msw2.training.note_rows import LENGTH, NONE, UnitNotes, repeats_of, rows_of

SONGS, BARS, TRACKS, STEPS, PITCHES = 2, 3, 5, 4, 3
DRUMS, PIANO, GUITAR, BASS, STRINGS = range(TRACKS)
BEFORE, AFTER, HELD = OFFSETS.index(-1), OFFSETS.index(1), VOICES - 1
NOTHING = (STEPS, PITCHES, 0)  # the note before the first


class InOrder:
    """Draws the order of the bars as they come."""

    @staticmethod
    def permutation(count):
        return np.arange(count)


def drawn(notes, shape=(STEPS, PITCHES)):
    """Cells of one track: bool [step, pitch], of notes (start, pitch, length)."""
    cells = np.zeros(shape, bool)
    for start, pitch, length in notes:
        cells[start : start + length, pitch] = True
    return cells


@pytest.fixture(scope="module")
def by_hand():
    """Two songs; of the middle bar of the second one bass and strings are learnt."""
    cells = np.zeros((SONGS, BARS, TRACKS, STEPS, PITCHES), bool)
    cells[0] = np.random.default_rng(0).random(cells.shape[1:]) < 0.4
    first, middle, last = cells[1]
    first[DRUMS], middle[DRUMS] = drawn([(0, 0, 1), (2, 0, 1)]), drawn([(0, 0, 1), (2, 0, 2)])
    first[BASS], middle[BASS] = drawn([(0, 1, 2), (3, 2, 1)]), drawn([(0, 2, 2), (2, 1, 2)])
    first[STRINGS], middle[STRINGS] = drawn([(0, 1, 4)]), drawn([(1, 0, 1), (1, 2, 3)])
    last[DRUMS], last[STRINGS] = drawn([(0, 0, 1)]), drawn([(1, 0, 2), (3, 1, 1)])
    given, learnt = np.zeros((SONGS, BARS, TRACKS), np.float32), np.zeros((SONGS, BARS, TRACKS), bool)
    given[1, 1, [DRUMS, PIANO]], given[1, 2, STRINGS] = 1, 1
    learnt[1, 1, [BASS, STRINGS]] = True
    return cells, given, learnt


@pytest.fixture(scope="module")
def rows(by_hand):
    return rows_of(*by_hand, 2, InOrder())


# What is in the row: track, note (its length less one), the note before, learnt: start, pitch and length.
END = (STEPS, 0, 0)
PLACES = [
    (DRUMS, (0, 0, 0), NOTHING, (0, 0)),  # given tracks come first
    (DRUMS, (2, 0, 1), (0, 0, 1), (0, 0)),
    (DRUMS, END, (2, 0, 2), (0, 0)),
    (PIANO, END, NOTHING, (0, 0)),
    (BASS, (0, 2, 1), NOTHING, (1, 1)),
    (BASS, (2, 1, 1), (0, 2, 2), (1, 1)),
    (BASS, END, (2, 1, 2), (1, 0)),
    (GUITAR, END, NOTHING, (0, 0)),
    (STRINGS, (1, 0, 0), NOTHING, (1, 1)),
    (STRINGS, (1, 2, 2), (1, 0, 1), (1, 1)),
    (STRINGS, END, (1, 2, 3), (1, 0)),
]
# What voices propose at each place: the bar before, the bar after (of which strings are given), what is held.
VOICED = [
    {BEFORE: (0, 0, 0)},
    {BEFORE: (2, 0, 0)},
    {BEFORE: (STEPS, NONE, NONE)},
    {BEFORE: (STEPS, NONE, NONE)},
    {BEFORE: (0, 1, NONE), HELD: (0, 2, NONE)},
    {BEFORE: (3, NONE, NONE)},
    {BEFORE: (3, NONE, NONE)},
    {BEFORE: (STEPS, NONE, NONE)},
    {BEFORE: (0, NONE, NONE), AFTER: (1, 0, 1), HELD: (0, NONE, NONE)},
    {BEFORE: (STEPS, NONE, NONE), AFTER: (3, NONE, NONE)},
    {BEFORE: (STEPS, NONE, NONE), AFTER: (3, NONE, NONE)},
]
AGREED = [(1, BEFORE), (2, BEFORE), (5, HELD), (9, AFTER)]  # at these places a voice has the note before


def test_a_bar_in_a_row_by_hand(rows):
    kinds = {name: (array.shape, array.dtype.name) for name, array in rows.items()}
    assert kinds == {
        "unit": ((2, LENGTH), "int32"),
        "closing": ((2, LENGTH), "float32"),
        "before": ((2, LENGTH, 3), "int32"),
        "note": ((2, LENGTH, 3), "int32"),
        "agreed": ((2, LENGTH, VOICES), "float32"),
        "voiced": ((2, LENGTH, 3, VOICES), "int32"),
        "weight": ((2, LENGTH, 2), "float32"),
    }
    filled, unit = len(PLACES), (1 * BARS + 1) * TRACKS
    of_first = {name: array[0, :filled] for name, array in rows.items()}
    assert (of_first["unit"] - unit).tolist() == [track for track, *_ in PLACES]
    assert [tuple(note) for note in of_first["note"].tolist()] == [note for _, note, *_ in PLACES]
    assert [tuple(note) for note in of_first["before"].tolist()] == [before for *_, before, _ in PLACES]
    assert [tuple(weight) for weight in of_first["weight"].tolist()] == [weight for *_, weight in PLACES]
    assert np.argwhere(rows["closing"]).tolist() == [[0, filled]]


def test_what_voices_propose_by_hand(rows):
    expected = np.full((len(PLACES), 3, VOICES), NONE)
    for place, told in enumerate(VOICED):
        for voice, proposed in told.items():
            expected[place, :, voice] = proposed
    assert rows["voiced"][0, : len(PLACES)].tolist() == expected.tolist()
    assert [tuple(place) for place in np.argwhere(rows["agreed"][0, : len(PLACES)]).tolist()] == AGREED


def test_empty_places_say_nothing(rows):
    empty = np.ones((2, LENGTH), bool)
    empty[0, : len(PLACES)] = False
    assert (rows["before"][empty] == NOTHING).all()
    assert (rows["voiced"][empty] == NONE).all()
    for name in ("unit", "note", "agreed", "weight"):
        assert not rows[name][empty].any(), name


@pytest.fixture(scope="module")
def songs():
    """Songs of larger bars, of which one has more notes than a row has places."""
    rng = np.random.default_rng(1)
    cells = rng.random((3, 4, TRACKS, 12, 30)) < 0.02
    cells[1, 2, PIANO] = (np.arange(12)[:, None] + np.arange(30)) % 2
    given = (rng.random((3, 4, TRACKS)) < 0.3).astype(np.float32)
    learnt = (given == 0) & (rng.random(given.shape) < 0.8)
    learnt[0, 1], learnt[2, 3], learnt[1, 2, GUITAR] = False, False, True
    return cells, given, learnt


def bars_of(rows):
    """The bars in the rows: their numbers, and the places of each."""
    found = {}
    for row, place in np.argwhere(rows["closing"]):
        begin = place - np.argmax(np.append(rows["closing"][row, :place][::-1], 1))
        bars = set((rows["unit"][row, begin:place] // TRACKS).tolist())
        assert len(bars) == 1
        assert not found.keys() & bars
        found[bars.pop()] = row, slice(begin, place)
    return found


def test_rows_hold_each_bar_once_without_those_that_are_too_long_or_not_learnt(songs):
    cells, given, learnt = songs
    rows = rows_of(*songs, 20, np.random.default_rng(0))
    bars = bars_of(rows)
    assert sorted(bars) == sorted(set(range(12)) - {1, 6, 11})  # 1 and 11 are not learnt, 6 is too long
    used = np.zeros(rows["unit"].shape, bool)
    for number, (row, places) in bars.items():
        song, bar = divmod(number, 4)
        made, order = np.zeros_like(cells[song, bar]), []
        for unit, (start, pitch, more), weight in zip(
            *(rows[name][row, places] for name in ("unit", "note", "weight")), strict=True
        ):
            track = unit % TRACKS
            made[track, start : start + more + 1, pitch] |= start < 12
            order += [track] if start == 12 else []  # each track ends once
            assert weight.tolist() == [learnt[song, bar, track], learnt[song, bar, track] and start < 12]
        assert np.array_equal(made, cells[song, bar])
        assert order == sorted(ORDER, key=lambda track: given[song, bar, track] == 0)
        used[row, places] = True
    assert not rows["weight"][~used].any()


def test_bars_that_find_no_room_are_left_out_at_random(songs):
    kept = [sorted(bars_of(rows_of(*songs, 2, np.random.default_rng(seed)))) for seed in range(5)]
    assert all(0 < len(bars) < 9 for bars in kept)
    assert len(set(map(tuple, kept))) > 1
    again = rows_of(*songs, 2, np.random.default_rng(3))
    for name, array in rows_of(*songs, 2, np.random.default_rng(3)).items():
        assert np.array_equal(array, again[name]), name


def test_a_bar_may_fill_a_row():
    cells = np.zeros((1, 2, TRACKS, 12, 30), bool)
    places = np.argwhere((np.arange(12)[:, None] + np.arange(30)) % 2)
    for bar, notes in enumerate((LENGTH - TRACKS - 1, LENGTH - TRACKS)):  # ends and the closing take the rest
        cells[0, bar, GUITAR][tuple(places[:notes].T)] = True
    given = np.zeros((1, 2, TRACKS), np.float32)
    rows = rows_of(cells, given, given == 0, 3, InOrder())
    assert list(bars_of(rows)) == [0]
    assert rows["closing"][0, -1] == 1


def test_notes_are_the_runs_of_each_unit():
    rng = np.random.default_rng(2)
    cells = rng.random((2, 3, TRACKS, 7, 4)) < 0.5
    cells[0, 1], cells[1, 2, 3] = False, True
    notes, units = UnitNotes.of(cells), cells.reshape(-1, 7, 4)
    assert (notes.cells, notes.pitches) == (28, 4)
    counts, lengths = notes.counts(len(units)), notes.length.reshape(len(units), 7, 4)
    found = 0
    for number, roll in enumerate(units):
        pitch, start, end = runs(roll, is_drum=False)
        expected = np.zeros((7, 4), int)
        expected[start, pitch] = end - start
        assert np.array_equal(lengths[number], expected)
        assert counts[number] == len(pitch)
        own = notes.key[found : found + len(pitch)]
        assert own.tolist() == sorted(number * 28 + start * 4 + pitch)
        found += len(pitch)
        for after in range(-1, 28):
            later = [cell for cell in (own - number * 28).tolist() if cell > after]
            assert notes.next(np.array([number]), after)[0] == (min(later) if later else NONE)
    assert found == len(notes.key)
    silent = UnitNotes.of(np.zeros((2, TRACKS, 7, 4), bool))
    assert silent.next(np.arange(10), -1).tolist() == [NONE] * 10


def test_repeats_are_units_that_are_the_same_as_a_known_reference():
    rng = np.random.default_rng(3)
    kinds = rng.random((3, 4, 3)) < 0.4
    cells = kinds[rng.integers(0, 3, (2, 19, TRACKS))]  # of three kinds each
    given = (rng.random((2, 19, TRACKS)) < 0.4).astype(np.float32)
    found = repeats_of(cells, given)
    assert (found.shape, found.dtype) == ((2, 19, TRACKS, len(OFFSETS)), np.float32)
    for song, bar, track, index in np.ndindex(found.shape):
        other = bar + OFFSETS[index]
        known = 0 <= other < 19 and (OFFSETS[index] < 0 or given[song, other, track] == 1)
        same = known and np.array_equal(cells[song, bar, track], cells[song, other, track])
        assert found[song, bar, track, index] == same
    assert {offset for index, offset in enumerate(OFFSETS) if found[..., index].any()} == {
        offset for offset in OFFSETS if abs(offset) < 19
    }
