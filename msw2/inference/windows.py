"""Songs of any length, drawn in windows. Needs no TensorFlow: a client of a server draws as a model in memory does."""

from collections.abc import Callable

import numpy as np

WINDOW = 64  # bars that are drawn together: as many as the prior has learnt with
KEPT = 32  # bars of a window that lead into what is drawn
_SEEDS = 32  # bits that a window's first bar is shifted by, so that windows of near seeds share no numbers


def to_nobody(bars: int) -> None:
    """Is told how far the work is, and does nothing."""


def complete_in_windows(
    draw: Callable[[np.ndarray, np.ndarray, tuple[int, int], int], np.ndarray],
    song: np.ndarray,
    given: np.ndarray,
    *,
    phrase: int,
    seed: int,
    told: Callable[[int], None] = to_nobody,
) -> np.ndarray:
    """Draws the bars and tracks of a song that are not given.

    Each window begins so early that it sees what is before and after what it draws.

    Args:
        draw: from a window's cells, what is given of it, the number of its first bar and the bars of the song, and a
            seed, to cells.
        song: bool [bar, step, pitch, track]; what is not given is not looked at.
        given: bool [bar, track].
        phrase: bars of a phrase: windows are whole phrases.
        seed: the same one draws the same.
        told: is called with the bars that are done, after each window.

    Returns:
        bool, the shape of `song`; its own cells where it is given.
    """
    bars = len(song)
    made, known = _padded(song & given[:, None, None], phrase), _padded(given, phrase)
    while not known[:bars].all():
        window = _window(known, phrase)
        where, own_seed = (window.start, bars), _seed(seed, window.start)
        made[window] = draw(made[window], known[window], where, own_seed)
        known[window] = True
        told(min(window.stop, bars))
    return made[:bars]


def vary_in_windows(
    draw: Callable[[np.ndarray, tuple[int, int], int], np.ndarray],
    song: np.ndarray,
    *,
    phrase: int,
    seed: int,
    told: Callable[[int], None] = to_nobody,
) -> np.ndarray:
    """Writes some of the bars of each track of a song anew, window after window.

    Args:
        draw: from a window's cells, the number of its first bar and the bars of the song, and a seed, to cells.
        song: bool [bar, step, pitch, track].
        phrase: as for `complete_in_windows`.
        seed: as for `complete_in_windows`.
        told: as for `complete_in_windows`.

    Returns:
        bool, the shape of `song`.
    """
    made, size = _padded(song, phrase), _whole_phrases(WINDOW, phrase)
    for start in range(0, len(made), size):
        window = slice(start, start + size)
        made[window] = draw(made[window], (start, len(song)), _seed(seed, start))
        told(min(window.stop, len(song)))
    return made[: len(song)]


def shares(points: int) -> np.ndarray:
    """Returns the share that the second of two phrases has at each point between them, float32 [point]."""
    return np.linspace(0, 1, points, dtype=np.float32)


def _window(known: np.ndarray, phrase: int) -> slice:
    """Returns the bars of the next window, so that the first one to be drawn has `KEPT` bars before it.

    A window is of whole phrases. Near the end of a song it begins earlier, so that it is as long as can be.

    Args:
        known: bool [bar, track], in whole phrases, not all of it.
        phrase: bars of a phrase.
    """
    size, kept = (_whole_phrases(bars, phrase) for bars in (WINDOW, KEPT))
    first = _whole_phrases(int(np.argmin(known.all(axis=1))), phrase)
    start = max(0, min(first - kept, len(known) - size))
    return slice(start, start + size)


def _whole_phrases(bars: int, phrase: int) -> int:
    """Returns the bars of the whole phrases in some bars."""
    return bars - bars % phrase


def _seed(seed: int, start: int) -> int:
    """Returns the seed of the window that begins at a bar, of 64 bits; past the largest one it goes on at the least."""
    return int((np.array([seed], np.int64) + np.int64(start << _SEEDS))[0])


def _padded(array: np.ndarray, multiple: int) -> np.ndarray:
    """Returns a copy with rows of zeros at its end, up to a multiple."""
    return np.concatenate([array, np.zeros((-len(array) % multiple, *array.shape[1:]), array.dtype)])
