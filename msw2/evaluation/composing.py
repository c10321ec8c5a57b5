"""A composer under evaluation: how far it is, and how long a call takes."""

import time

import numpy as np

from msw2.evaluation.gaps import BASS
from msw2.music.tracks import TRACK_NAMES
from msw2.system.progress import Progress, say

TIMES = 3  # that the clock is read; the middle one counts
START_UP = 20.0  # a call takes as long as that many bars more would
PAIRS = 1250.0  # of a phrase and a training phrase, compared in the time of a bar


class Watched:
    """A composer that shows how far an evaluation is, and how long it still takes.

    Args:
        composer: as `inference.songs.Composer`.
        calls: how many calls, each of how many bars, there will be.
        pairs: of phrases, the one sought among the other, that will be compared.
    """

    def __init__(self, composer, calls: list[tuple[int, int]], pairs: int):
        self._composer, self._done = composer, 0.0
        self._total = max(sum(each * (bars + START_UP) for each, bars in calls) + pairs / PAIRS, 1.0)
        self._progress = Progress(100, "%", label="songs and verbs")
        self._part = ""

    def at(self, part: str) -> None:
        """Names what begins now."""
        self._part = part
        self._show(0.0)

    def compared(self, pairs: int) -> None:
        """Tells that so many pairs of phrases have been compared."""
        self._show(pairs / PAIRS)

    def complete(self, song: np.ndarray, given: np.ndarray, **drawing) -> np.ndarray:
        """As of the composer."""
        return self._told(self._composer.complete(song, given, **drawing), 1, len(song))

    def between(self, first: np.ndarray, second: np.ndarray, points: int, **drawing) -> np.ndarray:
        """As of the composer."""
        return self._told(self._composer.between(first, second, points, **drawing), points, len(first))

    def close(self) -> None:
        """Clears the line on a terminal."""
        self._progress.close()

    def _told(self, made: np.ndarray, calls: int, bars: int) -> np.ndarray:
        self._show(calls * (bars + START_UP))
        return made

    def _show(self, done: float) -> None:
        """Counts what is done, as bars."""
        self._done += done
        self._progress.update(round(min(100 * self._done / self._total, 100), 1), self._part)


def seconds_of(composer, song: np.ndarray, *, temperature: float) -> dict[str, float]:
    """Reads the clock: a verb on a phrase, and a song from nothing, after one call that makes the functions ready.

    Args:
        composer: as `inference.songs.Composer`.
        song: bool [bar, step, pitch, track].
        temperature: of the drawing.

    Returns:
        Seconds of one call, by what was asked for: the median of `TIMES`.
    """
    phrase = song[: composer.grid.bars]
    beside_bass = np.ones((len(phrase), len(TRACK_NAMES)), bool)
    beside_bass[:, BASS] = False
    asked = {
        f"accompany, {len(phrase)} bars": (phrase, beside_bass),
        f"generate, {len(song)} bars": (song, np.zeros((len(song), len(TRACK_NAMES)), bool)),
    }
    found = {}
    for name, (cells, given) in asked.items():
        say(f"timing {name}")
        taken = []
        for seed in range(TIMES + 1):
            begun = time.monotonic()
            composer.complete(cells, given, seed=seed, temperature=temperature)
            taken.append(time.monotonic() - begun)
        found[name] = float(np.median(taken[1:]))
    return found
