"""How far a set of phrases is from real songs, in multiples of how far real songs are from one another.

The distance is Fréchet's (`quality.frechet_distance`), once for each aspect of music (`music.aspects`), and the sum of
the three. The floor is the same distance between two halves of the real songs. A set that is as far from one half as
the other half is has the ratio 1. No model can be expected to be nearer.

The distance of samples is too large, the more so the fewer phrases they have. So every distance is between the same
number of phrases, and only their ratio says something without that number. One pair of halves may happen to be alike.
So the songs are halved `SPLITS` times, and the distances are means over that.

The features of `make eval` are 104 numbers that do not see order. With a thousand phrases, real notes in random order
are 1.2 times as far as the floor there, and 18 times here: experiments/notes/compare.md.
"""

import dataclasses

import numpy as np

from msw2.data.music_folder import MusicError
from msw2.evaluation.quality import GROUPS, SMALLEST_DEVIATION, evenly, frechet_distance, interval
from msw2.evaluation.results import Estimate

SPLITS = 10  # into halves
TOTAL = "total"  # the sum over the aspects
Vectors = dict[str, np.ndarray]  # aspect -> float64 [phrase, component]


@dataclasses.dataclass(frozen=True)
class Closeness:
    """Distances by aspect, and their sum as `TOTAL`.

    Attributes:
        size: phrases of each set that a distance is between.
        made: from the set to a half of the real songs.
        floor: from the other half of the real songs to that half.
        ratio: `made` / `floor`; NaN where the floor is 0.
    """

    size: int
    made: dict[str, Estimate]
    floor: dict[str, Estimate]
    ratio: dict[str, Estimate]


def closeness(
    real: Vectors, made: Vectors, real_songs: np.ndarray, made_songs: np.ndarray, *, seed: int
) -> Closeness:
    """Measures how close a set is to real songs; see the module.

    Intervals are of a jackknife that leaves out a tenth of the songs of both at a time. There are none where either
    has fewer than `2 * GROUPS` songs.

    Args:
        real: vectors of the real phrases; each component is scaled by its deviation here.
        made: vectors of the other phrases.
        real_songs: int [phrase], the song of each real phrase.
        made_songs: int [phrase], likewise.
        seed: of the halves.

    Raises:
        MusicError: if the real phrases are of one song, or either set has fewer than two phrases.
    """
    _check(real_songs, made_songs)
    scaled = _Sets(*_scaled(real, made), real_songs, made_songs)
    size = scaled.size(seed)
    found, without = scaled.distances(seed, size), []
    if min(len(np.unique(real_songs)), len(np.unique(made_songs))) >= 2 * GROUPS:
        kept = [scaled.without(group) for group in range(GROUPS)]
        fewer = min(each.size(seed) for each in kept)  # one number, since the distance depends on it
        without = [each.distances(seed, fewer) for each in kept]
    return Closeness(
        size,
        *(
            {
                aspect: Estimate(value, *interval(value, [each[place][aspect] for each in without]))
                for aspect, value in values.items()
            }
            for place, values in enumerate(found)
        ),
    )


@dataclasses.dataclass(frozen=True, eq=False)
class _Sets:
    """Scaled vectors of both sets, and the songs of their phrases."""

    real: Vectors
    made: Vectors
    real_songs: np.ndarray
    made_songs: np.ndarray

    def halves(self, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Returns `SPLITS` pairs of halves of the real songs: positions of phrases."""
        rng = np.random.default_rng(seed)
        return [halves(self.real_songs, rng) for _ in range(SPLITS)]

    def size(self, seed: int) -> int:
        """Returns how many phrases can be compared with each half."""
        return min(len(self.made_songs), *(len(half) for pair in self.halves(seed) for half in pair))

    def distances(self, seed: int, size: int) -> tuple[dict[str, float], ...]:
        """Returns the set's distances, the floor's, and their ratios, means over the pairs of halves."""
        made, floor, places = {}, {}, self.halves(seed)
        for aspect, real in self.real.items():
            other = evenly(self.made[aspect], size)
            pairs = [[evenly(real[half], size) for half in pair] for pair in places]
            made[aspect] = float(np.mean([frechet_distance(first, other) for first, _ in pairs]))
            floor[aspect] = float(np.mean([frechet_distance(first, second) for first, second in pairs]))
        for values in (made, floor):
            values[TOTAL] = sum(values.values())
        return made, floor, {key: made[key] / floor[key] if floor[key] else np.nan for key in made}

    def without(self, group: int) -> "_Sets":
        """Leaves out a group of the songs of each set."""
        real, made = (_groups(songs) != group for songs in (self.real_songs, self.made_songs))
        return _Sets(
            {aspect: vectors[real] for aspect, vectors in self.real.items()},
            {aspect: vectors[made] for aspect, vectors in self.made.items()},
            self.real_songs[real],
            self.made_songs[made],
        )


def halves(songs: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Cuts phrases into two sets without a song in common, as equal in number as a random order of the songs allows.

    Args:
        songs: int [phrase], of at least two songs.
        rng: draws the order.

    Returns:
        The positions of the phrases of each half, int64 [phrase], at least one.
    """
    names, counts = np.unique(songs, return_counts=True)
    order = rng.permutation(len(names))
    before = np.cumsum(counts[order])[:-1]
    cut = int(np.abs(2 * before - len(songs)).argmin()) + 1
    first = np.isin(songs, names[order[:cut]])
    return np.flatnonzero(first), np.flatnonzero(~first)


def _groups(songs: np.ndarray) -> np.ndarray:
    """Returns the group of each phrase, 0 .. GROUPS - 1: neighbouring songs in equal numbers."""
    names, places = np.unique(songs, return_inverse=True)
    return places * GROUPS // len(names)


def _scaled(real: Vectors, made: Vectors) -> tuple[Vectors, Vectors]:
    mean = {aspect: vectors.mean(axis=0) for aspect, vectors in real.items()}
    scale = {aspect: np.maximum(vectors.std(axis=0), SMALLEST_DEVIATION) for aspect, vectors in real.items()}
    first, second = (
        {aspect: (vectors - mean[aspect]) / scale[aspect] for aspect, vectors in each.items()}
        for each in (real, made)
    )
    return first, second


def _check(real_songs: np.ndarray, made_songs: np.ndarray) -> None:
    if len(np.unique(real_songs)) < 2:
        raise MusicError(
            "the real phrases are of one song; two songs or more tell how far real songs are apart"
        )
    for name, songs in (("real", real_songs), ("made", made_songs)):
        if len(songs) < 2:
            raise MusicError(f"{len(songs)} {name} phrase; a distance is between two or more of each")
