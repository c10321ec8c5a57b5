"""The figures that README shows, as the maintainer renews them."""

import pathlib

import pytest

from msw2.cli import demo_figures
from msw2.cli.launch import OptionError
from msw2.evaluation import glance
from msw2.evaluation.experiments import read_metrics

COMMITTED = pathlib.Path(__file__).parents[2] / "experiments/results/demo.csv"


def test_figures_of_a_run_are_kept_and_nothing_else(command, tmp_path, capsys):
    (tmp_path / "eval").mkdir()
    other = "MSG2,FD,correct,all,12.5,10,15\nMSR,precision,correct,mean,0.5,0.4,0.6\n"
    (tmp_path / "eval" / "metrics.csv").write_text(COMMITTED.read_text("utf-8") + other, "utf-8")
    command(demo_figures, f"--run={tmp_path}", f"--out={tmp_path / 'new' / 'demo.csv'}")
    assert (tmp_path / "new" / "demo.csv").read_bytes() == COMMITTED.read_bytes()
    printed = capsys.readouterr().out.splitlines()
    assert printed[1].startswith("F1 % of notes, test ")
    assert printed == glance.lines(read_metrics(COMMITTED), "test")


def test_without_an_evaluation_nothing_is_written(command, tmp_path):
    with pytest.raises(OptionError, match=r"there is no .*metrics.csv: run `make eval` first"):
        command(demo_figures, f"--run={tmp_path}", f"--out={tmp_path / 'demo.csv'}")
    assert not (tmp_path / "demo.csv").exists()
