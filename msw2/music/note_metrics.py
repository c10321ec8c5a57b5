"""Metrics of notes: which notes of a phrase come back in its restoration, and what the notes of any music are like.

A cell is a forty-eighth of a bar. So F1 over cells counts a note that is held for a bar 48 times, and these metrics
count it once. A note is a maximal run of cells of one pitch within a phrase. It may cross a bar line. On drums every
cell is a note of one step: LPD stores drums so.

Pianorolls are bool [phrase, bar, step, pitch, track]. `note_f1`, `note_scores` and `notes_a_bar` need all five tracks,
since they treat the first as drums. Results are `metrics.Ratio`s with a column for each track.
"""

import numpy as np

from msw2.music.metrics import (
    Ratio,
    as_time,
    by_track,
    check_same_shape,
    count,
    joined,
    onsets_of,
    qualified_note_rate,
    ratio,
    sounds,
)
from msw2.music.tracks import DRUMS

FRAGMENT = 3  # steps; a shorter note is a fragment: at 12 steps a beat, less than a sixteenth
_CHUNK = 128  # phrases at a time; it bounds the temporary arrays to some 50 MB


def note_scores(truth: np.ndarray, prediction: np.ndarray) -> dict[str, Ratio]:
    """Compares the notes of phrases with those of their restorations.

    A note comes back if a note of the restoration has its pitch and its start. `there` is the number of notes in the
    original. `made` is the number of notes in the restoration. `right` is the number of notes that come back.

    * `precision_notes`: right / made. NaN where the restoration is silent.
    * `recall_notes`: right / there. NaN where the original is silent.
    * `F1_notes`: 2 right / (there + made). NaN where both are silent.
    * `F1_notes_near`: the same, but a start may be one step early or late. Each note counts for one other note at
      most, and as many notes as possible are paired.
    * `F1_notes_offset`: the same as F1_notes, but a note must also end at the right step. It may be off by one step,
      or by 20 % of the original note's length, whichever is more.
    * `notes_made`: made / there. In 0 and up; 1 is best. NaN where the original is silent.
    * `bars_exact`: exact bars / bars that sound in the original. Every cell of an exact bar is right. NaN where the
      original is silent.
    * `fragments_there`, `fragments_made`: notes shorter than `FRAGMENT` steps / notes, of the original and of the
      restoration. NaN for drums, and for silence.

    All but `notes_made` are in 0..1. The scores of notes are those of mir_eval's `transcription` (Raffel et al. 2014),
    counted in steps instead of seconds.

    Args:
        truth: bool [phrase, bar, step, pitch, track], the five tracks.
        prediction: of the same shape.

    Raises:
        ValueError: if the shapes differ.
    """
    check_same_shape(truth, prediction)
    chunks = [slice(start, start + _CHUNK) for start in range(0, len(truth), _CHUNK)] or [slice(0)]
    found = [_scores(by_track(truth[chunk]), by_track(prediction[chunk])) for chunk in chunks]
    return {name: joined([each[name] for each in found]) for name in found[0]}


def note_f1(truth: np.ndarray, prediction: np.ndarray) -> Ratio:
    """Returns `F1_notes` of `note_scores` alone: F1 over notes, whose pitch and start must be exact.

    F1 = 2 right / (notes there + notes made), in 0..1; NaN where both are silent. The length does not count.

    Args:
        truth: bool [phrase, bar, step, pitch, track], the five tracks.
        prediction: of the same shape.

    Raises:
        ValueError: if the shapes differ.
    """
    check_same_shape(truth, prediction)
    there, made = note_starts(truth), note_starts(prediction)
    return _f1(*map(_count, (there & made, there, made)))


def notes_a_bar(pianoroll: np.ndarray) -> Ratio:
    """Notes / bars that sound. A note counts once, however many bars it crosses. NaN on silence.

    Args:
        pianoroll: bool [phrase, bar, step, pitch, track], the five tracks.
    """
    return ratio(_count(note_starts(pianoroll)), count(sounds(pianoroll), axis=1))


def note_length(pianoroll: np.ndarray) -> Ratio:
    """Steps of all notes / notes: the mean length of a note, in steps, 1 and up. NaN on silence.

    Do not use it for drums: their hits are one step long.

    Args:
        pianoroll: bool [phrase, bar, step, pitch, track], any tracks.
    """
    time = as_time(pianoroll)
    return ratio(_count(time), _count(onsets_of(time)))  # each cell belongs to one note


def fragments(pianoroll: np.ndarray) -> Ratio:
    """Notes shorter than `FRAGMENT` steps / notes. In 0..1; NaN on silence. It is 1 - QN, see `metrics`.

    Do not use it for drums: their hits are one step long.

    Args:
        pianoroll: bool [phrase, bar, step, pitch, track], any tracks.
    """
    long, notes, _ = qualified_note_rate(pianoroll, FRAGMENT)
    return ratio(notes - long, notes)


def bar_repeats(pianoroll: np.ndarray) -> Ratio:
    """Bars that repeat the bar before them, cell for cell / bars that sound and have a bar before them.

    In 0..1. Only bars of one phrase are compared. NaN on silence, and for phrases of one bar.

    Args:
        pianoroll: bool [phrase, bar, step, pitch, track], any tracks.
    """
    later = pianoroll[:, 1:]
    heard = sounds(later)
    return ratio(count(heard & ~sounds(later ^ pianoroll[:, :-1]), axis=1), count(heard, axis=1))


def note_starts(pianoroll: np.ndarray) -> np.ndarray:
    """Returns where notes start, bool [phrase, step of the phrase, pitch, track]; on drums, where any cell is.

    Args:
        pianoroll: bool [phrase, bar, step, pitch, track], the five tracks.
    """
    time = as_time(pianoroll)
    starts = onsets_of(time)
    starts[..., DRUMS] = time[..., DRUMS]
    return starts


def _scores(truth: np.ndarray, prediction: np.ndarray) -> dict[str, Ratio]:
    """`note_scores` of one chunk."""
    starts = note_starts(truth), note_starts(prediction)
    right, (there, made) = _count(starts[0] & starts[1]), map(_count, starts)
    heard = sounds(truth)
    exact = heard & ~sounds(truth ^ prediction)
    return {
        "precision_notes": ratio(right, made),
        "recall_notes": ratio(right, there),
        "F1_notes": _f1(right, there, made),
        "F1_notes_near": _f1(_near(*starts), there, made),
        "F1_notes_offset": _f1(_whole(truth, prediction, starts[0] & starts[1]), there, made),
        "notes_made": ratio(made, there),
        "bars_exact": ratio(count(exact, axis=1), count(heard, axis=1)),
        "fragments_there": _pitched(fragments(truth)),
        "fragments_made": _pitched(fragments(prediction)),
    }


def _f1(right: np.ndarray, there: np.ndarray, made: np.ndarray) -> Ratio:
    return ratio(2 * right, there + made)


def _near(there: np.ndarray, made: np.ndarray) -> np.ndarray:
    """Returns how many notes can be paired with one that starts at most a step apart, int64 [phrase, track].

    It goes from step to step, and pairs the earliest notes that are left over. No other pairing has more pairs, because
    all notes have the same tolerance.

    Args:
        there: bool [phrase, step, pitch, track], starts.
        made: of the same shape.
    """
    there, made = _steps(there), _steps(made)
    waiting_there, waiting_made = np.zeros((2, *there.shape[1:]), bool)  # of the step before, still alone
    pairs = np.zeros(there.shape[1:], np.uint16)
    for first, second in zip(there, made, strict=True):
        pairs += (first & second) | (waiting_there & second) | (waiting_made & first)
        # A note waits unless it was paired just now. Waiting notes are paired first.
        waiting_there, waiting_made = (
            first & (waiting_there | ~(second | waiting_made)),
            second & (waiting_made | ~(first | waiting_there)),
        )
    return pairs.sum(axis=-1, dtype=np.int64).T


def _whole(truth: np.ndarray, prediction: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Returns how many notes come back with their ends, int64 [phrase, track].

    Args:
        truth: bool [phrase, bar, step, pitch, track].
        prediction: of the same shape.
        right: bool [phrase, step, pitch, track], where a note of both starts.
    """
    right, truth, prediction = _steps(right), _steps(as_time(truth)), _steps(as_time(prediction))
    # Steps up to the end of the note that sounds.
    left, other_left = np.zeros((2, *right.shape[1:]), np.int16)
    pairs = np.zeros(right.shape[1:], np.uint16)
    for step in reversed(range(len(right))):
        left, other_left = (left + 1) * truth[step], (other_left + 1) * prediction[step]
        left[DRUMS] = other_left[DRUMS] = 1  # each cell is a note
        pairs += right[step] & (np.abs(left - other_left) <= np.maximum(left // 5, 1))
    return pairs.sum(axis=-1, dtype=np.int64).T


def _steps(cells: np.ndarray) -> np.ndarray:
    """[phrase, step, pitch, track] -> [step, track, phrase, pitch], each step in one piece of memory."""
    return np.moveaxis(cells, (1, 3), (0, 1)).copy()


def _pitched(counts: Ratio) -> Ratio:
    """Returns counts without those of drums."""
    kept = np.arange(counts.numerator.shape[1]) != DRUMS
    return ratio(counts.numerator * kept, counts.denominator * kept)


def _count(cells: np.ndarray) -> np.ndarray:
    """[phrase, step, pitch, track] -> cells that are on, [phrase, track]."""
    return count(cells, axis=(1, 2))
