"""What an evaluation measures: every metric with its name, definition and columns."""

import dataclasses
import itertools
from collections.abc import Callable

import numpy as np

from msw2.music import metrics, note_metrics, table1, tonality
from msw2.music.grid import Grid
from msw2.music.metrics import Ratio
from msw2.music.tracks import DRUMS, TRACK_NAMES

_DRUMS, _PITCHED = (TRACK_NAMES[DRUMS],), TRACK_NAMES[DRUMS + 1 :]  # drums come first
_PAIRS = tuple(itertools.combinations(range(len(_PITCHED)), 2))
# Scores of restored phrases against their originals, as in metrics.csv, and their titles; all are shares.
SCORES = {
    "F1_notes": "F1 of notes",
    "F1": "F1 of cells",
    "precision_notes": "precision of notes",
    "recall_notes": "recall of notes",
    "F1_notes_near": "F1 of notes, start within a step",
    "F1_notes_offset": "F1 of notes, with their ends",
    "notes_made": "notes made / notes there",
    "bars_exact": "bars given back exactly",
    "fragments_there": "fragments, original",
    "fragments_made": "fragments, restored",
    "precision": "precision of cells",
    "recall": "recall of cells",
    "bars_kept": "bars that still sound",
}
SCORES_TEXT = (
    "A note is right if its pitch and the step of its start are exact. With its end: it may end one step off, or a "
    "fifth of the original's length, whichever is more (as mir_eval counts). Bars are those that sound in the "
    "original; exactly: every cell. A fragment is a note shorter than three steps. A cell is one pitch at one step."
)
_CHUNK = 128  # phrases measured at a time, which bounds the temporary arrays to some 30 MB


@dataclasses.dataclass(frozen=True)
class Measure:
    """A metric with what its report needs.

    Attributes:
        name: as in metrics.csv.
        title: as in the tables, with its unit.
        compute: (pianoroll, grid) -> Ratio, a column for each of `columns`.
        definition: "correct", or "released" for the faulty functions of `table1`.
        tracks: names of the tracks that `compute` is given, neighbours on the track axis.
        scale: factor from the value in metrics.csv to the one in the tables, 100 for percent.
    """

    name: str
    title: str
    compute: Callable[[np.ndarray, Grid], Ratio]
    definition: str = "correct"
    tracks: tuple[str, ...] = TRACK_NAMES
    scale: float = 1.0

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns: tracks, or for TD pairs of tracks."""
        if self.name == "TD":
            return tuple(f"{self.tracks[first]}-{self.tracks[second]}" for first, second in _PAIRS)
        return self.tracks


def _bars_sounding(pianoroll: np.ndarray, _: Grid) -> Ratio:
    empty, bars, _ = metrics.empty_bar_rate(pianoroll)
    return Ratio(bars - empty, bars)


def _qualified_note_rate(pianoroll: np.ndarray, _: Grid) -> Ratio:
    return metrics.qualified_note_rate(pianoroll)


def _tonal_distance(pianoroll: np.ndarray, grid: Grid) -> Ratio:
    return tonality.tonal_distance(pianoroll, grid, _PAIRS)


NOTE_MEASURES = (
    Measure("notes_a_bar", "Notes a sounding bar", lambda roll, _: note_metrics.notes_a_bar(roll)),
    Measure(
        "note_length",
        "Length of a note (steps)",
        lambda roll, _: note_metrics.note_length(roll),
        tracks=_PITCHED,
    ),
    Measure(
        "fragments",
        "Fragments: notes of 1 or 2 steps (%)",
        lambda roll, _: note_metrics.fragments(roll),
        tracks=_PITCHED,
        scale=100,
    ),
    Measure(
        "bar_repeats",
        "Bars that repeat the bar before (%)",
        lambda roll, _: note_metrics.bar_repeats(roll),
        scale=100,
    ),
)
CORRECT = (
    Measure("EB", "EB: empty bars (%)", lambda roll, _: metrics.empty_bar_rate(roll), scale=100),
    Measure("UPC", "UPC: pitch classes a sounding bar", tonality.used_pitch_classes),
    Measure("QN", "QN: notes of 3 steps or more (%)", _qualified_note_rate, "correct", _PITCHED, 100),
    Measure(
        "PP", "PP: steps of 3 pitches or more (%)", lambda roll, _: metrics.polyphonicity(roll), scale=100
    ),
    Measure("DP", "DP: hits on the sixteenths (%)", metrics.drum_pattern_rate, "correct", _DRUMS, 100),
    Measure("SR", "SR: cells in C major (%)", tonality.scale_ratio, "correct", _PITCHED, 100),
    Measure("SR_best", "SR: cells in the best key (%)", tonality.best_scale_ratio, "correct", _PITCHED, 100),
    Measure("PCE", "Pitch-class entropy (bits)", tonality.pitch_class_entropy, "correct", _PITCHED),
    Measure("GC", "Groove consistency (%)", lambda roll, _: metrics.groove_consistency(roll), scale=100),
    Measure("cells", "Sounding cells a bar", lambda roll, _: metrics.cells_a_bar(roll)),
)
# Sets of phrases are compared by these. Fragments are 1 - QN, and would count the same twice.
COMPARED = (*(measure for measure in NOTE_MEASURES if measure.name != "fragments"), *CORRECT)
TONAL_DISTANCE = Measure("TD", "TD: tonal distance", _tonal_distance, "correct", _PITCHED)
COLLAPSE = (
    Measure(
        "silent_phrases", "Silent phrases (%)", lambda roll, _: metrics.silent_phrase_rate(roll), scale=100
    ),
    Measure("bars_sounding", "Sounding bars (%)", _bars_sounding, scale=100),
)
TABLE1 = (
    Measure("SR", "SR", lambda roll, _: table1.released_scale_ratio(roll), "released", scale=100),
    Measure("cells", "cells", lambda roll, _: table1.released_used_pitch_classes(roll), "released"),
    Measure("DP", "DP", lambda roll, _: table1.released_drum_pattern_rate(roll), "released", _DRUMS, 100),
)
RELEASED = (
    *TABLE1,
    Measure("EB", "EB", lambda roll, _: table1.released_empty_bar_rate(roll), "released", scale=100),
)
MEASURES = (*NOTE_MEASURES, *CORRECT, TONAL_DISTANCE, *COLLAPSE, *RELEASED)


def measure_all(phrases: np.ndarray, grid: Grid) -> dict[tuple[str, str], Ratio]:
    """Returns the counts of every measure, by its name and definition, of bool [phrase, bar, step, pitch, track]."""
    parts: dict[tuple[str, str], list[Ratio]] = {}
    for start in range(0, len(phrases), _CHUNK):
        chunk = metrics.by_track(phrases[start : start + _CHUNK])
        for measure in MEASURES:
            first = TRACK_NAMES.index(measure.tracks[0])
            tracks = chunk[..., first : first + len(measure.tracks)]  # a slice, because a list would copy
            parts.setdefault((measure.name, measure.definition), []).append(measure.compute(tracks, grid))
    return {name: metrics.joined(found) for name, found in parts.items()}
