"""Estimates as cells of Markdown tables, and the tables."""

import math
from collections.abc import Iterable, Sequence

from msw2.evaluation.results import Estimate

NONE = "n/a"
WORDS = {"row", "metric", "track", "claim", "source", "quantity", "outcome"}  # columns that hold no numbers


def text(estimate: Estimate, scale: float) -> str:
    """Returns a mean and, if it has one, its spread; in percent (scale 100) with one decimal, otherwise with two."""
    if math.isnan(estimate.mean):
        return NONE
    digits = 1 if scale == 100 else 2
    if math.isnan(estimate.low):
        return f"{scale * estimate.mean:.{digits}f}"
    spread = (estimate.high - estimate.low) / 2
    return f"{scale * estimate.mean:.{digits}f} ± {scale * spread:.{digits}f}"


def italic(value: float, form: str = "g") -> str:
    """Returns a printed number of the paper."""
    return NONE if math.isnan(value) else f"*{value:{form}}*"


def table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Returns a Markdown table: words to the left, numbers to the right."""
    rule = ["---" if name in WORDS else "---:" for name in header]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *lines))
