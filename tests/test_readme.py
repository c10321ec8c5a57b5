"""README's figures of `make demo`, against the committed ones of the run that printed them; its lines of Python."""

import csv
import os
import pathlib
import re
import subprocess
import sys
import textwrap

import pytest

ROOT = pathlib.Path(__file__).parents[1]
TRACKS = ["drums", "piano", "guitar", "bass", "strings"]
# Title of the line -> row and metric in the CSV, the columns of its numbers, and the factor to what is printed.
TABLE = {
    "F1 % of notes, test": ("MSR", "F1_notes", [*TRACKS, "mean"], 100),
    "F1 % of notes, train": ("MSR-train", "F1_notes", [*TRACKS, "mean"], 100),
    "F1 % of cells, test": ("MSR", "F1", [*TRACKS, "mean"], 100),
    "F1 % of cells, train": ("MSR-train", "F1", [*TRACKS, "mean"], 100),
    "cells a bar, dataset": ("dataset", "cells", TRACKS, 1),
    "cells a bar, MSG1": ("MSG1", "cells", TRACKS, 1),
    "cells a bar, MSG2": ("MSG2", "cells", TRACKS, 1),
    "cells a bar, MSR": ("MSR", "cells", TRACKS, 1),
}
SENTENCES = {
    "restored drums sound in": [("MSR", "bars_kept", "drums")],
    "MSG2:": [("MSG2", "nearest_median", "all"), ("MSG2", "near_copies", "all")],
    "dataset:": [("dataset", "nearest_median", "all"), ("dataset", "near_copies", "all")],
}


@pytest.fixture(scope="module")
def figures():
    """The committed figures: (row, metric, track) -> value as in metrics.csv."""
    with open(ROOT / "experiments/results/demo.csv", newline="", encoding="utf-8") as file:
        return {
            (line["row"], line["metric"], line["track"]): float(line["mean"]) for line in csv.DictReader(file)
        }


def printed(title):
    """Returns the numbers with a point that follow a title, in every line of README that begins with it."""
    lines = [line.strip() for line in (ROOT / "README.md").read_text("utf-8").splitlines()]
    return [re.findall(r"\d+\.\d+", line[len(title) :]) for line in lines if line.startswith(title)]


def agrees(text, value):
    """Whether a printed number is a value rounded to as many digits; the CSV has six of them."""
    digits = len(text.partition(".")[2])
    return abs(float(text) - value) <= 0.5 * 10**-digits + 1e-5 * abs(value)


def test_rounding_is_told_from_another_figure():
    assert agrees("64.0", 64.04)
    assert agrees("64.0", 63.95)
    assert not agrees("64.0", 64.1)
    assert not agrees("64.00", 64.04)


@pytest.mark.parametrize("title", TABLE)
def test_a_line_of_the_table_is_that_of_the_run(figures, title):
    row, metric, columns, scale = TABLE[title]
    lines = printed(title)
    assert lines, f"README has no line that begins with {title!r}"
    for numbers in lines:
        expected = [scale * figures[row, metric, column] for column in columns]
        assert len(numbers) == len(expected), (title, numbers)
        wrong = [pair for pair in zip(numbers, expected, strict=True) if not agrees(*pair)]
        assert not wrong, (
            f"{title}: printed and measured differ: {wrong}; see `python -m msw2.cli.demo_figures`"
        )


@pytest.mark.parametrize("title", SENTENCES)
def test_a_sentence_has_the_figures_of_the_run(figures, title):
    lines = printed(title)
    assert lines, f"README has no line that begins with {title!r}"
    for numbers in lines:
        expected = [100 * figures[key] for key in SENTENCES[title]]
        assert len(numbers) == len(expected), (title, numbers)
        assert all(map(agrees, numbers, expected)), (title, numbers, expected)


def test_the_lines_of_python_run_word_for_word(tmp_path):
    section = (ROOT / "README.md").read_text("utf-8").partition("\n## Python\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("    ")]
    assert 5 <= len(lines) <= 10
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", textwrap.dedent("\n".join(lines))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    begin = {"first.mid": b"MThd", "both.png": b"\x89PNG", "between.ogg": b"OggS"}
    assert {path.name: path.read_bytes()[:4] for path in tmp_path.iterdir()} == begin
