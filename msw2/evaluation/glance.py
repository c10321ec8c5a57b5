"""The main figures of an evaluation: what a glance should see.

Does it restore notes and cells, what are the notes of its music like, does any track fall silent, does it copy?
"""

from msw2.evaluation.results import (
    ALL,
    DATASET,
    GENERATED,
    MEAN,
    NOTES,
    RESTORED,
    RESTORED_TRAIN,
    Estimate,
    Key,
)
from msw2.music.tracks import DRUMS, TRACK_NAMES

COLUMNS = (*TRACK_NAMES, MEAN)
KEPT = Key(RESTORED, "bars_kept", "correct", TRACK_NAMES[DRUMS])
_SOUGHT = (GENERATED, DATASET)  # rows whose copies are sought
_NOTES = (
    (NOTES, "F1 % of notes"),
    ("precision_notes", "precision % of notes"),
    ("recall_notes", "recall % of notes"),
    ("notes_made", "notes made / there %"),
    ("bars_exact", "bars exact %"),
)
_MUSIC = (
    ("notes_a_bar", "notes a bar", 1),
    ("note_length", "note length in steps", 1),
    ("fragments", "fragments %", 100),
    ("bar_repeats", "bars repeated %", 100),
)
_WIDTH = 34  # of the titles


def lines(estimates: dict[Key, Estimate], split: str) -> list[str]:
    """Returns the figures as lines to print.

    Args:
        estimates: of an evaluation, with its novelty.
        split: name of the held-out songs' split.
    """
    made = [f"{'':{_WIDTH}}" + "".join(f"{name:>10}" for name in COLUMNS)]
    for title, keys, scale in _table(estimates, split):
        found = [estimates.get(key) for key in keys]
        if not any(found):
            continue  # an evaluation of an earlier version
        cells = ("" if each is None else f"{scale * each.mean:.1f}" for each in found)
        made.append(f"{title:{_WIDTH}}{''.join(f'{cell:>10}' for cell in cells)}".rstrip())
    kept = 100 * estimates[KEPT].mean
    made.append(f"restored drums sound in {kept:.1f} % of the bars in which the original has drums")
    return [*made, *(copies_line(estimates, row) for row in _SOUGHT)]


def copies_line(estimates: dict[Key, Estimate], row: str) -> str:
    """Returns a line on how near a row is to training phrases."""
    median, near = (100 * estimates[key].mean for key in _copies(row))
    return f"{row}: {median:.1f} % from the nearest training phrase (median), {near:.1f} % are near copies"


def shown(estimates: dict[Key, Estimate]) -> dict[Key, Estimate]:
    """Returns the estimates that `lines` prints, in its order."""
    keys = [key for _, row, _ in _table(estimates, "") for key in row]
    keys += [KEPT, *(key for row in _SOUGHT for key in _copies(row))]
    return {key: estimates[key] for key in keys if key in estimates}


def _copies(row: str) -> list[Key]:
    return [Key(row, metric, "correct", ALL) for metric in ("nearest_median", "near_copies")]


def _table(estimates: dict[Key, Estimate], split: str) -> list[tuple[str, list[Key], float]]:
    """Returns the rows of the table: title, a key a column, factor to what is printed."""
    full = dict.fromkeys(key.row for key in estimates if (key.metric, key.definition) == ("cells", "correct"))
    songs = ((split, RESTORED), ("train", RESTORED_TRAIN))
    rows = [
        *((f"{title}, {name}", row, metric, 100) for name, row in songs for metric, title in _NOTES),
        *((f"F1 % of cells, {name}", row, "F1", 100) for name, row in songs),
        *(
            (f"{title}, {row}", row, metric, scale)
            for metric, title, scale in _MUSIC
            for row in (DATASET, GENERATED)
        ),
        *((f"cells a bar, {row}", row, "cells", 1) for row in full),
    ]
    return [
        (title, [Key(row, metric, "correct", column) for column in COLUMNS], scale)
        for title, row, metric, scale in rows
    ]
