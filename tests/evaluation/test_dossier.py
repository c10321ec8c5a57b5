import dataclasses
import math
import pathlib

import pytest

from msw2.evaluation.dossier import markdown
from msw2.evaluation.experiments import Experiment
from msw2.evaluation.results import Estimate, Key

NAN = math.nan


def experiment(recipe, seed, seconds, **rows):
    """Returns an experiment of estimates by row, and by the metric, definition and track of their keys."""
    estimates = {
        Key(row, *key): Estimate(*value) if isinstance(value, tuple) else Estimate(value, NAN, NAN)
        for row, values in rows.items()
        for key, value in values.items()
    }
    return Experiment(recipe, seed, pathlib.Path(recipe), estimates, seconds)


F1, FD, OA = ("F1", "correct", "mean"), ("FD", "correct", "all"), ("OA", "correct", "mean")
HALF, TD = ("FD_half", "correct", "all"), ("distance_TD", "correct", "all")
SR, CELLS, DP = ((f"distance_{name}", "released", "all") for name in ("SR", "cells", "DP"))
RUNS = {
    "tuned_3200": [
        experiment(
            "tuned_3200", 0, {"stage1": 90.0, "eval": 30.0},
            MSR={F1: (0.61, 0.6, 0.62), SR: (2.0, 1.9, 2.1), FD: 3.0, OA: 0.875},
            MSG2={SR: (5.0, 4.5, 5.5), FD: 20.0, TD: (0.5, 0.4, 0.6), ("copies", "correct", "all"): (0.03, 0.02, 0.04)},
            MSG1={SR: (9.0, 8.0, 10.0), ("SR", "released", "guitar"): 0.817, ("EB", "correct", "drums"): 0.25,
                  ("EB", "correct", "bass"): 0.5, ("EB", "correct", "piano"): NAN},
            floor={HALF: 11.5, OA: 0.9},
            **{"MSR-train": {F1: 0.8}},
        ),
        experiment("tuned_3200", 1, {"stage1": 60.0}, MSR={F1: 0.63}, MSG2={FD: 22.0}),
    ],
    "tuned_3200-no_fusion": [
        experiment("tuned_3200-no_fusion", 0, {"eval": 12.0}, MSG2={FD: 31.0, TD: (0.9, 0.8, 1.0), OA: 0.25}),
        experiment("tuned_3200-no_fusion", 1, {}, MSG2={FD: 33.5, TD: (NAN, NAN, NAN)}),
    ],
}  # fmt: skip


def section(text, title):
    """Returns the rows of the tables of a section, as lists of cells."""
    part = text.split(f"\n## {title}\n")[1].split("\n## ")[0]
    return [line[2:-2].split(" | ") for line in part.splitlines() if line.startswith("|")]


def cells_of(text, title, *first):
    """Returns the other cells of the only row that begins so."""
    found = [
        line[len(first) :]
        for line in section(text, title)
        if [c.strip() for c in line[: len(first)]] == [*first]
    ]
    assert len(found) == 1, (title, first)
    return [cell.strip() for cell in found[0]]


def dossier(runs=RUNS, bases=("tuned_3200", "paper"), main=("paper", "tuned_3200")):
    return markdown(runs, header=["Made up.", "Of nothing."], bases=bases, main=main)


def test_it_begins_with_its_header_and_has_every_section_once():
    text = dossier()
    assert text.startswith("# Dossier\n\nMade up.\n\nOf nothing.\n\n## The claims of the paper\n\n")
    assert text.endswith(" |\n")
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == [
        "The claims of the paper",
        "Every run",
        "Table I, by the released functions",
        "Table I, by the correct definitions",
        "Table II without listeners, on `tuned_3200`",
        "Is it copied?",
        "Wall time",
    ]
    assert text.count("### On ") == text.count("### On `tuned_3200`") == 1


def test_claims_have_their_outcome_and_every_comparison_its_numbers():
    text, title = dossier(), "The claims of the paper"
    refined = "After adding refine networks, each index has been improved"
    assert cells_of(text, title, "1", refined) == ["Section V.A, Table I", "**holds in 1 of 3, rest open**"]
    assert cells_of(text, title, "5", "Independent BVAEs beat a shared one")[1] == "**not run**"
    # Of one seed that has both: 9 - 5, and hypot(0.5, 1).
    assert cells_of(text, title, "1", "`tuned_3200`", "`tuned_3200`", "SR distance, MSG2 / SR distance, MSG1") == [
        "5.00", "9.00", "4.00 ± 1.12", "holds"
    ]  # fmt: skip
    # Gains of 11 and 11.5, deviation of the mean 0.25, times 12.7062.
    assert cells_of(text, title, "6", "`tuned_3200`", "`tuned_3200-no_fusion`", "Fréchet distance, MSG2") == [
        "21.00", "32.25", "11.25 ± 3.18", "holds"
    ]  # fmt: skip
    assert cells_of(text, title, "3", "`tuned_3200`", "`tuned_3200-project`", "restored F1 of cells (%)") == [
        "n/a", "n/a", "n/a", "not run"
    ]  # fmt: skip


def with_notes():
    """`RUNS`, the first of which counts notes."""
    first, second = RUNS["tuned_3200"]
    scores = {
        ("F1_notes", "correct", "mean"): (0.25, 0.2, 0.3),
        ("F1_notes", "correct", "bass"): 0.5,
        ("notes_made", "correct", "mean"): 1.1,
    }
    lengths = {("note_length", "correct", "piano"): 6.0, ("note_length", "correct", "bass"): 8.0}
    distance = {("distance_note_length", "correct", "all"): 1.5}
    made = experiment("", 0, {}, MSR=scores, dataset=lengths, MSG2=distance)
    first = dataclasses.replace(first, estimates=first.estimates | made.estimates)
    return RUNS | {"tuned_3200": [first, second]}


def test_notes_come_first_where_they_were_counted():
    text = dossier(with_notes())
    title = "Every run"
    assert section(text, title)[0][:6] == [
        "row", "seeds", "F1 of notes", "F1 of notes, training", "F1 of cells", "F1 of cells, training"
    ]  # fmt: skip
    assert cells_of(text, title, "`tuned_3200`")[:4] == ["2", "25.0 ± 5.0", "n/a", "62.0 ± 12.7"]
    assert cells_of(text, title, "*paper*")[:6] == [*[""] * 5, "*3.18*"]
    title = "Notes of restored songs"
    assert section(text, title)[0] == ["row", "drums", "piano", "guitar", "bass", "strings", "mean"]
    assert cells_of(text, title, "F1 of notes, `tuned_3200`") == [*["n/a"] * 3, "50.0", "n/a", "25.0 ± 5.0"]
    assert cells_of(text, title, "notes made / notes there, `tuned_3200`")[-1] == "110.0"
    assert cells_of(text, title, "F1 of cells, `tuned_3200`")[-1] == "62.0 ± 12.7"
    lengths = [line[0] for line in zip(*section(text, "Table I, by the correct definitions"), strict=True)]
    assert lengths[1] == "Length of a note (steps)"
    assert cells_of(text, "Table I, by the correct definitions", "dataset, `tuned_3200`")[0] == "7.00"
    title = "Table II without listeners, on `tuned_3200`"
    assert section(text, title)[0][5] == "off in note_length"
    assert cells_of(text, title, "generate")[4] == "1.5"
    comparison = ("`tuned_3200`", "`tuned_3200-project`", "restored F1 of notes (%)")
    assert cells_of(text, "The claims of the paper", "3", *comparison)[-1] == "not run"


def test_what_did_not_count_notes_has_no_row_of_them():
    text = dossier()
    assert {line[-1] for line in section(text, "The claims of the paper") if "of notes" in line[3]} == {
        "not run"
    }
    assert not any("of notes" in title for title in section(text, "Every run")[0])
    assert "note_length" not in text
    assert "## Notes" not in text


def test_it_says_what_the_intervals_are_over():
    assert "else over phrases (bootstrap; " in dossier()
    assert "else over songs, or phrases in runs that count no notes (bootstrap; " in dossier(with_notes())
    counting = {"tuned_3200": with_notes()["tuned_3200"][:1]}
    assert "else over songs (bootstrap; " in dossier(counting)


def test_every_run_stands_beside_the_paper():
    text, title = dossier(), "Every run"
    # Of SR: (4.5 + 0.5 + 0.8 + 4.2 + 5.9) / 5; of cells, without the piano: (1 + 3 + 7 + 4) / 4.
    restored = ["*3.18*", "*3.75*", "*3.2*", "", ""]
    generated = ["*4.26*", "*7.5*", "*3*", "", ""]
    assert cells_of(text, title, "*paper*") == ["", "", "", *restored, *generated]
    restored = ["2.0 ± 0.1", "n/a", "n/a", "3.0", "87.5"]
    assert cells_of(text, title, "`tuned_3200`") == [
        "2", "62.0 ± 12.7", "80.0", *restored, "5.0 ± 0.5", "n/a", "n/a", "21.0 ± 12.7", "n/a"
    ]  # fmt: skip
    assert cells_of(text, title, "`tuned_3200-no_fusion`") == ["2", *["n/a"] * 10, "32.2 ± 15.9", "25.0"]


def test_the_rows_of_table_1():
    text = dossier()
    ours = cells_of(text, "Table I, by the released functions", "MSG1, `tuned_3200`")
    assert ours == ["n/a", "n/a", "81.7", *["n/a"] * 7]
    printed = cells_of(text, "Table I, by the released functions", "*MSG2, paper*")
    assert printed == [
        "*53*",
        "*72.6*",
        "*80.2*",
        "*43.5*",
        "*73.7*",
        "*16*",
        "*88*",
        "*37*",
        "*70*",
        "*97.4*",
    ]
    correct = cells_of(text, "Table I, by the correct definitions", "MSG1, `tuned_3200`")
    assert correct == ["37.50", *["n/a"] * 9]  # of drums and bass; the piano has no value


def test_table_2_has_the_systems_in_the_order_of_the_listeners():
    text, title = dossier(), "Table II without listeners, on `tuned_3200`"
    assert [line[0] for line in section(text, title)[2:]] == [
        "songs that were not heard", "restore", "MuseGAN", "generate", "MidiNet", "no fusion"
    ]  # fmt: skip
    assert cells_of(text, title, "songs that were not heard")[:4] == ["", "", "11.5", "90.0"]
    assert cells_of(text, title, "restore")[:4] == ["*3.62*", "3.0", "", "87.5"]
    assert cells_of(text, title, "MidiNet")[:3] == ["*3.02*", "printed only", ""]
    assert cells_of(text, title, "no fusion")[:4] == ["*2.46*", "32.2 ± 15.9", "", "25.0"]


def test_copies_and_times():
    text = dossier()
    assert cells_of(text, "Is it copied?", "generated, `tuned_3200`") == ["n/a", "n/a", "3.0 ± 1.0", "n/a"]
    assert section(text, "Wall time")[0] == ["row", "stage1, minutes", "eval, minutes", "all"]
    assert cells_of(text, "Wall time", "`tuned_3200`, seed 0") == ["1.5", "0.5", "2.0"]
    assert cells_of(text, "Wall time", "`tuned_3200-no_fusion`, seed 0") == ["", "0.2", "0.2"]
    assert cells_of(text, "Wall time", "`tuned_3200-no_fusion`, seed 1") == ["", "", "0.0"]
    assert cells_of(text, "Wall time", "all") == ["", "", "3"]


def test_it_works_with_nothing_of_what_it_is_made_for():
    bare = {"other": [experiment("other", 3, {})]}
    text = dossier(bare)
    assert "### On" not in text
    assert "## Table II" not in text
    assert cells_of(text, "Every run", "`other`") == ["1", *["n/a"] * 12]
    assert len(section(text, "Is it copied?")) == 2
    alone = dossier({"paper": [experiment("paper", 0, {}, MSR={F1: (NAN, NAN, NAN)})]})
    outcomes = [line[3] for line in section(alone, "The claims of the paper")[2:12]]
    assert outcomes == [
        *("**cannot be told**", "**cannot be told**"), *["**not run**"] * 6, "**cannot be told**", "**not run**"
    ]  # fmt: skip
    assert cells_of(alone, "Table II without listeners, on `paper`", "restore") == ["*3.62*", *[""] * 13]


@pytest.mark.parametrize("runs", [RUNS, with_notes()])
def test_every_table_is_one(runs):
    for line in (lines := dossier(runs).splitlines()):
        if line.startswith("| ---"):
            width, at = line.count("|"), lines.index(line)
            assert lines[at - 1].count("|") == width
            while at < len(lines) and lines[at].startswith("|"):
                assert lines[at].count("|") == width
                at += 1
