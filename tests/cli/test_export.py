"""`make export` and `make serve` as the user meets them."""

import os
import pathlib
import subprocess
import sys

import pytest

import msw2
from msw2.cli import export, serve
from msw2.cli.launch import OptionError
from msw2.training.runs import RunError

ROOT = pathlib.Path(msw2.__file__).parents[1]


def _process(name, *arguments, **environment):
    command = [sys.executable, "-m", f"msw2.cli.{name}", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"} | environment
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_a_run_without_stages_is_told_what_is_missing(command, smoke_run, tmp_path):
    (tmp_path / "config.json").write_bytes((smoke_run.path / "config.json").read_bytes())
    with pytest.raises(
        RunError, match=r"has no trained drums_encoder.*: run `make stage1 TRACK=drums` first"
    ):
        command(export, f"--run={tmp_path}")


def test_without_a_run_there_is_one_sentence_and_status_1(tmp_path):
    done = _process("export", f"--run={tmp_path / 'none'}")
    assert done.returncode == 1
    assert (
        done.stderr.strip().splitlines()[-1]
        == f"error: no run at {tmp_path / 'none'}: train one with `make stage1`"
    )
    assert "Traceback" not in done.stderr


@pytest.fixture
def exported(tmp_path):
    """A run with an exported model, as far as `serve` looks at it."""
    (tmp_path / "export" / "msw2" / "1").mkdir(parents=True)
    (tmp_path / "export" / "msw2" / "1" / "saved_model.pb").touch()
    return tmp_path


def test_where_docker_is_missing_the_command_is_printed(exported):
    done = _process("serve", f"--run={exported}", "--port=9001", PATH=str(exported))
    assert done.returncode == 0
    why, command = done.stdout.splitlines()
    assert why == "docker is not installed; where Docker is there, run:"
    assert command == (
        "docker run --rm -p 9001:8501 -p 8500:8500 --mount "
        f"type=bind,source={exported}/export/msw2,target=/models/msw2,readonly -e MODEL_NAME=msw2 tensorflow/serving"
    )


def _serve_with_docker(exported, script):
    docker = exported / "docker"
    docker.write_text("#!/bin/sh\n" + script)
    docker.chmod(0o755)
    return _process("serve", f"--run={exported}", PATH=f"{exported}:/usr/bin:/bin")


def test_where_docker_works_it_takes_over(exported):
    done = _serve_with_docker(exported, '[ "$1" = info ] && exit 0\necho "docker was asked to $1"\nexit 7\n')
    assert done.returncode == 7
    assert done.stdout.splitlines()[-1] == "docker was asked to run"


def test_where_docker_does_not_work_it_says_why(exported):
    done = _serve_with_docker(exported, "echo no daemon >&2\nexit 1\n")
    assert done.returncode == 0
    assert done.stdout.startswith(
        "docker does not work (no daemon); where Docker is there, run:\ndocker run "
    )


def test_nothing_is_served_before_it_is_exported(command, tmp_path):
    with pytest.raises(OptionError, match=r"no exported model in .*: run `make export` first"):
        command(serve, f"--run={tmp_path}")
