"""Memory that is kept, in processes of their own: the setting lasts as long as the process."""

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
