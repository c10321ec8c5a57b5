"""The card of packaged weights: what they were trained on and how, what they do, what may be done with them."""

import dataclasses

import numpy as np

from msw2.evaluation.half import Cost
from msw2.evaluation.markdown import number, table, text
from msw2.evaluation.measures import SCORES
from msw2.evaluation.novelty import NEAR
from msw2.evaluation.results import ALL, DATASET, FLOOR, GENERATED, MEAN, RESTORED, Evaluation, Key
from msw2.music.tracks import TRACK_NAMES

_SCORES = ("precision_notes", "recall_notes", "notes_made", "bars_exact")  # beside F1


@dataclasses.dataclass(frozen=True)
class Card:
    """What a card says besides its figures.

    Attributes:
        name: of the weights.
        preset: that the config began with.
        size: of the file, bytes.
        songs: sentences on what they were trained on.
        split: of the songs that the figures are of.
        counts: songs and phrases of each split, by its name.
        prior: a sentence on what generation draws from.
        commit: of the code that trained them.
        commands: that trained and packed them.
        machine: that they were trained on.
        licence: sentences.
    """

    name: str
    preset: str
    size: int
    songs: str
    split: str
    counts: dict[str, tuple[int, int]]
    prior: str
    commit: str
    commands: tuple[str, ...]
    machine: str
    licence: str


def markdown(card: Card, evaluation: Evaluation, cost: Cost) -> str:
    """Returns the card as Markdown."""
    splits = "; ".join(
        f"{name} {songs:,} songs ({phrases:,} phrases)" for name, (songs, phrases) in card.counts.items()
    )
    return "\n".join(
        [
            f"# Weights `{card.name}`",
            "",
            f"Preset `{card.preset}`, half precision with rounded matrices, {card.size / 2**20:.1f} MB. {card.prior}",
            "",
            "## Training",
            "",
            f"{card.songs} Splits: {splits}.",
            "",
            f"Commit {card.commit}. {card.machine}.",
            "",
            *(f"    {command}" for command in card.commands),
            "",
            "## Figures",
            "",
            f"Songs of the split {card.split}, which no training saw: {evaluation.phrases[DATASET]:,} phrases, "
            "spread evenly over all songs. A note is right if its pitch and the step of its start are exact. A cell is "
            "one pitch at one step. Bars are those that sound in the original; exactly: every cell.",
            "",
            _restored(cost, evaluation),
            "",
            _generated(evaluation),
            "",
            "## What half precision costs",
            "",
            f"The same phrases were restored in whole precision too. Of the cells that sound in either, "
            f"{100 * cost.agreement:.2f} % sound in both.",
            "",
            _precision(cost),
            "",
            "## Licence",
            "",
            card.licence,
            "",
        ]
    )


def _restored(cost: Cost, evaluation: Evaluation) -> str:
    rows = (("F1 of notes, %", cost.notes[1]), ("F1 of cells, %", cost.cells[1]))
    lines = [[title, *(f"{100 * value:.1f}" for value in (*each, np.nanmean(each)))] for title, each in rows]
    columns = (*TRACK_NAMES, MEAN)
    for score in _SCORES:
        found = [evaluation.estimates[RESTORED, score, "correct", column].mean for column in columns]
        lines.append([f"{SCORES[score]}, %", *(number(100 * value, 1) for value in found)])
    return table(["metric", *columns], lines)


def _generated(evaluation: Evaluation) -> str:
    """Returns Fréchet distances and novelty: of what is generated and restored, and of real songs."""
    columns = (("FD", ALL, 1), ("FD_half", ALL, 1), ("OA", MEAN, 100))
    copies = (("nearest_median", ALL, 100), ("near_copies", ALL, 100))
    rows = (
        ("generated", GENERATED, GENERATED),
        ("restored", RESTORED, RESTORED),
        ("real songs", FLOOR, DATASET),
    )
    lines = []
    for title, compared, sought in rows:
        keys = [(compared, *each) for each in columns] + [(sought, *each) for each in copies]
        found = [
            (evaluation.estimates.get(Key(row, metric, "correct", track)), scale)
            for row, metric, track, scale in keys
        ]
        lines.append([title, *("" if each is None else text(each, scale) for each, scale in found)])
    header = ["row", "FD", "FD to a half", "overlap, %", "nearest training phrase, %", "near copies, %"]
    note = (
        "FD is the Fréchet distance to the held-out songs, less is better; `to a half` is to the first half of them, "
        "and real songs are the second half. Overlap is the overlapping area, 100 is best. The nearest training "
        "phrase is the median distance, 1 - F1 over cells, in any of 13 keys. A near copy is at most "
        f"{100 * NEAR:g} % away."
    )
    return f"{table(header, lines)}\n\n{note}"


def _precision(cost: Cost) -> str:
    lines = [
        [title, *(f"{100 * np.nanmean(each):.2f}" for each in pair)]
        for title, pair in (("F1 of notes", cost.notes), ("F1 of cells", cost.cells))
    ]
    return table(["metric", "whole, %", "half, %"], lines)
