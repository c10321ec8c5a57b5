"""Commands that a process starts. They end when the process ends."""

import ctypes
import signal
import subprocess
import sys
from collections.abc import Sequence

DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


def start(module: str, arguments: Sequence[str]) -> subprocess.Popen:
    """Starts `python -m <module>`. It ends when this process ends, also after a kill."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        preexec_fn=_die_with_parent,  # noqa: PLW1509 - a single system call: no lock of another thread is taken
    )


def _die_with_parent() -> None:
    """Asks the kernel to end this process when its parent ends (Linux)."""
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGTERM)
