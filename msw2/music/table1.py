"""The released metrics, fault for fault, and the paper's Table I as printed. They serve to stand side by side.

The metrics are MuseGAN v3's, and do not measure what their names say. Use `metrics` and `tonality` for any other
purpose. The released "qualified note rate" is left out: it flattens time-major, so every note counts as long, and it
is always 1.
"""

import dataclasses

import numpy as np

from msw2.music.metrics import Ratio, count, ratio

BANDS = 12
_SCALE_BANDS = (0, 2, 4, 5, 7, 9, 11)  # C major, had the bands been pitch classes
_DRUM_WEIGHTS = (1.0, 0.1, 0.1)  # on a sixteenth of 48 steps a bar, and beside it


def released_empty_bar_rate(pianoroll: np.ndarray) -> Ratio:
    """Bars that are NOT empty / bars. In 0..1; 0 on silence. Fault: the negation is missing."""
    return ratio(count(pianoroll.any(2).any(2), axis=1), pianoroll.shape[1])


def released_used_pitch_classes(pianoroll: np.ndarray) -> Ratio:
    """Active (step, band) cells / bars, silent bars included. In 0..steps x 12; 0 on silence.

    Faults: the code adds the steps of a bar instead of uniting them, and the bands are not pitch classes.
    """
    active = _bands(pianoroll, axis=3).any(axis=4)  # [phrase, bar, step, band, track]
    return ratio(count(active, axis=(1, 2, 3)), pianoroll.shape[1])


def released_scale_ratio(pianoroll: np.ndarray) -> Ratio:
    """Cells whose band is one of 0, 2, 4, 5, 7, 9, 11 / cells. In 0..1; NaN on silence.

    Fault: the bands are not pitch classes. Every semitone counts, so a band with two sounding semitones counts
    twice. Real songs come nearer to the printed row this way.
    """
    counts = _bands(count(pianoroll, axis=(1, 2)), axis=1).sum(axis=2)  # [phrase, band, track]
    return ratio(counts[:, _SCALE_BANDS].sum(axis=1), counts.sum(axis=1))


def released_drum_pattern_rate(pianoroll: np.ndarray) -> Ratio:
    """Hits weighted 1, 0.1, 0.1 by their step modulo 3 / hits. In 0.1..1; 0 on silence.

    Fault: the tolerance covers every step, so no hit is out of pattern.
    """
    hits = count(pianoroll, axis=3).sum(axis=1)  # [phrase, step, track]
    weights = np.resize(_DRUM_WEIGHTS, hits.shape[1])
    return ratio(np.einsum("s,pst->pt", weights, hits), hits.sum(axis=1), silence=0.0)


def _bands(cells: np.ndarray, axis: int) -> np.ndarray:
    """Splits the pitch axis into [band, semitone]: twelve bands of neighbours, whatever the lowest pitch is.

    Fault: 84 pitches are split 12 x 7, but 7 octaves x 12 is meant. Other sizes are first padded to a
    multiple of twelve.
    """
    if missing := -cells.shape[axis] % BANDS:
        padding = [(0, 0)] * cells.ndim
        padding[axis] = (0, missing)
        cells = np.pad(cells, padding)
    return cells.reshape(*cells.shape[:axis], BANDS, -1, *cells.shape[axis + 1 :])


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of Table I; percent for SR and DP, cells a bar for "UPC".

    Attributes:
        scale_ratio: percent, by track.
        cells: active (step, band) cells a bar, by track; NaN where the paper prints none.
        drum_pattern: percent.
    """

    scale_ratio: tuple[float, ...]
    cells: tuple[float, ...]
    drum_pattern: float


# Re-labelled: the headers B D G P S stand above drums, piano, guitar, bass, strings.
PRINTED = {
    "dataset": Row((60.4, 72.1, 71.7, 46.1, 71.4), (15, np.nan, 75, 41, 82), 94.4),
    "MSG1": Row((97.6, 73.7, 70.5, 35.8, 80.0), (4, np.nan, 106, 47, 66), 98.5),
    "MSG2": Row((53.0, 72.6, 80.2, 43.5, 73.7), (16, np.nan, 88, 37, 70), 97.4),
    "MSR": Row((55.9, 71.6, 72.5, 50.3, 77.3), (14, np.nan, 72, 48, 78), 97.6),
}
PRINTED_CELL_TRACKS = tuple(np.flatnonzero(~np.isnan(PRINTED["dataset"].cells)))  # all but piano


def distance(row: Row, dataset: Row) -> tuple[float, float, float]:
    """Mean absolute distance of a row to the dataset row, over the columns that the paper prints.

    Returns:
        SR in percentage points over the five tracks, cells over the four tracks without piano, and DP in
        percentage points. NaN where a track is silent throughout, since it then has no SR.
    """
    scale = np.abs(np.subtract(row.scale_ratio, dataset.scale_ratio)).mean()
    cells = np.abs(np.subtract(row.cells, dataset.cells))[list(PRINTED_CELL_TRACKS)].mean()
    return float(scale), float(cells), abs(row.drum_pattern - dataset.drum_pattern)
