"""Measuring comparisons one after the other."""

import sys
import time
from collections.abc import Iterable

from msw2.benchmarks.bench_report import Slices
from msw2.benchmarks.processes import Workers
from msw2.benchmarks.rounds import Comparison, alternate

SLICE = 1.0  # seconds of a turn


def measure(
    comparisons: Iterable[Comparison], rounds: int, *, seconds: float = SLICE
) -> list[tuple[Comparison, Slices]]:
    """Measures comparisons, and says on standard error how far it is.

    Args:
        comparisons: each is asked for only when the one before is done.
        rounds: turns of each contender.
        seconds: of a turn, about.

    Raises:
        WorkerError: if a worker ends of itself.
    """
    measured, start = [], time.monotonic()
    for comparison in comparisons:
        slices = {}
        if comparison.contenders:
            _tell(comparison, "preparing", start)
            with Workers(comparison.contenders) as workers:
                _tell(comparison, "warming up", start)
                ready = {each.name: workers.calibrated(each, seconds) for each in comparison.contenders}
                slices = alternate(
                    comparison.contenders,
                    rounds,
                    lambda contender, workers=workers, ready=ready: workers.run(ready[contender.name]),
                    lambda number, it=comparison: _tell(it, f"round {number} of {rounds}", start),
                )
        measured.append((comparison, slices))
    return measured


def _tell(comparison: Comparison, what: str, start: float) -> None:
    passed = int(time.monotonic() - start)
    text = f"{passed // 60}:{passed % 60:02d} {comparison.group}, {comparison.title}: {what}"
    print(text, file=sys.stderr, flush=True)
