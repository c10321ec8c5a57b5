"""Bootstrap over phrases (Efron 1979), from the counts of each phrase: the music is measured only once."""

import dataclasses
from collections.abc import Hashable, Iterator

import numpy as np

from msw2.music.metrics import Ratio

_BLOCK = 2**22  # weights drawn at a time, 32 MB


@dataclasses.dataclass(frozen=True)
class Sample:
    """A metric of one row: its value, and the values of the bootstrap resamples.

    Attributes:
        value: float64 [column].
        draws: float64 [resample, column].
    """

    value: np.ndarray
    draws: np.ndarray

    def interval(self, level: float = 0.95) -> np.ndarray:
        """Returns the percentile interval, [2, column]: low and high; NaN where no resample has a value."""
        tails = [(1 - level) / 2, (1 + level) / 2]
        known = [column[~np.isnan(column)] for column in self.draws.T]
        return np.array([np.quantile(draws, tails) if len(draws) else (np.nan, np.nan) for draws in known]).T


def resample(ratios: dict[Hashable, Ratio], seed: int, resamples: int) -> dict[Hashable, Sample]:
    """Bootstraps all metrics of one row at once: each resample draws phrases with replacement.

    The same seed and number of phrases give the same resamples, so that rows which belong together phrase by
    phrase (originals and their restorations) stay paired.

    Args:
        ratios: by any name, all over the same phrases.
        seed: of the resampling.
        resamples: how many to draw.
    """
    phrases = len(next(iter(ratios.values())).numerator)
    draws: dict[Hashable, list[np.ndarray]] = {name: [] for name in ratios}
    for weights in _weights(phrases, seed, resamples):
        for name, counts in ratios.items():
            draws[name].append(counts.pooled(weights))
    return {name: Sample(counts.pooled(), np.concatenate(draws[name])) for name, counts in ratios.items()}


def _weights(phrases: int, seed: int, resamples: int) -> Iterator[np.ndarray]:
    """Yields how often each phrase is drawn, float64 [some resamples, phrase]."""
    generator = np.random.default_rng(seed)
    block = max(1, _BLOCK // phrases)
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        yield generator.multinomial(phrases, np.full(phrases, 1 / phrases), size).astype(np.float64)
