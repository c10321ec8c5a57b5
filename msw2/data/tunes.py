"""Which songs are one tune: arrangements, transpositions and other files of it share bars.

What is compared is where the notes of a bar start: steps, and semitones above the bar's lowest start. Drums, lengths,
instruments and the key do not count. Each pitched track gives its bars: so a tune is found with another accompaniment.
All pitched tracks together give bars, too: so it is found with its notes on other tracks. Bars that unrelated songs
share tell nothing. A bar counts only if it has enough notes, and few songs have it.
"""

from collections.abc import Sequence

import numpy as np

from msw2.music.grid import Grid
from msw2.music.metrics import onsets_of
from msw2.music.tracks import DRUMS

FEWEST_STARTS, FEWEST_PITCHES = 6, 3  # of a bar that counts
MOST_SONGS = 50  # that have a bar which counts
SHARE = 0.1  # of the bars of the song that has fewer: songs that share more are one tune
FEWEST_SHARED = 3  # bars, or all that a song has: without it, one bar would join songs of a few bars


def telling_bars(pianoroll: np.ndarray, grid: Grid) -> np.ndarray:
    """Returns a number for each different bar of a song that has enough notes. The same bars have the same numbers.

    Args:
        pianoroll: bool [step, pitch, track], whole bars.
        grid: sizes of a bar.

    Returns:
        uint64 [bar], sorted, of all pitched tracks.
    """
    sounds = np.delete(np.moveaxis(pianoroll, -1, 0), DRUMS, axis=0)
    starts = onsets_of(sounds)
    starts = np.concatenate([starts, starts.any(axis=0, keepdims=True)]).reshape(-1, grid.steps, grid.pitches)
    pitches = starts.any(axis=1)
    enough = (starts.sum(axis=(1, 2)) >= FEWEST_STARTS) & (pitches.sum(axis=1) >= FEWEST_PITCHES)
    bars, steps, heights = np.nonzero(starts[enough])
    heights -= pitches[enough].argmax(axis=1)[bars]
    # Each place in a bar has a random number. The sum over the starts, modulo 2^64, stands for the bar.
    numbers = np.random.PCG64(0).random_raw(grid.steps * grid.pitches)
    sums = np.zeros(np.count_nonzero(enough), np.uint64)
    np.add.at(sums, bars, numbers[steps * grid.pitches + heights])
    return np.unique(sums)


def tunes_of(digests: Sequence[str], bars: Sequence[np.ndarray]) -> list[str]:
    """Returns for each song what stands for its tune: the first digest of all songs that are this tune.

    Two songs are one tune if they share more than SHARE of the bars of the song that has fewer. They share at least
    FEWEST_SHARED bars, or all that it has. Bars of more than MOST_SONGS songs do not count. If a song is one tune with
    two others, all three are one.

    Args:
        digests: of the songs, all different.
        bars: of each song, as `telling_bars` returns them.
    """
    import scipy.sparse.csgraph  # noqa: PLC0415 - worker processes import this module, and need no SciPy

    size = len(digests)
    owners = np.repeat(np.arange(size), [len(each) for each in bars])
    _, columns, songs = np.unique(
        np.concatenate([np.zeros(0, np.uint64), *bars]), return_inverse=True, return_counts=True
    )
    rare = songs[columns] <= MOST_SONGS
    owners, columns = owners[rare], columns[rare]
    has = scipy.sparse.csr_array((np.ones(len(owners), np.int32), (owners, columns)), (size, len(songs)))
    counts = np.bincount(owners, minlength=size)
    shared = (has @ has.T).tocoo()
    fewer = np.minimum(counts[shared.row], counts[shared.col])
    joined = (shared.data >= np.minimum(FEWEST_SHARED, fewer)) & (shared.data > SHARE * fewer)
    graph = scipy.sparse.coo_array(
        (np.ones(joined.sum(), bool), (shared.row[joined], shared.col[joined])), (size, size)
    )
    _, groups = scipy.sparse.csgraph.connected_components(graph, directed=False)
    first: dict[int, str] = {}
    for group, digest in zip(groups.tolist(), digests, strict=True):
        first[group] = min(digest, first.get(group, digest))
    return [first[group] for group in groups.tolist()]
