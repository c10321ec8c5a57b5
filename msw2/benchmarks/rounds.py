"""Taking turns, and the arithmetic on the results. No processes, no clocks: those are in `processes`.

Machines change speed from minute to minute. So contenders take turns within a round, and a ratio compares turns of
the same round. Several rounds tell how far the ratio varies.
"""

import dataclasses
import statistics
from collections.abc import Callable, Sequence


@dataclasses.dataclass(frozen=True)
class Contender:
    """One way to do the work.

    Attributes:
        name: in the tables.
        jobs: what each of its processes prepares, see `worker`; equal jobs of a comparison share a process.
        call: arguments of a slice, beside its amount.
        unit: what is counted; its figure is units a second, summed over the processes.
        amount: of work in a slice; 0: calibrated to fill a turn.
        at_once: processes that run at a time; 0: all.
        timed: whether the figure is the seconds of a slice instead.
        sampled: what its workers' samples are, empty where they take none.
    """

    name: str
    jobs: tuple[dict, ...]
    unit: str
    call: dict = dataclasses.field(default_factory=dict)
    amount: int = 0
    at_once: int = 0
    timed: bool = False
    sampled: str = ""


@dataclasses.dataclass(frozen=True)
class Ratio:
    """One contender's figure over another's.

    Attributes:
        title: in the table.
        over: name of the contender above the line.
        under: name of the one below it.
        goal: least ratio that is wanted; None without a goal.
        scale: factor, where the two do not count the same thing.
        percent: whether it is a share, printed in percent.
    """

    title: str
    over: str
    under: str
    goal: float | None = None
    scale: float = 1.0
    percent: bool = False


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Contenders that take turns, and the ratios that are taken of them.

    Attributes:
        group: what `--only` calls it.
        title: in the tables.
        contenders: in the order of their turns; empty where nothing can be measured here.
        ratios: of their figures.
        notes: sentences for the reader, such as what is missing on this machine.
    """

    group: str
    title: str
    contenders: tuple[Contender, ...] = ()
    ratios: tuple[Ratio, ...] = ()
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Slice:
    """What came of one turn.

    Attributes:
        figure: units a second, or seconds.
        memory: most bytes that one of its processes, or one of their children, has held so far.
        samples: of the worker's own, such as the milliseconds of each call.
    """

    figure: float
    memory: int = 0
    samples: tuple[float, ...] = ()


@dataclasses.dataclass(frozen=True)
class Spread:
    """Median, lowest and highest of some numbers."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Returns the spread of one number or more."""
        return cls(statistics.median(values), min(values), max(values))


def alternate(
    contenders: Sequence[Contender],
    rounds: int,
    run: Callable[[Contender], Slice],
    told: Callable[[int], None] = lambda _: None,
) -> dict[str, list[Slice]]:
    """Gives every contender a turn in every round, in the same order.

    Args:
        contenders: of different names.
        rounds: at least one.
        run: runs one slice.
        told: called with the number of each round, from 1, before it.

    Returns:
        The slices by the contender's name, one a round.
    """
    slices = {contender.name: [] for contender in contenders}
    if len(slices) < len(contenders):
        raise ValueError(f"two contenders of one name among {', '.join(c.name for c in contenders)}")
    for number in range(1, rounds + 1):
        told(number)
        for contender in contenders:
            slices[contender.name].append(run(contender))
    return slices


def ratios(ratio: Ratio, slices: dict[str, list[Slice]]) -> list[float]:
    """Returns the ratio in each round."""
    pairs = zip(slices[ratio.over], slices[ratio.under], strict=True)
    return [ratio.scale * over.figure / under.figure for over, under in pairs]


def next_amount(amount: int, seconds: float, wanted: float) -> int:
    """Returns the amount of work that should take the wanted time, judging by one that took `seconds`.

    At most eight times more: what took almost no time says little.
    """
    return max(1, min(8 * amount, round(amount * wanted / max(seconds, 1e-9))))


def percentile(values: Sequence[float], share: float) -> float:
    """Returns the smallest value that at least a share (0..1) of the values do not exceed."""
    ordered = sorted(values)
    rank = -(-len(ordered) * share // 1)
    return ordered[max(0, int(rank) - 1)]
