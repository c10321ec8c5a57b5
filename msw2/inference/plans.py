"""Plans of songs: what of a song is given, and how the rest is drawn. To make a plan needs no weights."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from msw2.inference.songs import Composer, to_nobody
from msw2.music.grid import Grid
from msw2.system.progress import Progress


@dataclasses.dataclass(frozen=True, eq=False)
class Sketch:
    """A song with a part that is given. The rest is drawn.

    Attributes:
        song: bool [step, pitch, track], whole bars; silent where nothing is given.
        given: bool [bar, track].
        wanted: what is drawn, for people: `bars 5 to 8`.
    """

    song: np.ndarray
    given: np.ndarray
    wanted: str

    def drawn(
        self,
        composer: Composer,
        *,
        seed: int,
        temperature: float = 1.0,
        told: Callable[[int], None] = to_nobody,
    ) -> np.ndarray:
        """Returns the whole song, bool [step, pitch, track]; what is given is untouched.

        `seed`, `temperature` and `told` are as for `Composer.complete`.
        """
        bars = in_bars(self.song, composer.grid)
        return in_steps(composer.complete(bars, self.given, seed=seed, temperature=temperature, told=told))


@dataclasses.dataclass(frozen=True, eq=False)
class Variation:
    """A song. Some bars of each track will be written anew.

    Attributes:
        song: bool [step, pitch, track], whole bars.
        given: bool [bar, track], all False: which bars stay is known when it is drawn, see `kept`.
        wanted: for people.
        amount: the share of the bars of each track that is written anew, 0 to 1.
    """

    song: np.ndarray
    given: np.ndarray
    wanted: str
    amount: float

    def drawn(self, composer: Composer, *, seed: int, told: Callable[[int], None] = to_nobody) -> np.ndarray:
        """Returns the song, bool [step, pitch, track], as many bars; `seed` and `told` are as for `Composer.vary`."""
        return in_steps(composer.vary(in_bars(self.song, composer.grid), self.amount, seed=seed, told=told))

    def kept(self, made: np.ndarray, grid: Grid) -> np.ndarray:
        """Returns which bars of a drawn song are those of the song, bool [bar, track]."""
        return (in_bars(made, grid) == in_bars(self.song, grid)).all(axis=(1, 2))


@dataclasses.dataclass(frozen=True, eq=False)
class Path:
    """A path of phrases from one to another, to be drawn as one song.

    Attributes:
        song: the two phrases, one after the other, bool [step, pitch, track].
        given: bool [bar, track] of the path, all False: its ends are made, too.
        wanted: for people.
        points: phrases of the path.
    """

    song: np.ndarray
    given: np.ndarray
    wanted: str
    points: int

    def drawn(self, composer: Composer, *, seed: int, told: Callable[[int], None] = to_nobody) -> np.ndarray:
        """Returns the path, bool [step, pitch, track]; `seed` is as for `Composer.between`, `told` for `complete`."""
        first, second = np.split(in_bars(self.song, composer.grid), 2)
        made = composer.between(first, second, self.points, seed=seed)
        told(len(self.given))
        return in_steps(made.reshape(-1, *made.shape[2:]))


Plan = Sketch | Variation | Path


def draw_all(
    composer: Composer, plans: Sequence[Plan], *, seed: int, progress: bool = True, **how
) -> list[np.ndarray]:
    """Returns the songs of plans, bool [step, pitch, track] each.

    Args:
        composer: draws them.
        plans: of the songs.
        seed: of the first song; the others count on from it.
        progress: whether to show how far it is.
        **how: as for `Sketch.drawn`.
    """
    ends = np.cumsum([0, *(len(plan.given) for plan in plans)]).tolist()
    shown = Progress(ends[-1], "bars", label="composing") if progress else None
    made = []
    for index, plan in enumerate(plans):
        told = (lambda bars, before=ends[index]: shown.update(before + bars)) if shown else to_nobody
        made.append(plan.drawn(composer, seed=seed + index, told=told, **how))
    if shown:
        shown.close()
    return made


def in_bars(song: np.ndarray, grid: Grid) -> np.ndarray:
    """Returns a song [step, pitch, track] as [bar, step, pitch, track]."""
    return song.reshape(-1, grid.steps, *song.shape[1:])


def in_steps(bars: np.ndarray) -> np.ndarray:
    """Returns bars [bar, step, pitch, track] as a song [step, pitch, track]."""
    return bars.reshape(-1, *bars.shape[2:])
