"""The section of a dossier on the claims of the paper: each with its comparisons and their outcomes."""

import itertools

from msw2.evaluation.claims import Comparison, Verdict, claims, is_measured, judge, note_f1, together
from msw2.evaluation.experiments import Runs, is_known
from msw2.evaluation.markdown import number, table

_INTERVALS = (
    "A gain is how much the first is better than the second, seed by seed, in the unit of the quantity. ± is half of "
    "a 95 % interval: Student's over seeds where there are several, else over {} (bootstrap; of FD and OA a "
    "jackknife). A claim holds, or does not, where that interval does not include 0; where neither interval is known, "
    "it cannot be told."
)


def section(runs: Runs, bases: tuple[str, ...]) -> list[str]:
    """Returns Markdown paragraphs.

    Args:
        runs: evaluated experiments by recipe.
        bases: recipes that test the claims; those that were not run are left out.
    """
    parts = ["## The claims of the paper", _INTERVALS.format(_drawn(runs))]
    for base in bases:
        if base in runs:
            parts += [f"### On `{base}`", *_claims(base, runs)]
    return parts


def _drawn(runs: Runs) -> str:
    """Returns what the bootstraps of runs drew. Those that count no notes are of an earlier version."""
    counted = {is_known([each], note_f1()) for each in itertools.chain(*runs.values())}
    if counted == {True}:
        return "songs"
    return "songs, or phrases in runs that count no notes" if True in counted else "phrases"


def _claims(base: str, runs: Runs) -> list[str]:
    summary, details = [], []
    for place, claim in enumerate(claims(base), start=1):
        compared = [each for each in claim.comparisons if is_measured(each, runs)]
        verdicts = [judge(each, runs) for each in compared]
        summary.append([str(place), claim.text, claim.source, f"**{together(verdicts)}**"])
        details += _details(place, compared, verdicts)
    return [
        table(["row", "claim", "source", "outcome"], summary),
        table(["row", "first", "second", "quantity", "first", "second", "gain", "outcome"], details),
    ]


def _details(place: int, compared: list[Comparison], verdicts: list[Verdict]) -> list[list[str]]:
    lines = []
    for comparison, verdict in zip(compared, verdicts, strict=True):
        (first, better), (second, worse) = comparison.better, comparison.worse
        title = better.title if better == worse else f"{better.title} / {worse.title}"
        numbers = [number(verdict.better, 2), number(verdict.worse, 2), verdict.gain.text(2)]
        lines.append([str(place), f"`{first}`", f"`{second}`", title, *numbers, verdict.outcome])
    return lines
