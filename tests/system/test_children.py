"""Commands that a command starts."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from msw2.system import children

PARENT = """
import subprocess, sys, time
from msw2.system import children
children.sys.executable = sys.argv[1]
print(children.start("x", []).pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def sleeper(tmp_path):
    """A program that sleeps, whatever its arguments are."""
    path = tmp_path / "sleeper"
    path.write_text("#!/bin/sh\nexec sleep 60\n")
    path.chmod(0o755)
    return path


def ended(pid):
    try:
        return "State:\tZ" in pathlib.Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's service is Linux's")
def test_a_command_ends_with_the_one_that_started_it(sleeper):
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(sleeper)], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    try:
        time.sleep(0.2)
        assert not ended(pid)
        parent.kill()
        parent.wait()
        limit = time.monotonic() + 20
        while not ended(pid) and time.monotonic() < limit:
            time.sleep(0.05)
        assert ended(pid)
    finally:
        parent.kill()
        parent.stdout.close()
        if not ended(pid):
            os.kill(pid, signal.SIGKILL)


def test_a_command_leaves_ctrl_c_to_the_one_that_started_it(sleeper, monkeypatch):
    monkeypatch.setattr(children.sys, "executable", str(sleeper))
    child = children.start("x", [])
    try:
        ignored = int(
            pathlib.Path(f"/proc/{child.pid}/status").read_text().split("SigIgn:\t")[1].split()[0], 16
        )
        assert ignored & 1 << (signal.SIGINT - 1)
    finally:
        child.kill()
        child.wait()


def test_the_line_of_a_command(monkeypatch):
    found = []
    monkeypatch.setattr(children.subprocess, "Popen", lambda line, **kwargs: found.append(line))
    children.start("msw2.cli.stage1", ["--run=a b", "--track=bass"])
    assert found == [[sys.executable, "-m", "msw2.cli.stage1", "--run=a b", "--track=bass"]]
