"""`make export` and `make serve` as the user meets them."""

import os
import pathlib
import shlex
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
    arguments = "--port=9001", "--host=::1", "--", "--rest_api_num_threads=2", "--enable_batching=false"
    done = _process("serve", f"--run={exported}", *arguments, PATH=str(exported))
    assert done.returncode == 1
    why, command = done.stdout.splitlines()
    assert why == "where Docker is there, run:"
    config = ROOT / "msw2" / "serving" / "monitoring.config"
    assert config.is_file()
    assert shlex.split(command) == [
        *("docker", "run", "--rm", "-p", "[::1]:9001:8501", "-p", "[::1]:8500:8500"),
        *("--mount", f"type=bind,source={exported}/export/msw2,target=/models/msw2,readonly"),
        *("--mount", f"type=bind,source={config},target=/etc/msw2-monitoring.config,readonly"),
        *("-e", "MODEL_NAME=msw2", "tensorflow/serving:2.19.1"),
        *("--monitoring_config_file=/etc/msw2-monitoring.config", "--rest_api_num_threads=2"),
        "--enable_batching=false",
    ]
    assert done.stderr.strip().splitlines()[-1] == "error: nothing is served: docker is not installed"


def _serve_with_docker(exported, script):
    docker = exported / "docker"
    docker.write_text("#!/bin/sh\n" + script)
    docker.chmod(0o755)
    return _process("serve", f"--run={exported}", PATH=f"{exported}:/usr/bin:/bin")


def test_where_docker_works_it_takes_over(exported):
    script = '[ "$1" = info ] && exit 0\necho "docker was asked to $1 at $4 and $6"\nexit 7\n'
    done = _serve_with_docker(exported, script)
    assert done.returncode == 7
    said = "docker was asked to run at 127.0.0.1:8501:8501 and 127.0.0.1:8500:8500"
    assert done.stdout.splitlines()[-1] == said


def test_where_docker_does_not_work_it_says_why(exported):
    done = _serve_with_docker(exported, "echo no daemon >&2\nexit 1\n")
    assert done.returncode == 1
    assert done.stdout.startswith("where Docker is there, run:\ndocker run ")
    assert (
        done.stderr.strip().splitlines()[-1] == "error: nothing is served: docker does not work (no daemon)"
    )


def test_a_folder_that_docker_cannot_bind_is_one_sentence(command, exported):
    exported = exported.rename(exported.with_name("a,b"))
    with pytest.raises(OptionError, match=r"Docker cannot bind .*a,b/export/msw2: a comma is in its name"):
        command(serve, f"--run={exported}")


def test_nothing_is_served_before_it_is_exported(command, tmp_path):
    with pytest.raises(OptionError, match=r"no exported model in .*: run `make export` first"):
        command(serve, f"--run={tmp_path}")
