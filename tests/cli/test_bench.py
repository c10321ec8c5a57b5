"""`make bench` as the user meets it."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

import msw2
from msw2.benchmarks.machine import Machine
from msw2.benchmarks.rounds import Comparison, Contender, Ratio
from msw2.cli import bench
from msw2.cli.launch import OptionError

ROOT = pathlib.Path(msw2.__file__).parents[1]
TASK = """
def count(job):
    return lambda amount: (job["each"] * amount, ())

def dies(job):
    raise SystemExit("a last word")
"""


def process(*arguments, folder):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    line = [sys.executable, "-m", "msw2.cli.bench", *arguments]
    return subprocess.run(line, capture_output=True, text=True, check=False, env=environment, cwd=folder)


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Groups that need no TensorFlow, on a machine that is not asked."""
    (tmp_path / "task_of_test.py").write_text(TASK)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    machine = Machine("Some CPU", 2, 2**30, (), {"Python": "3.11"}, 0.0)
    monkeypatch.setattr(Machine, "here", lambda: machine)

    def group(name, task):
        one, two = (
            Contender(each, ({"task": f"task_of_test:{task}", "each": 1, "name": each},), "bars", amount=5)
            for each in ("one", "two")
        )
        return lambda setting: iter(
            [Comparison(name, "tiny", (one, two), (Ratio("1 / 2", "one", "two", 0.0),))]
        )

    made = {"first": group("first", "count"), "second": group("second", "count"), "bad": group("bad", "dies")}
    monkeypatch.setattr(bench, "GROUPS", made)


def test_a_group_that_is_none_is_refused_with_the_list_of_them(tmp_path):
    done = process("--only=stage1,stage9", "--json=out.json", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1] == (
        "error: only 'stage9' is not one of "
        "stage1, refine, stage2, pipeline, data, generate, serve, growth, scale, gpu"
    )
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_none_at_all_and_less_than_a_round_are_refused(command, groups):
    with pytest.raises(OptionError, match="only is empty: give some of first, second, bad"):
        command(bench, "--only=")
    with pytest.raises(Exception, match="rounds"):
        command(bench, "--rounds=0")


def test_the_tables_are_printed_and_the_file_has_every_round(command, groups, tmp_path, capsys):
    path = tmp_path / "made" / "bench.json"
    command(bench, "--only=second,first", "--rounds=2", f"--json={path}")
    printed, progress = capsys.readouterr()
    made = json.loads(path.read_text())
    assert [row["group"] for row in made["ratios"]] == ["first", "second"]
    assert made["rounds"] == 2
    assert [(row["contender"], row["unit"], len(row["rounds"])) for row in made["figures"]] == [
        ("one", "bars/s", 2), ("two", "bars/s", 2), ("one", "bars/s", 2), ("two", "bars/s", 2),
    ]  # fmt: skip
    for row in made["ratios"]:
        assert row["lowest"] <= row["median"] <= row["highest"]
        assert row["met"] is True
        over, under = (
            next(
                each["rounds"]
                for each in made["figures"]
                if (each["group"], each["contender"]) == (row["group"], name)
            )
            for name in ("one", "two")
        )
        assert row["rounds"] == [a / b for a, b in zip(over, under, strict=True)]
    assert printed.startswith("# msw2, measured side by side\n\nSome CPU, 2 cores usable, 1.0 GiB; ")
    assert printed.count("| 1 / 2 |") == 2
    assert "first, tiny: round 2 of 2\n" in progress
    assert [path.name] == os.listdir(path.parent)


def test_a_worker_that_dies_leaves_no_file(command, groups, tmp_path, capfd):
    path = tmp_path / "bench.json"
    with pytest.raises(bench.WorkerError, match="the worker of one ended with status 1"):
        command(bench, "--only=first,bad", "--rounds=1", f"--json={path}")
    assert not path.exists()
    assert "a last word" in capfd.readouterr().err
