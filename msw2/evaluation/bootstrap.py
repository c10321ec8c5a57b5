"""Bootstrap over songs (Efron 1979; of clusters, Davison and Hinkley 1997, section 3.8).

Phrases of one song are alike. So a resample draws songs, and takes all phrases of each: drawn one by one, phrases would
make intervals too narrow. Generated phrases belong to no song, and each is drawn by itself. The music is measured only
once: what is drawn are the counts of each song.

These intervals are too narrow where there are few songs, say fewer than twenty. One song alone has no interval.
"""

import dataclasses
from collections.abc import Hashable, Iterator

import numpy as np

from msw2.evaluation.results import Estimate
from msw2.music.metrics import Ratio

_BLOCK = 2**22  # weights drawn at a time, 32 MB


@dataclasses.dataclass(frozen=True)
class Sample:
    """A metric of one row: its value, and the values of the bootstrap resamples.

    Attributes:
        value: float64 [column].
        draws: float64 [resample, column]; NaN throughout where there is one song alone.
    """

    value: np.ndarray
    draws: np.ndarray

    def interval(self, level: float = 0.95) -> np.ndarray:
        """Returns the percentile interval, [2, column]: low and high; NaN where no resample has a value."""
        tails = [(1 - level) / 2, (1 + level) / 2]
        known = [column[~np.isnan(column)] for column in self.draws.T]
        return np.array([np.quantile(draws, tails) if len(draws) else (np.nan, np.nan) for draws in known]).T

    def estimates(self) -> list[Estimate]:
        """Returns the value of each column with its 95 % interval."""
        numbers = np.stack([self.value, *self.interval()], axis=1).tolist()
        return [Estimate(*number) for number in numbers]


def resample(
    ratios: dict[Hashable, Ratio], seed: int, resamples: int, songs: np.ndarray | None = None
) -> dict[Hashable, Sample]:
    """Bootstraps all metrics of one row at once: each resample draws songs with replacement.

    The same seed and songs give the same resamples, so that rows which belong together phrase by phrase (originals
    and their restorations) stay paired.

    Args:
        ratios: by any name, all over the same phrases, at least one.
        seed: of the resampling.
        resamples: how many to draw.
        songs: [phrase], any name for each song; None: each phrase is a song of its own.
    """
    phrases = len(next(iter(ratios.values())).numerator)
    index, count = numbered(phrases, songs)
    by_song = {name: _pooled(counts, index, count) for name, counts in ratios.items()}
    draws: dict[Hashable, list[np.ndarray]] = {name: [] for name in ratios}
    for weights in weights_of(count, seed, resamples):
        for name, counts in by_song.items():
            draws[name].append(counts.pooled(weights))
    known = 1.0 if count > 1 else np.nan  # a song by itself does not tell how songs differ
    return {
        name: Sample(counts.pooled(), known * np.concatenate(draws[name])) for name, counts in by_song.items()
    }


def numbered(phrases: int, songs: np.ndarray | None) -> tuple[np.ndarray, int]:
    """Returns the song of each phrase as a number from 0 on, int64 [phrase], and how many songs there are.

    Args:
        phrases: how many.
        songs: [phrase], any name for each song; None: each phrase is a song of its own.

    Raises:
        ValueError: if there are not as many names as phrases.
    """
    if songs is None:
        return np.arange(phrases), phrases
    if len(songs) != phrases:
        raise ValueError(f"songs of {len(songs)} phrases are given for {phrases} phrases")
    names, index = np.unique(songs, return_inverse=True)
    return index, len(names)


def weights_of(songs: int, seed: int, resamples: int) -> Iterator[np.ndarray]:
    """Yields how often each song is drawn, float64 [some resamples, song]."""
    generator = np.random.default_rng(seed)
    block = max(1, _BLOCK // songs)
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        yield generator.multinomial(songs, np.full(songs, 1 / songs), size).astype(np.float64)


def _pooled(counts: Ratio, index: np.ndarray, songs: int) -> Ratio:
    """Adds the counts of each song's phrases: [phrase, column] -> [song, column]."""
    sums = np.zeros((2, songs, counts.numerator.shape[1]))
    for total, each in zip(sums, counts[:2], strict=True):
        np.add.at(total, index, each)
    return Ratio(*sums, counts.silence)
