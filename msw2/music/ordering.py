"""How the notes of a phrase follow one another, and go together, as a vector of shares.

The same notes in random order have the same histograms of pitches, lengths and starts. They do not have these shares.
A start is a step of a track at which a note starts. What two sets share is twice the number in both / the sum of their
numbers. Drums and bass have components of their own. `pitched` counts all tracks but the drums together:

* `repeats_1`, `repeats_2`: what notes share with those one bar and two bars later, by pitch and step;
* `groove`: what starts share with those one bar later;
* `pulse`: of three starts in a row, how often both distances are the same;
* `returns`: the same for the notes of each pitch;
* `lengths`: notes as long as the note before;
* `ends`: of two neighbouring notes that start together, how often they end together;
* `legato`: notes at whose end another note of the track starts. Notes that last to the end of the phrase do not count;
* `overlaps`: starts at which an earlier note of the track still sounds;
* `near`, `leaps`: of the highest notes of two starts in a row, how often they are at most two semitones apart, and at
  least six.

Notes are in the order of their starts, then of their pitches. Of the sound in a step:

* `clash_within`: pairs of pitch classes of a track that are a semitone apart / pairs. It is the square root;
* `clash_between`: the same for pairs of two tracks, a class from each;
* `unison`: pairs of two tracks that are the same class / pairs;
* `starts_together`: what starts of two pitched tracks share, where both play in the phrase;
* `with_drums`: starts of pitched tracks at which drums start, too, where drums play in the phrase;
* `next_bar`: what the pitch classes of a beat share with those one bar later, all pitched tracks together;
* `beat_classes`: pitch classes of a beat / of the phrase, the mean over the beats.

A share of nothing is 0.
"""

import itertools
from collections.abc import Iterable

import numpy as np

from msw2.music.grid import BEATS_PER_BAR, Grid
from msw2.music.metrics import as_time, by_track, count
from msw2.music.note_metrics import note_starts
from msw2.music.tonality import PITCH_CLASSES
from msw2.music.tracks import DRUMS, TRACKS, track_index

_BASS = track_index("bass")
_PITCHED = [index for index, track in enumerate(TRACKS) if not track.is_drum]
_OF_DRUMS = ("repeats_1", "repeats_2", "pulse", "returns")
_OF_BASS = ("groove", "overlaps")
_OF_PITCHED = (
    *("repeats_1", "repeats_2", "groove", "pulse", "returns", "lengths"),
    *("ends", "legato", "overlaps", "near", "leaps"),
)
_OF_STEPS = (
    *("clash_within", "clash_between", "unison", "starts_together", "with_drums", "next_bar"),
    "beat_classes",
)
NAMES = (
    *(f"drums_{name}" for name in _OF_DRUMS),
    *(f"bass_{name}" for name in _OF_BASS),
    *(f"pitched_{name}" for name in _OF_PITCHED),
    *_OF_STEPS,
)
NEAR, LEAP = 2, 6  # semitones
_ROOTS = {"clash_within", "clash_between"}  # most are near 0, where the root tells more
_CHUNK = 128  # phrases at a time; it bounds the temporary arrays to some 50 MB

Counts = dict[str, tuple[np.ndarray, np.ndarray]]  # name -> how often, of how many; int64 [phrase] each


def order_features(phrases: np.ndarray, grid: Grid) -> np.ndarray:
    """Returns the vectors of phrases.

    Args:
        phrases: bool [phrase, bar, step, pitch, track], all five tracks.
        grid: their grid.

    Returns:
        float64 [phrase, component], 0..1; `NAMES` has the components in order.
    """
    parts = [np.zeros((0, len(NAMES)))]
    for start in range(0, len(phrases), _CHUNK):
        parts.append(_vectors(by_track(phrases[start : start + _CHUNK]), grid))
    return np.concatenate(parts)


def _vectors(phrases: np.ndarray, grid: Grid) -> np.ndarray:
    cells, starts = as_time(phrases), note_starts(phrases)
    tracks = [_track(starts[..., track], cells[..., track], grid) for track in range(len(TRACKS))]
    pitched = _pooled(tracks[track] for track in _PITCHED)
    together = _chords(cells[..., DRUMS + 1 :], grid) | _company(starts)
    columns = [
        *(_share(tracks[DRUMS][name]) for name in _OF_DRUMS),
        *(_share(tracks[_BASS][name]) for name in _OF_BASS),
        *(_share(pitched[name]) for name in _OF_PITCHED),
        *(
            np.sqrt(_share(together[name])) if name in _ROOTS else _share(together[name])
            for name in _OF_STEPS
        ),
    ]
    return np.stack(columns, axis=1)


def _track(starts: np.ndarray, cells: np.ndarray, grid: Grid) -> Counts:
    """Counts what belongs to one track; both bool [phrase, step, pitch]."""
    pulse = starts.any(axis=2)
    held = (cells & ~starts).any(axis=2)
    counts = {
        "repeats_1": _shared_with_later(starts, grid.steps),
        "repeats_2": _shared_with_later(starts, 2 * grid.steps),
        "groove": _shared_with_later(pulse[..., None], grid.steps),
        "overlaps": (count(pulse & held, axis=1), count(pulse, axis=1)),
    }
    return counts | _line(starts, pulse) | _notes(starts, cells, pulse)


def _shared_with_later(cells: np.ndarray, lag: int) -> tuple[np.ndarray, np.ndarray]:
    earlier, later = cells[:, :-lag], cells[:, lag:]
    size = count(earlier, axis=(1, 2)) + count(later, axis=(1, 2))
    return 2 * count(earlier & later, axis=(1, 2)), size


def _line(starts: np.ndarray, pulse: np.ndarray) -> Counts:
    """Counts over the starts of a track in a row; `pulse` is bool [phrase, step]."""
    phrase, step = np.nonzero(pulse)
    highest = starts.shape[2] - 1 - starts[phrase, step, ::-1].argmax(axis=1)
    size, same = len(pulse), phrase[1:] == phrase[:-1]
    interval = np.abs(np.diff(highest))
    return {
        "pulse": _even(phrase, step, same, size),
        "near": _of_neighbours(phrase, same, interval <= NEAR, size),
        "leaps": _of_neighbours(phrase, same, interval >= LEAP, size),
    }


def _notes(starts: np.ndarray, cells: np.ndarray, pulse: np.ndarray) -> Counts:
    """Counts over the notes of a track."""
    size, steps = pulse.shape
    phrase, pitch, start = np.nonzero(np.moveaxis(starts, 1, 2))
    # A note ends where its pitch is silent or starts anew. Ends are found in the order of their starts.
    ends = np.zeros((size, starts.shape[2], steps + 1), bool)
    sounds = np.moveaxis(cells, 1, 2)
    ends[..., 1:-1] = sounds[..., :-1] & (~sounds[..., 1:] | np.moveaxis(starts, 1, 2)[..., 1:])
    ends[..., -1] = sounds[..., -1]
    end = np.nonzero(ends)[2]
    counts = {"returns": _even(phrase, start, (phrase[1:] == phrase[:-1]) & (pitch[1:] == pitch[:-1]), size)}
    order = np.lexsort((pitch, start, phrase))
    phrase, start, end = phrase[order], start[order], end[order]
    same = phrase[1:] == phrase[:-1]
    inside = end < steps
    met = inside & np.pad(pulse, ((0, 0), (0, 1)))[phrase, end]
    return counts | {
        "lengths": _of_neighbours(phrase, same, np.diff(end - start) == 0, size),
        "ends": _of_neighbours(phrase, same & (np.diff(start) == 0), np.diff(end) == 0, size),
        "legato": (_by_phrase(phrase, met, size), _by_phrase(phrase, inside, size)),
    }


def _even(phrase: np.ndarray, step: np.ndarray, same: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Of three in a row, how often the two distances are equal; `same` tells which neighbours belong together."""
    distance = np.diff(step)
    return _of_neighbours(phrase[1:], same[1:] & same[:-1], np.diff(distance) == 0, size)


def _of_neighbours(phrase: np.ndarray, counted: np.ndarray, found: np.ndarray, size: int):
    return _by_phrase(phrase[1:], counted & found, size), _by_phrase(phrase[1:], counted, size)


def _by_phrase(phrase: np.ndarray, found: np.ndarray, size: int) -> np.ndarray:
    return np.bincount(phrase[found], minlength=size)


def _chords(cells: np.ndarray, grid: Grid) -> Counts:
    """Counts pitch classes that sound together or after one another; `cells` of the pitched tracks."""
    # What class is called C does not matter here.
    classes = [
        np.stack([cells[:, :, c::PITCH_CLASSES, track].any(axis=2) for c in range(PITCH_CLASSES)], axis=2)
        for track in range(cells.shape[-1])
    ]
    above = [np.roll(each, 1, axis=2) for each in classes]
    numbers = [count(each, axis=2) for each in classes]
    within, between = [], []
    for track, number in enumerate(numbers):
        pairs = (number * (number - 1) // 2).sum(axis=1)
        within.append({"clash_within": (count(classes[track] & above[track], axis=(1, 2)), pairs)})
    for first, second in itertools.combinations(range(len(classes)), 2):
        pairs = (numbers[first] * numbers[second]).sum(axis=1)
        up, down = classes[first] & above[second], above[first] & classes[second]
        clashes = count(up, axis=(1, 2)) + count(down, axis=(1, 2))
        same = count(classes[first] & classes[second], axis=(1, 2))
        between.append({"clash_between": (clashes, pairs), "unison": (same, pairs)})
    return _pooled(within) | _pooled(between) | _beats(np.any(classes, axis=0), grid)


def _beats(classes: np.ndarray, grid: Grid) -> Counts:
    """Counts the pitch classes of beats, from bool [phrase, step, class]."""
    beats = classes.reshape(len(classes), -1, grid.beat_resolution, PITCH_CLASSES).any(axis=2)
    used = count(beats.any(axis=1), axis=1)
    return {
        "next_bar": _shared_with_later(beats, BEATS_PER_BAR),
        "beat_classes": (count(beats, axis=(1, 2)), beats.shape[1] * used),
    }


def _company(starts: np.ndarray) -> Counts:
    """Counts what starts together, from bool [phrase, step, pitch, track]."""
    pulse = starts.any(axis=2)
    number = count(pulse, axis=1)
    found = []
    for first, second in itertools.combinations(_PITCHED, 2):
        both = (number[:, first] > 0) & (number[:, second] > 0)
        shared = 2 * count(pulse[..., first] & pulse[..., second], axis=1)
        found.append({"starts_together": (shared, both * (number[:, first] + number[:, second]))})
    drums = number[:, DRUMS] > 0
    with_drums = [
        {"with_drums": (count(pulse[..., DRUMS] & pulse[..., track], axis=1), drums * number[:, track])}
        for track in _PITCHED
    ]
    return _pooled(found) | _pooled(with_drums)


def _pooled(parts: Iterable[Counts]) -> Counts:
    """Adds up counts of the same names."""
    parts = list(parts)
    return {
        name: (sum(each[name][0] for each in parts), sum(each[name][1] for each in parts))
        for name in parts[0]
    }


def _share(counts: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    part, whole = counts
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
