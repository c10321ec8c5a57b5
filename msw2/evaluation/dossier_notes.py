"""The section of a dossier on notes: how many of them restored songs keep."""

from msw2.evaluation.experiments import Quantity, Runs, is_known, spread
from msw2.evaluation.markdown import table
from msw2.evaluation.measures import SCORES, SCORES_TEXT
from msw2.evaluation.results import MEAN, NOTES, RESTORED, Key
from msw2.music.tracks import TRACK_NAMES


def section(runs: Runs, recipes: list[str]) -> list[str]:
    """Returns Markdown paragraphs on every score of restored songs; none if no run has a score of notes.

    Args:
        runs: evaluated experiments by recipe.
        recipes: those to show. Recipes whose evaluations did not count notes yet are left out.
    """
    lines = []
    for recipe in recipes:
        if not is_known(runs[recipe], _quantity(NOTES, MEAN)):
            continue
        for score, title in SCORES.items():
            found = [spread(runs[recipe], _quantity(score, track)) for track in (*TRACK_NAMES, MEAN)]
            lines.append([f"{title}, `{recipe}`", *(each.text(1) for each in found)])
    if not lines:
        return []
    return [
        "## Notes of restored songs",
        f"Test songs, in percent. {SCORES_TEXT}",
        table(["row", *TRACK_NAMES, MEAN], lines),
    ]


def _quantity(score: str, track: str) -> Quantity:
    return Quantity("", Key(RESTORED, score, "correct", track), 100)
