"""Numbers as cells of Markdown tables, and the tables: the only place that formats either."""

import math
from collections.abc import Iterable, Sequence

from msw2.evaluation.results import Estimate

NONE = "n/a"
# Columns of words. They are aligned to the left, all others to the right.
WORDS = {
    *("row", "metric", "track", "claim", "source", "quantity", "outcome", "reason"),
    *("group", "comparison", "ratio", "contender", "lowest to highest", "goal", "unit"),
    *("processes x threads", "samples: median, 95th percentile"),
}


def number(mean: float, digits: int, half: float = math.nan) -> str:
    """Returns a number and, if it has one, half of its interval: `1.25 ± 0.50`; `n/a` for NaN."""
    if math.isnan(mean):
        return NONE
    spread = "" if math.isnan(half) else f" ± {half:.{digits}f}"
    return f"{mean:.{digits}f}{spread}"


def text(estimate: Estimate, scale: float) -> str:
    """Returns a mean and, if it has one, its spread; in percent (scale 100) with one decimal, otherwise with two."""
    half = (estimate.high - estimate.low) / 2
    return number(scale * estimate.mean, 1 if scale == 100 else 2, scale * half)


def italic(value: float, form: str = "g") -> str:
    """Returns a printed number of the paper."""
    return NONE if math.isnan(value) else f"*{value:{form}}*"


def table(header: Sequence[str], lines: Iterable[Sequence[str]], *, padded: bool = False) -> str:
    """Returns a Markdown table: words to the left, numbers to the right.

    Args:
        header: names of the columns.
        lines: cells of each row.
        padded: whether columns are as wide as their widest cell, for reading in a terminal.
    """
    lines = [list(header), *lines]
    sides = ["<" if name in WORDS else ">" for name in header]
    rules = ["---" if side == "<" else "---:" for side in sides]
    if padded:
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        columns = list(zip(sides, widths, strict=True))
        lines = [
            [f"{cell:{side}{width}}" for cell, (side, width) in zip(line, columns, strict=True)]
            for line in lines
        ]
        rules = [rule[-1].rjust(width, "-") for rule, width in zip(rules, widths, strict=True)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (lines[0], rules, *lines[1:]))
