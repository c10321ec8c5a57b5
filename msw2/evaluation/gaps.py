"""Gaps in held-out songs, for a model to fill: accompany and infill.

A stretch has eight bars. `accompany` hides one track, `infill` two bars of all tracks. `gap_scores` compares what is
written there with what was there.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from msw2.data import packing
from msw2.evaluation.neighbours import copied
from msw2.evaluation.results import ALL
from msw2.evaluation.stretches import Stretches
from msw2.music import metrics
from msw2.music.grid import Grid
from msw2.music.metrics import Ratio
from msw2.music.tracks import TRACK_NAMES

ACCOMPANY, INFILL = "accompany", "infill"
BARS = 8  # of a stretch
BASS = TRACK_NAMES.index("bass")
HIDDEN_BARS = slice(5, 7)  # by `infill`: in the middle of the second phrase
NEAREST, BEFORE = "nearest phrase", "four bars before"


@dataclasses.dataclass(frozen=True, eq=False)
class Gap:
    """What is hidden of a stretch.

    Attributes:
        verb: `accompany` or `infill`.
        bars: where something is hidden.
        tracks: what is hidden there, places on the track axis.
    """

    verb: str
    bars: slice
    tracks: tuple[int, ...]

    @classmethod
    def of_track(cls, track: int) -> "Gap":
        """Hides one track throughout."""
        return cls(ACCOMPANY, slice(0, BARS), (track,))

    @classmethod
    def of_bars(cls) -> "Gap":
        """Hides two bars of all tracks."""
        return cls(INFILL, HIDDEN_BARS, tuple(range(len(TRACK_NAMES))))

    @property
    def given(self) -> np.ndarray:
        """What is not hidden, bool [bar, track]."""
        given = np.ones((BARS, len(TRACK_NAMES)), bool)
        given[self.bars, self.tracks] = False
        return given

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the hidden tracks; `ALL` comes last where they are several."""
        names = tuple(TRACK_NAMES[track] for track in self.tracks)
        return names if len(names) == 1 else (*names, ALL)

    @property
    def name(self) -> str:
        """The verb, and the track if one alone is hidden."""
        return self.verb if len(self.tracks) > 1 else f"{self.verb} {TRACK_NAMES[self.tracks[0]]}"

    def phrases(self, grid: Grid) -> int:
        """Returns in how many phrases of a stretch something is hidden."""
        return int((~by_phrase(self.given, grid)).any(axis=(1, 2)).sum())

    def fits(self, grid: Grid) -> Callable[[np.ndarray], bool]:
        """Returns which stretches count: the hidden part sounds, and something beside it in each of its phrases.

        Args:
            grid: of the phrases.

        Returns:
            A function of the packed phrases of a stretch, for `stretches.chosen`.
        """
        masks = packing.pack(
            np.broadcast_to(by_phrase(self.given[:, None, None], grid), (BARS // grid.bars, *_shape(grid)))
        )
        gapped = ~by_phrase(self.given, grid).all(axis=(1, 2))

        def fits(packed: np.ndarray) -> bool:
            beside = (packed & masks).any(axis=(1, 2))
            return bool((packed & ~masks).any() and beside[gapped].all())

        return fits

    def hidden(self, counts: Ratio) -> Ratio:
        """Returns the columns of the hidden tracks, and their sum where they are several."""
        above, below = counts.numerator[:, self.tracks], counts.denominator[:, self.tracks]
        if len(self.tracks) > 1:
            above, below = (
                np.concatenate([each, each.sum(axis=1, keepdims=True)], axis=1) for each in (above, below)
            )
        return metrics.ratio(above, below)


def by_phrase(array: np.ndarray, grid: Grid) -> np.ndarray:
    """[bar, ...] -> [phrase, bar, ...]."""
    return array.reshape(-1, grid.bars, *array.shape[1:])


def _shape(grid: Grid) -> tuple[int, ...]:
    return (*grid.phrase_shape, len(TRACK_NAMES))


def drawn(
    composer, stretches: Stretches, gap: Gap, *, draws: int, seed: int, temperature: float
) -> np.ndarray:
    """Writes what is hidden, several times.

    Args:
        composer: has `complete`, as `inference.songs.Composer`.
        stretches: the songs.
        gap: what is hidden.
        draws: how often.
        seed: of the first stretch; each draw of each stretch has one of its own.
        temperature: of the drawing.

    Returns:
        bool [draw, stretch, bar, step, pitch, track].
    """
    given, made = gap.given, []
    for draw in range(draws):
        for index, song in enumerate(stretches):
            own_seed = seed + draw * len(stretches) + index
            made.append(composer.complete(song, given, seed=own_seed, temperature=temperature))
    return np.stack(made).reshape(draws, len(stretches), *made[0].shape)


def copies(original: np.ndarray, gap: Gap, training: np.ndarray, grid: Grid) -> dict[str, np.ndarray]:
    """Returns what copying would write, by its name: bool [stretch, bar, step, pitch, track] each.

    `NEAREST` is what the nearest training phrase has there, see `neighbours`. `BEFORE` is what the song itself has a
    phrase earlier, where that is in the stretch and for all tracks.

    Args:
        original: bool [stretch, bar, step, pitch, track].
        gap: what is hidden.
        training: uint8 [phrase, track, byte], see `packing.pack`.
        grid: of all.
    """
    filled = original.copy()
    for index, given in enumerate(by_phrase(gap.given, grid)):
        if not given.all():
            bars = slice(index * grid.bars, (index + 1) * grid.bars)
            filled[:, bars] = copied(original[:, bars], given, training, grid)
    found = {NEAREST: filled}
    if gap.verb == INFILL and gap.bars.start >= grid.bars:
        earlier = original.copy()
        earlier[:, gap.bars] = original[:, gap.bars.start - grid.bars : gap.bars.stop - grid.bars]
        found[BEFORE] = earlier
    return found
