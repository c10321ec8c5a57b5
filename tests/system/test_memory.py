"""Memory that there is, in files drawn by hand; and what is kept, in processes of their own: they end with it."""

import platform
import subprocess
import sys

import pytest

from msw2.system import memory

FAULTS = """
import resource, sys
import numpy as np
from msw2.system.memory import keep_freed

def step():
    return [np.ones(2_000_000) for _ in range(6)]  # 96 MB

print(keep_freed() if sys.argv[1] == "kept" else None)
for _ in range(3):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def answers(how):
    line = [sys.executable, "-c", FAULTS, how]
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is glibc's")
def test_what_is_kept_is_not_asked_for_again():
    told, kept = answers("kept")
    assert told == "True"
    _, usual = answers("usual")
    assert int(usual) > 10_000
    assert int(kept) < int(usual) / 20


def test_another_c_library_is_left_alone(monkeypatch):

    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    assert memory.keep_freed() is False


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """Returns a function that draws the kernel's files: kB that are free, and a container's limit, use and cache."""

    def draw(free, **container):
        if free is not None:
            (tmp_path / "meminfo").write_text(f"MemTotal: 9 kB\nMemAvailable:   {free} kB\nBuffers: 8 kB\n")
        for name, text in container.items():
            (tmp_path / f"memory.{name}").write_text(text)

    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    return draw


@pytest.mark.parametrize(
    ("free", "container", "expected"),
    [
        (None, {}, float("inf")),
        (7, {}, 7 * 1024),
        (7, {"max": "max\n", "current": "5\n", "stat": "inactive_file 1\n"}, 7 * 1024),
        (7, {"max": "5000\n", "current": "1000\n", "stat": "anon 3\ninactive_file 30\n"}, 4030),
        (2, {"max": "5000\n", "current": "1000\n"}, 2048),
    ],
)
def test_the_machine_and_the_container_say_what_there_is(kernel, free, container, expected):
    kernel(free, **container)
    assert memory.available() == expected
