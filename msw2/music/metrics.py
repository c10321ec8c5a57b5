"""Metrics of texture and rhythm, by their correct definitions.

Metrics of pitch classes are in `tonality`, of notes and their restoration in `note_metrics`.

Every metric is a ratio of two counts, and returns both counts for each phrase. So one pass over the music is
enough for a pooled value and for its bootstrap interval. Silence needs no extra rule: a denominator that counts
nothing (no notes, no sounding bars) makes the value NaN, never a flattering 0 or 1.

Pianorolls are bool [phrase, bar, step, pitch, track] throughout. A note is a maximal run of cells of one pitch
within a phrase. It may cross a bar line. Repeated notes without a gap between them are one note.
"""

import typing

import numpy as np

from msw2.music.grid import Grid


class Ratio(typing.NamedTuple):
    """A metric of a set of phrases, before pooling.

    Attributes:
        numerator: float64 [phrase, column]; a column is a track, or a pair of tracks.
        denominator: float64 [phrase, column].
        silence: the pooled value where the denominator is 0.
    """

    numerator: np.ndarray
    denominator: np.ndarray
    silence: float = np.nan

    def pooled(self, weights: np.ndarray | None = None) -> np.ndarray:
        """Returns sum of numerators / sum of denominators, float64 [column].

        Args:
            weights: [..., phrase], how often each phrase counts; then the result is [..., column].
        """
        weights = np.ones(len(self.numerator)) if weights is None else weights
        above, below = weights @ self.numerator, weights @ self.denominator
        return np.divide(above, below, out=np.full_like(below, self.silence), where=below > 0)


def ratio(numerator: np.ndarray, denominator: np.ndarray | float, silence: float = np.nan) -> Ratio:
    """Returns a Ratio of float64 counts. The denominator may be one number for all phrases and columns."""
    numerator = np.asarray(numerator, np.float64)
    return Ratio(numerator, np.broadcast_to(np.asarray(denominator, np.float64), numerator.shape), silence)


def joined(ratios: list[Ratio]) -> Ratio:
    """Returns the counts of all phrases as one Ratio, from those of their parts, at least one."""
    numerators, denominators, silence = zip(*ratios, strict=True)
    return Ratio(np.concatenate(numerators), np.concatenate(denominators), silence[0])


def empty_bar_rate(pianoroll: np.ndarray) -> Ratio:
    """EB: bars without sound / bars. In 0..1; 1 on silence (MuseGAN, Dong et al. 2018)."""
    return ratio(_count(~sounds(pianoroll)), pianoroll.shape[1])


def cells_a_bar(pianoroll: np.ndarray) -> Ratio:
    """Sounding (step, pitch) cells / bars, silent bars included. In 0..steps x pitches; 0 on silence."""
    return ratio(_cells(pianoroll), pianoroll.shape[1])


def polyphonicity(pianoroll: np.ndarray, more_than: int = 2) -> Ratio:
    """PP: steps with more than `more_than` pitches / steps, silent steps included.

    In 0..1; 0 on silence. Source: BMuseGAN (Dong and Yang 2018); its threshold is more than two pitches.
    """
    polyphonic = count(pianoroll, axis=3) > more_than
    return ratio(count(polyphonic, axis=(1, 2)), pianoroll.shape[1] * pianoroll.shape[2])


def qualified_note_rate(pianoroll: np.ndarray, shortest: int = 3) -> Ratio:
    """QN: notes of at least `shortest` steps / notes. In 0..1; NaN on silence.

    Source: MuseGAN (Dong et al. 2018): "no shorter than three time steps". Three steps are a 32nd note at
    MuseGAN's 24 steps a beat, and a 16th at 12. Do not use it for drums: their hits are one step long.
    """
    time = as_time(pianoroll)
    onsets = onsets_of(time)
    held = onsets[:, : time.shape[1] - shortest + 1].copy(order="K")
    for later in range(1, shortest):
        held &= time[:, later : later + held.shape[1]]
    return ratio(count(held, axis=(1, 2)), count(onsets, axis=(1, 2)))


def drum_pattern_rate(pianoroll: np.ndarray, grid: Grid, tolerance: int = 0) -> Ratio:
    """DP: hits on the 16-beat pattern / hits. In 0..1; NaN on silence.

    A 16-beat pattern has its hits on the sixteenths of the bar. An 8-beat pattern has them on every second
    sixteenth, so one grid holds both. Every cell is a hit, as LPD stores drums. Source: MuseGAN (Dong et al.
    2018).

    Args:
        pianoroll: bool [phrase, bar, step, pitch, track]; of use for drums.
        grid: gives the steps of a sixteenth, a quarter of `beat_resolution`. A quarter may be a fraction.
        tolerance: largest distance from the nearest sixteenth, in steps, of a hit that counts. At 12 steps
            a beat, 1 would let every hit count: the sixteenths are three steps apart.
    """
    sixteenths = np.arange(17) * grid.beat_resolution / 4
    distance = np.abs(np.arange(grid.steps)[:, None] - sixteenths).min(axis=1)
    hits = count(pianoroll, axis=3).sum(axis=1)  # [phrase, step, track]
    return ratio(hits[:, distance <= tolerance].sum(axis=1), hits.sum(axis=1))


def groove_consistency(pianoroll: np.ndarray) -> Ratio:
    """GC: 1 - mean Hamming distance, a step, of the onset patterns of neighbouring bars.

    GC = 1 - 1/(T-1) sum_t |g_t XOR g_(t+1)| / Q, with g_t[q] = whether any note starts at step q of bar t,
    T bars and Q steps. In 0..1. Silent phrases do not count, so it is NaN on silence. It is NaN for phrases
    of one bar. A silent bar between sounding ones does count. Source: Wu and Yang 2020; MusPy. MusPy's code
    compares one empty bar too many; this does not.
    """
    onsets = onsets_of(as_time(pianoroll)).any(axis=2)
    grooves = onsets.reshape(*pianoroll.shape[:3], pianoroll.shape[4])
    alike = (grooves[:, 1:] == grooves[:, :-1]).mean(axis=2)  # [phrase, bar - 1, track]
    sounds = grooves.any((1, 2))
    return ratio(alike.sum(axis=1) * sounds, (pianoroll.shape[1] - 1) * sounds)


def silent_phrase_rate(pianoroll: np.ndarray) -> Ratio:
    """Phrases without sound / phrases. In 0..1; 1 on silence. Near 1, the track has collapsed."""
    return ratio(~sounds(pianoroll).any(1), 1)


def kept_bar_rate(truth: np.ndarray, prediction: np.ndarray) -> Ratio:
    """Bars that sound in both / bars that sound in the truth. In 0..1; NaN where the truth is silent.

    Args:
        truth: bool [phrase, bar, step, pitch, track].
        prediction: the restoration, of the same shape.

    Raises:
        ValueError: if the shapes differ.
    """
    check_same_shape(truth, prediction)
    original, restored = sounds(truth), sounds(prediction)
    return ratio(_count(original & restored), _count(original))


def f1_scores(truth: np.ndarray, prediction: np.ndarray) -> tuple[Ratio, Ratio, Ratio]:
    """Returns precision, recall and F1 over cells, for each track. Pooled, they are micro averages.

    precision = TP / (TP + FP), recall = TP / (TP + FN), F1 = 2 TP / (2 TP + FP + FN). In 0..1. A silent
    prediction has precision NaN, recall 0 and F1 0. A silent truth has recall NaN. All three are NaN where
    both are silent.

    Args:
        truth: bool [phrase, bar, step, pitch, track].
        prediction: of the same shape.

    Raises:
        ValueError: if the shapes differ.
    """
    check_same_shape(truth, prediction)
    hits, on, found = _cells(truth & prediction), _cells(truth), _cells(prediction)
    return ratio(hits, found), ratio(hits, on), ratio(2 * hits, found + on)


def count(cells: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    """Returns `np.count_nonzero` of bool, int64, several times as fast. It sums in the smallest type that fits.

    Args:
        cells: bool of any shape.
        axis: as in NumPy. The last of several axes is summed first.
    """
    total, most = cells.view(np.uint8), 1
    for each in sorted((axis,) if isinstance(axis, int) else axis, reverse=True):
        most *= cells.shape[each]
        total = total.sum(axis=each, dtype=np.min_scalar_type(most))
    return total.astype(np.int64)


def check_same_shape(truth: np.ndarray, prediction: np.ndarray) -> None:
    """Raises ValueError unless both have one shape."""
    if truth.shape != prediction.shape:
        raise ValueError(
            f"prediction of shape {prediction.shape} does not match truth of shape {truth.shape}"
        )


def _count(bars: np.ndarray) -> np.ndarray:
    """[phrase, bar, track] -> [phrase, track]."""
    return count(bars, axis=1)


def sounds(pianoroll: np.ndarray) -> np.ndarray:
    """[phrase, bar, step, pitch, track] -> whether the track sounds, [phrase, bar, track]."""
    return pianoroll.any(2).any(2)  # one `any` over two axes takes ten times as long


def _cells(pianoroll: np.ndarray) -> np.ndarray:
    """[phrase, bar, step, pitch, track] -> cells that sound, [phrase, track]."""
    return count(pianoroll, axis=(1, 2)).sum(axis=1)


def by_track(phrases: np.ndarray) -> np.ndarray:
    """Copies [..., track] so that each track is one piece of memory. Metrics read it twice as fast."""
    return np.moveaxis(np.moveaxis(phrases, -1, 0).copy(), 0, -1)


def as_time(pianoroll: np.ndarray) -> np.ndarray:
    """Joins the bars: [phrase, bar, step, pitch, track] -> [phrase, step of the phrase, pitch, track]."""
    return pianoroll.reshape(len(pianoroll), pianoroll.shape[1] * pianoroll.shape[2], *pianoroll.shape[3:])


def onsets_of(time: np.ndarray) -> np.ndarray:
    """Returns where notes start, bool [phrase, step, pitch, track] as given. A note at step 0 starts there."""
    onsets = time.copy(order="K")  # keeps each track in its own piece of memory
    onsets[:, 1:] &= ~time[:, :-1]
    return onsets
