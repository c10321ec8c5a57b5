"""Make hands paths to Python untouched, whatever they hold. A script that prints its arguments stands in for Python."""

import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[1]
ODD = [
    "it's",
    'say "la"',
    "a  b",
    "$HOME $$ ${HOME} $(HOME)",
    "'; touch owned; '",
    "$(touch owned) `touch owned`",
    "$(shell touch owned)",
    "a;b&c|d>owned",
    "back\\slash*?[a]",
    "#hash ~ é",
]


@pytest.fixture
def make(tmp_path):
    """Returns a function (*arguments) -> what Python would be called with."""
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    for name in ("Makefile", "setup.cfg", "setup.py"):
        shutil.copy(ROOT / name, tmp_path)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\" >> called\n")
    python.chmod(0o755)
    (tmp_path / ".venv" / "installed").touch()

    def run(*arguments):
        called = tmp_path / "called"
        called.unlink(missing_ok=True)
        subprocess.run(["make", "--silent", *arguments], cwd=tmp_path, check=True)
        assert not (tmp_path / "owned").exists()
        return called.read_text("utf-8").splitlines()

    return run


@pytest.mark.parametrize("path", ODD)
def test_paths_reach_python_untouched(make, path):
    for variable, flag in (("MIDI", "midi"), ("LPD", "lpd"), ("NPZ", "npz")):
        called = make("data", f"{variable}={path}", "DATA=here")
        assert called == ["-m", "msw2.cli.data", "--store=here", f"--{flag}={path}"]
    called = make("compare", f"REAL={path}", f"MADE=made {path}", "FLAGS=--phrases=3")
    assert called == ["-m", "msw2.cli.compare", f"--real={path}", f"--made=made {path}", "--phrases=3"]


def test_the_commands_that_work_on_a_cluster_are_told_of_it(make):
    def told(target):
        """Which commands a target runs, and whether they are told of the cluster."""
        commands = "\n".join(make(target, "CLUSTER=$HOME it's")).split("-m\nmsw2.cli.")[1:]
        return {each.split("\n")[0]: "\n--cluster=$HOME it's" in each for each in commands}

    assert told("refine") == {"data": True, "stage1": True, "refine": True}
    assert told("stage2") == {"data": True, "stage1": True, "stage2": False}
    assert told("reproduce") == {"data": True, "reproduce": True}


def test_what_is_not_given_is_no_flag(make):
    assert make("data") == ["-m", "msw2.cli.data", "--store=data/store"]
