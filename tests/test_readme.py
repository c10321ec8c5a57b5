"""README's figures of `make demo`, against the committed ones of the run that printed them; its lines of Python."""

import os
import pathlib
import subprocess
import sys
import textwrap

import pytest

import msw2.cli  # noqa: F401 - TensorFlow, imported after it, starts without chatter
from msw2.evaluation import glance
from msw2.evaluation.experiments import read_metrics
from msw2.evaluation.results import Estimate
from msw2.inference.songs import composes
from msw2.inference.trained import open_trained

ROOT = pathlib.Path(__file__).parents[1]


def demo_lines(factor):
    """The lines that `make eval` prints of the committed figures, each times a factor."""
    figures = read_metrics(ROOT / "experiments/results/demo.csv")
    return glance.lines(
        {key: Estimate(*(factor * v for v in value)) for key, value in figures.items()}, "test"
    )


def test_the_figures_of_the_demo_are_those_of_the_run():
    """Word by word. The committed figures have six digits, so a printed one may have been rounded the other way."""
    section = (ROOT / "README.md").read_text("utf-8").partition("\n### What `make demo` prints\n")[2]
    block = section.partition("\n    msw2.cli.eval\n")[2].partition("\n\n")[0]
    allowed = list(zip(*(demo_lines(factor) for factor in (1 - 1e-5, 1, 1 + 1e-5)), strict=True))
    assert len(block.splitlines()) == len(allowed)
    for line, alternatives in zip(block.splitlines(), allowed, strict=True):
        words = zip(*(each.split() for each in alternatives), strict=True)
        for word, right in zip(line.split(), words, strict=True):
            assert word in right, (
                f"{line.strip()!r} is not what `python -m msw2.cli.demo_figures` prints: {alternatives[1]!r}"
            )


def lines_of(heading):
    """The indented lines below a heading of README."""
    section = (ROOT / "README.md").read_text("utf-8").partition(f"\n{heading}\n")[2].partition("\n##")[0]
    return [line for line in section.splitlines() if line.startswith("    ")]


def run(lines, folder):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", textwrap.dedent("\n".join(lines))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_lines_of_python_run_word_for_word(tmp_path):
    lines = lines_of("## Python")
    assert 5 <= len(lines) <= 10
    run(lines, tmp_path)
    begin = {"first.mid": b"MThd", "both.png": b"\x89PNG", "between.ogg": b"OggS"}
    assert {path.name: path.read_bytes()[:4] for path in tmp_path.iterdir()} == begin


def test_the_verbs_of_python_run_word_for_word(tmp_path):
    if not composes(open_trained().config):
        pytest.skip("the packaged weights have learnt no songs")
    said = ("import msw2", "= msw2.load", "first, second =")
    before = [line for line in lines_of("## Python") if any(part in line for part in said)]
    lines = lines_of("### Verbs in Python")
    assert (len(before), len(lines)) == (3, 5)
    made = "longer, filled, played, path, other"
    run([*before, *lines, f"    assert all(song.tracks for song in ({made}))"], tmp_path)
