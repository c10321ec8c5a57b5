"""The console command."""

import pathlib
import subprocess
import sys

import pytest

from msw2.cli import main

COMMANDS = sorted(main.commands())


def msw2(*arguments, folder):
    """Runs `python -m msw2` in a folder; returns what subprocess.run does."""
    line = [sys.executable, "-m", "msw2", *arguments]
    environment = {"PYTHONPATH": str(pathlib.Path(main.__file__).parents[2]), "PATH": "/usr/bin:/bin"}
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_it_lists_every_command_with_a_sentence(tmp_path):
    done = msw2(folder=tmp_path)
    assert done.returncode == 0
    for name in COMMANDS:
        assert f"\n  {name} " in done.stdout
    assert "  stage2 " in done.stdout
    assert "\n  options " not in done.stdout
    assert "\n  pack " not in done.stdout
    assert "\n  listening-test  " in done.stdout
    assert "  `make" not in done.stdout
    assert done.stderr == ""


def test_a_command_that_there_is_not_is_refused(tmp_path):
    done = msw2("generat", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(
        "error: 'generat' is not one of accompany, bench, compare, continue, data, "
    )


def test_a_sub_command_is_the_command_with_its_flags(tmp_path):
    helped = msw2("data", "--help", folder=tmp_path)
    assert "--midi: Folder of MIDI files" in helped.stdout
    done = msw2("data", "--midi=none", "--lpd=none", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "error: --midi and --lpd are given: give one source\n"


def test_a_verb_that_python_reserves_is_a_command(tmp_path):
    assert "\n  continue  " in msw2(folder=tmp_path).stdout
    done = msw2("continue", "--midi=none.mid", "--noaudio", folder=tmp_path)
    assert done.stderr.startswith("error: none.mid: cannot be read")


def test_help_lists_the_flags_that_commands_share(tmp_path):
    helped = msw2("generate", "--help", folder=tmp_path).stdout
    for flag in ("--run:", "--seed:", "--temperature:", "--songs:"):
        assert flag in helped, flag


@pytest.mark.parametrize("name", COMMANDS)
def test_the_summary_of_a_command_is_one_sentence(name):
    summary = main.commands()[name]
    assert summary.endswith(".")
    assert len(summary) < 120
