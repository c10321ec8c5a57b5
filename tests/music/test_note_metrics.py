"""Rolls are drawn by hand, and every axis has another size; mir_eval is the judge of pairings."""

import mir_eval
import numpy as np
import pytest

from msw2.music import note_metrics
from msw2.music.notes import runs

NAN = np.nan
SHAPE = (1, 3, 16, 14, 5)  # one phrase of three bars
SCORES = ("precision_notes", "recall_notes", "F1_notes", "F1_notes_near", "F1_notes_offset")
PIANO = 1


def roll_of(*cells, shape=SHAPE):
    """[phrase, bar, step, pitch, track] with the given cells on; slices are allowed."""
    roll = np.zeros(shape, bool)
    for cell in cells:
        roll[cell] = True
    return roll


def piano(*notes, shape=SHAPE):
    """A roll with notes (pitch, start, end) of the piano, in steps of the phrase."""
    roll = np.zeros(shape, bool)
    time = roll.reshape(shape[0], -1, *shape[3:])
    for pitch, start, end in notes:
        time[0, start:end, pitch, PIANO] = True
    return roll


def moved(made):
    """Returns the piano's scores of a restoration of `MELODY` that are not perfect."""
    found = {name: score.pooled()[PIANO] for name, score in note_metrics.note_scores(MELODY, made).items()}
    assert found.pop("fragments_there") == 0
    perfect = dict.fromkeys(found, 1) | {"fragments_made": 0}
    return {name: pytest.approx(value) for name, value in found.items() if value != perfect[name]}


# A repeated note with a gap of one step, a long note over a bar line, and one of the second bar. Three bars sound.
NOTES = (3, 0, 7), (3, 8, 12), (5, 14, 40), (9, 20, 24)
MELODY = piano(*NOTES)


def test_a_perfect_restoration_moves_nothing():
    assert moved(MELODY) == {}


def test_a_filled_gap_loses_the_second_note_and_the_length_of_the_first():
    assert moved(piano((3, 0, 12), *NOTES[2:])) == {
        "recall_notes": 3 / 4,
        "F1_notes": 6 / 7,
        "F1_notes_near": 6 / 7,
        "F1_notes_offset": 4 / 7,
        "notes_made": 3 / 4,
        "bars_exact": 2 / 3,
    }


def test_a_cut_note_loses_its_length_alone():
    # A fifth of 26 steps is 5: 34 is too early by one step, 35 is not.
    cut = {"F1_notes_offset": 3 / 4, "bars_exact": 2 / 3}
    assert moved(piano(*NOTES[:2], (5, 14, 34), NOTES[3])) == cut
    assert moved(piano(*NOTES[:2], (5, 14, 35), NOTES[3])) == {"bars_exact": 2 / 3}
    # Of a short note it is one step, and what is left of it may be a fragment.
    assert moved(piano(*NOTES[:3], (9, 20, 23))) == {"bars_exact": 2 / 3}
    assert moved(piano(*NOTES[:3], (9, 20, 22))) == cut | {"fragments_made": 1 / 4}


def test_a_note_that_is_too_long_is_measured_by_the_original():
    # A fifth of the original's 26 steps is 5, of the restored 32 it would be 6.
    assert moved(piano(*NOTES[:2], (5, 14, 45), NOTES[3])) == {"bars_exact": 2 / 3}
    assert moved(piano(*NOTES[:2], (5, 14, 46), NOTES[3])) == {"F1_notes_offset": 3 / 4, "bars_exact": 2 / 3}


def test_a_wrong_octave_loses_the_note_but_not_its_number():
    lost = dict.fromkeys(SCORES, 3 / 4)
    assert moved(piano((3, 0, 7), (3, 8, 12), (5, 14, 40), (13, 20, 24))) == lost | {"bars_exact": 2 / 3}


def test_a_start_one_step_late_is_near_and_a_start_three_steps_late_is_not():
    late = dict.fromkeys(SCORES, 3 / 4) | {"bars_exact": 2 / 3}
    three = moved(piano(*NOTES[:3], (9, 23, 27)))
    assert three == late
    del late["F1_notes_near"]
    assert moved(piano(*NOTES[:3], (9, 21, 25))) == late
    assert moved(piano(*NOTES[:3], (9, 19, 24))) == late


def test_a_broken_note_is_two_notes():
    # 14 to 26 and 27 to 40: the bar of steps 16 to 31 is not exact, the others are.
    assert moved(piano(*NOTES[:2], (5, 14, 26), (5, 27, 40), NOTES[3])) == {
        "precision_notes": 4 / 5,
        "F1_notes": 8 / 9,
        "F1_notes_near": 8 / 9,
        "F1_notes_offset": 6 / 9,
        "notes_made": 5 / 4,
        "bars_exact": 2 / 3,
    }


def test_a_bar_that_was_silent_is_not_exact_and_not_asked_for():
    truth, made = piano((3, 0, 7)), piano((3, 0, 7), (4, 20, 23))
    scores = note_metrics.note_scores(truth, made)
    assert scores["bars_exact"].pooled()[PIANO] == 1
    assert scores["notes_made"].pooled()[PIANO] == 2


def test_counts_are_of_each_phrase_and_track_and_notes_do_not_cross_phrases():
    truth = roll_of(
        *((0, 0, 1, 4, 0), (0, 0, 2, 4, 0)),  # two hits of one drum, step after step
        *(
            (0, 0, slice(14, 16), 3, 1),
            (0, 1, slice(0, 3), 3, 1),
            (0, 1, 5, 7, 1),
        ),  # a note over the bar line
        *((0, 2, slice(10, 16), 2, 4), (1, 0, slice(0, 4), 2, 4)),  # to the end of a phrase, and from a start
        shape=(2, *SHAPE[1:]),
    )
    made = roll_of(
        *((0, 0, 1, 4, 0), (0, 0, 3, 4, 0)),  # the second hit late
        *((0, 0, slice(14, 16), 3, 1), (0, 1, 5, 8, 1)),  # the first cut short, the second a semitone off
        *((0, 2, slice(10, 16), 2, 4), (1, 0, slice(0, 4), 2, 4), (1, 2, 9, 9, 4)),
        shape=truth.shape,
    )
    scores = note_metrics.note_scores(truth, made)
    check(scores["recall_notes"], [[1, 1, 0, 0, 1], [0, 0, 0, 0, 1]], [[2, 2, 0, 0, 1], [0, 0, 0, 0, 1]])
    check(scores["precision_notes"], [[1, 1, 0, 0, 1], [0, 0, 0, 0, 1]], [[2, 2, 0, 0, 1], [0, 0, 0, 0, 2]])
    check(scores["F1_notes"], [[2, 2, 0, 0, 2], [0, 0, 0, 0, 2]], [[4, 4, 0, 0, 2], [0, 0, 0, 0, 3]])
    check(scores["F1_notes_near"], [[4, 2, 0, 0, 2], [0, 0, 0, 0, 2]], [[4, 4, 0, 0, 2], [0, 0, 0, 0, 3]])
    check(scores["F1_notes_offset"], [[2, 0, 0, 0, 2], [0, 0, 0, 0, 2]], [[4, 4, 0, 0, 2], [0, 0, 0, 0, 3]])
    check(scores["notes_made"], [[2, 2, 0, 0, 1], [0, 0, 0, 0, 2]], [[2, 2, 0, 0, 1], [0, 0, 0, 0, 1]])
    check(scores["bars_exact"], [[0, 1, 0, 0, 1], [0, 0, 0, 0, 1]], [[1, 2, 0, 0, 1], [0, 0, 0, 0, 1]])
    check(scores["fragments_there"], [[0, 1, 0, 0, 0], [0] * 5], [[0, 2, 0, 0, 1], [0, 0, 0, 0, 1]])
    check(scores["fragments_made"], [[0, 2, 0, 0, 0], [0, 0, 0, 0, 1]], [[0, 2, 0, 0, 1], [0, 0, 0, 0, 2]])
    check(note_metrics.note_f1(truth, made), *scores["F1_notes"][:2])


def check(score, numerator, denominator):
    np.testing.assert_array_equal(score.numerator, numerator)
    np.testing.assert_array_equal(score.denominator, denominator)


def test_silence_has_no_value():
    nothing, something = roll_of(), roll_of((0, 1, 2, 3, slice(None)))
    for score in note_metrics.note_scores(nothing, nothing).values():
        np.testing.assert_equal(score.pooled(), [NAN] * 5)
    lost = {name: score.pooled()[2] for name, score in note_metrics.note_scores(something, nothing).items()}
    kept = {"recall_notes": 0, "F1_notes": 0, "notes_made": 0, "bars_exact": 0, "fragments_there": 1}
    assert {name: value for name, value in lost.items() if not np.isnan(value)} == kept | {
        "F1_notes_near": 0,
        "F1_notes_offset": 0,
    }


def test_no_phrases_have_no_counts():
    scores = note_metrics.note_scores(roll_of()[:0], roll_of()[:0])
    assert {score.numerator.shape for score in scores.values()} == {(0, 5)}


def test_many_phrases_are_counted_as_each_alone():
    phrases = np.random.default_rng(1).random((300, *SHAPE[1:])) < 0.2
    others = phrases ^ (np.random.default_rng(2).random(phrases.shape) < 0.05)
    whole = note_metrics.note_scores(phrases, others)
    for index in (0, 127, 128, 299):
        alone = note_metrics.note_scores(phrases[index : index + 1], others[index : index + 1])
        for name, score in alone.items():
            np.testing.assert_array_equal(whole[name].numerator[index], score.numerator[0])
            np.testing.assert_array_equal(whole[name].denominator[index], score.denominator[0])


@pytest.mark.parametrize("density", [0.1, 0.5, 0.8])
def test_the_scores_are_those_of_mir_eval(density):
    """A step is a second there. Notes are dense, so that a note often has two others to be paired with."""
    rng = np.random.default_rng(round(10 * density))
    truth = rng.random((3, 2, 20, 4, 5)) < density
    made = np.where(rng.random(truth.shape) < 0.2, rng.random(truth.shape) < density, truth)
    made = np.where(rng.random((3, 1, 1, 1, 5)) < 0.5, made, np.roll(made, 1, axis=2))
    scores = note_metrics.note_scores(truth, made)
    tolerances = {
        "F1_notes": {"onset_tolerance": 0, "offset_ratio": None},
        "F1_notes_near": {"onset_tolerance": 1, "offset_ratio": None},
        "F1_notes_offset": {"onset_tolerance": 0, "offset_ratio": 0.2, "offset_min_tolerance": 1},
    }
    for phrase, track in np.ndindex(3, 5):
        real, other = (as_mir_eval(each[phrase, ..., track], track == 0) for each in (truth, made))
        for name, tolerance in tolerances.items():
            precision, recall, f1, _ = mir_eval.transcription.precision_recall_f1_overlap(
                *real, *other, **tolerance
            )
            counts = scores[name]
            assert counts.numerator[phrase, track] / counts.denominator[phrase, track] == pytest.approx(f1)
            if name == "F1_notes":
                for score, value in (("precision_notes", precision), ("recall_notes", recall)):
                    above, below, _ = scores[score]
                    assert above[phrase, track] / below[phrase, track] == pytest.approx(value)


def as_mir_eval(bars, is_drum):
    """[bar, step, pitch] -> intervals in seconds and pitches in Hz, as mir_eval takes notes."""
    pitches, starts, ends = runs(bars.reshape(-1, bars.shape[-1]), is_drum)
    return np.stack([starts, ends], axis=1).astype(float), 440 * 2.0 ** (pitches / 12)


def test_other_shapes_are_refused():
    message = r"shape \(1, 3, 16, 14, 2\) does not match truth of shape \(1, 3, 16, 14, 5\)"
    for score in (note_metrics.note_scores, note_metrics.note_f1):
        with pytest.raises(ValueError, match=message):
            score(MELODY, MELODY[..., :2])


# Phrase 0: two hits side by side, a chord over the bar line and a short note. Phrase 1: one short note.
MUSIC = roll_of(
    (0, 1, slice(4, 6), 2, 0),
    (0, 0, slice(12, 16), slice(3, 6), 2),
    (0, 1, slice(0, 2), slice(3, 6), 2),
    (0, 1, slice(7, 9), 8, 2),
    (1, 2, 15, 8, 2),
    shape=(2, *SHAPE[1:]),
)


def test_notes_a_bar_are_of_the_bars_that_sound():
    found = note_metrics.notes_a_bar(MUSIC)
    check(found, [[2, 0, 4, 0, 0], [0, 0, 1, 0, 0]], [[1, 0, 2, 0, 0], [0, 0, 1, 0, 0]])
    np.testing.assert_equal(found.pooled(), [2, NAN, 5 / 3, NAN, NAN])


def test_note_length_and_fragments_join_bars_but_not_phrases():
    pitched = MUSIC[..., 1:3]
    check(note_metrics.note_length(pitched), [[0, 3 * 6 + 2], [0, 1]], [[0, 4], [0, 1]])
    check(note_metrics.fragments(pitched), [[0, 1], [0, 1]], [[0, 4], [0, 1]])
    three = roll_of((0, 0, slice(1, 4), 5, 1), (0, 0, slice(1, 3), 6, 1))
    np.testing.assert_equal(note_metrics.fragments(three[..., 1:]).pooled(), [1 / 2, NAN, NAN, NAN])


def test_a_bar_repeats_the_one_before_it_cell_for_cell():
    roll = roll_of(
        (0, slice(0, 3), 2, 4, 1),  # twice repeated
        *((0, 0, 3, 5, 2), (0, 1, 3, 6, 2), (0, 2, 3, 6, 2)),  # another pitch, then the same
        *((0, 0, 3, 5, 3), (0, 2, 3, 5, 3)),  # with a silent bar between
        (1, 0, 3, 5, 3),  # repeats the bar before it, of another phrase
        *((1, 0, 9, 9, 4), (1, 1, slice(9, 11), 9, 4)),  # with a cell more
        shape=(2, *SHAPE[1:]),
    )
    found = note_metrics.bar_repeats(roll)
    check(found, [[0, 2, 1, 0, 0], [0, 0, 0, 0, 0]], [[0, 2, 2, 1, 0], [0, 0, 0, 0, 1]])
    np.testing.assert_equal(found.pooled(), [NAN, 1, 1 / 2, 0, 0])
    np.testing.assert_equal(note_metrics.bar_repeats(roll[:, :1]).pooled(), [NAN] * 5)
