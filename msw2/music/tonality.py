"""Metrics of pitch classes, by their correct definitions: UPC, scale ratio, entropy and tonal distance.

They return `metrics.Ratio`, which explains pooling and silence. Pianorolls are bool [phrase, bar, step, pitch,
track]. A pitch class is MIDI pitch mod 12 (0 = C), counted from the grid's `lowest_pitch`. These metrics mean little
on drums, since drum pitches name instruments.
"""

import numpy as np

from msw2.music.grid import Grid
from msw2.music.metrics import Ratio, count, ratio

PITCH_CLASSES = 12
# Semitones above the tonic; minor is natural minor.
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
_MAJOR_KEYS = (np.arange(PITCH_CLASSES)[:, None] + SCALES["major"]) % PITCH_CLASSES  # [key, degree]

# Harte, Sandler, Gasser 2006: circles of fifths, minor thirds and major thirds, with radii 1, 1 and 0.5.
_ANGLES = np.arange(PITCH_CLASSES) * np.pi * np.array([[7 / 6], [3 / 2], [2 / 3]])
_RADII = np.array([[1.0], [1.0], [0.5]])
_TONAL_SPACE = np.concatenate([_RADII * np.sin(_ANGLES), _RADII * np.cos(_ANGLES)])  # [6, pitch class]


def pitch_class_counts(cells: np.ndarray, grid: Grid) -> np.ndarray:
    """Sums [..., pitch, track] over octaves, int64 [..., pitch class, track], pitch class 0 = C.

    Raises:
        ValueError: if the pitch axis is not the grid's.
    """
    if cells.shape[-2] != grid.pitches:
        raise ValueError(f"a pianoroll of {cells.shape[-2]} pitches does not fit the grid's {grid.pitches}")
    below = grid.lowest_pitch % PITCH_CLASSES  # every octave then begins with C
    above = -(below + grid.pitches) % PITCH_CLASSES
    octaves = np.pad(cells, [(0, 0)] * (cells.ndim - 2) + [(below, above), (0, 0)])
    return octaves.reshape(*cells.shape[:-2], -1, PITCH_CLASSES, cells.shape[-1]).sum(axis=-3)


def used_pitch_classes(pianoroll: np.ndarray, grid: Grid) -> Ratio:
    """UPC: distinct pitch classes of a bar, summed over bars / sounding bars.

    In 1..12; NaN on silence. Source: MuseGAN (Dong et al. 2018).
    """
    sounding = pianoroll.any(2)  # [phrase, bar, pitch, track]
    used = np.count_nonzero(pitch_class_counts(sounding, grid), axis=(1, 2))
    return ratio(used, count(sounding.any(2), axis=1))


def scale_ratio(pianoroll: np.ndarray, grid: Grid, tonic: int = 0, mode: str = "major") -> Ratio:
    """SR: cells whose pitch class is in the scale / cells. In 0..1; NaN on silence; 7/12 for uniform noise.

    The unit is the cell, so long notes weigh more, as in MuseGAN.

    Args:
        pianoroll: bool [phrase, bar, step, pitch, track].
        grid: for its lowest pitch.
        tonic: pitch class of the key, 0..11, 0 = C.
        mode: "major" or "minor" (natural).

    Raises:
        ValueError: if the key does not exist.
    """
    if mode not in SCALES or tonic not in range(PITCH_CLASSES):
        raise ValueError(f"key {tonic!r} {mode!r} is not a tonic in 0..11 with one of {', '.join(SCALES)}")
    counts = _phrase_counts(pianoroll, grid)
    scale = (np.array(SCALES[mode]) + tonic) % PITCH_CLASSES
    return ratio(counts[:, scale].sum(axis=1), counts.sum(axis=1))


def best_scale_ratio(pianoroll: np.ndarray, grid: Grid) -> Ratio:
    """SR in the best of the 24 keys, chosen for each phrase and track (MusPy's "scale consistency").

    In 7/12..1; NaN on silence. Natural minor has the pitch classes of its relative major, so the 24 keys
    are twelve sets.
    """
    counts = _phrase_counts(pianoroll, grid)
    return ratio(counts[:, _MAJOR_KEYS].sum(axis=2).max(axis=1), counts.sum(axis=1))


def best_tonic(counts: np.ndarray) -> np.ndarray:
    """Returns the tonic of the major key that holds most cells, int64 [phrase] in 0..11.

    A tie goes to the key whose tonic sounds most, then to the lowest tonic. Silence gives C.

    Args:
        counts: int64 [phrase, pitch class], cells.
    """
    held = counts[:, _MAJOR_KEYS].sum(axis=2)  # [phrase, key]
    return (held * (counts.sum(axis=1, keepdims=True) + 1) + counts).argmax(axis=1)


def pitch_class_entropy(pianoroll: np.ndarray, grid: Grid) -> Ratio:
    """Entropy of a phrase's pitch-class histogram over cells, in bits: the mean of the sounding phrases.

    H = -sum_c p_c log2 p_c. In 0 (one pitch class) .. log2 12 = 3.585; NaN on silence.
    Source: Wu and Yang 2020; MusPy.
    """
    counts = _phrase_counts(pianoroll, grid).astype(np.float64)
    total = counts.sum(axis=1)
    shares = counts / np.maximum(total, 1)[:, None]
    bits = -(shares * np.log2(shares, out=np.zeros_like(shares), where=shares > 0)).sum(axis=1)
    return ratio(bits, total > 0)


def tonal_distance(pianoroll: np.ndarray, grid: Grid, pairs: tuple[tuple[int, int], ...]) -> Ratio:
    """TD: distance of two tracks' tonal centroids in a beat, the mean over the beats where both sound.

    The centroid is Phi c / |c|_1, with c the beat's cells by pitch class and Phi the six-dimensional tonal
    space of Harte et al. 2006 (radii 1, 1, 0.5). In 0 (same chroma) .. 3. NaN where the two never sound
    together. Source: MuseGAN (Dong et al. 2018); its code also takes a beat at a time.

    Args:
        pianoroll: bool [phrase, bar, step, pitch, track].
        grid: for its lowest pitch and steps a beat.
        pairs: the two positions on the track axis, for each column of the result.
    """
    phrases, bars, steps, *rest = pianoroll.shape
    beats = pianoroll.reshape(phrases, bars * steps // grid.beat_resolution, grid.beat_resolution, *rest)
    chroma = pitch_class_counts(count(beats, axis=2), grid)  # [phrase, beat, pitch class, track]
    total, centroids = chroma.sum(axis=2), tonal_centroids(chroma)
    first, second = np.array(pairs).T
    distances = np.linalg.norm(centroids[..., first] - centroids[..., second], axis=2)
    together = (total[..., first] > 0) & (total[..., second] > 0)
    return ratio((distances * together).sum(axis=1), together.sum(axis=1))


def tonal_centroids(counts: np.ndarray) -> np.ndarray:
    """Returns where pitch classes lie in the tonal space of `tonal_distance`, float64 [..., 6, track].

    Two centroids are at most 3 apart. Silence lies in the middle, at 0.

    Args:
        counts: int64 [..., pitch class, track], cells.
    """
    return (_TONAL_SPACE @ counts) / np.maximum(counts.sum(axis=-2, keepdims=True), 1)


def _phrase_counts(pianoroll: np.ndarray, grid: Grid) -> np.ndarray:
    """Cells of each phrase by pitch class, int64 [phrase, pitch class, track]."""
    return pitch_class_counts(count(pianoroll, axis=(1, 2)), grid)
