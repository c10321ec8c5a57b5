"""The main figures of an evaluation: what a glance should see.

Does it restore, does any track fall silent, how full is it, does it copy?
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
COPIES = {row: [Key(row, metric, "correct", ALL) for metric in ("nearest_median", "near_copies")]
          for row in (GENERATED, DATASET)}  # fmt: skip


def lines(estimates: dict[Key, Estimate], split: str) -> list[str]:
    """Returns the figures as lines to print.

    Args:
        estimates: of an evaluation, with its novelty.
        split: name of the held-out songs' split.
    """
    made = [f"{'':26}" + "".join(f"{name:>10}" for name in COLUMNS)]
    for title, keys, scale in _table(estimates, split):
        found = [estimates.get(key) for key in keys]
        if not any(found):
            continue  # an evaluation of an earlier version
        made.append(
            f"{title:26}" + "".join("" if each is None else f"{scale * each.mean:10.1f}" for each in found)
        )
    kept = 100 * estimates[KEPT].mean
    made.append(f"restored drums sound in {kept:.1f} % of the bars in which the original has drums")
    for row, keys in COPIES.items():
        median, near = (100 * estimates[key].mean for key in keys)
        made.append(
            f"{row}: {median:.1f} % from the nearest training phrase (median), {near:.1f} % are near copies"
        )
    return made


def shown(estimates: dict[Key, Estimate]) -> dict[Key, Estimate]:
    """Returns the estimates that `lines` prints, in its order."""
    keys = [key for _, row, _ in _table(estimates, "") for key in row]
    keys += [KEPT, *COPIES[GENERATED], *COPIES[DATASET]]
    return {key: estimates[key] for key in keys if key in estimates}


def _table(estimates: dict[Key, Estimate], split: str) -> list[tuple[str, list[Key], float]]:
    """Returns the rows of the table: title, a key a column, factor to what is printed."""
    full = dict.fromkeys(key.row for key in estimates if (key.metric, key.definition) == ("cells", "correct"))
    rows = [
        (f"F1 % of notes, {split}", RESTORED, NOTES, 100),
        ("F1 % of notes, train", RESTORED_TRAIN, NOTES, 100),
        (f"F1 % of cells, {split}", RESTORED, "F1", 100),
        ("F1 % of cells, train", RESTORED_TRAIN, "F1", 100),
        *((f"cells a bar, {row}", row, "cells", 1) for row in full),
    ]
    return [
        (title, [Key(row, metric, "correct", column) for column in COLUMNS], scale)
        for title, row, metric, scale in rows
    ]
