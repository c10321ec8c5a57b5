"""Commands that a process starts, and that end with it."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


def start(module: str, arguments: Sequence[str], **options: Any) -> subprocess.Popen:
    """Starts `python -m <module>`. It ends when this process does, however that ends.

    Ctrl-C, which a terminal sends to both, is left to this process.

    Args:
        module: its dotted name.
        arguments: of its command line.
        **options: as for `subprocess.Popen`.
    """
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        **options,
        preexec_fn=tied_to(os.getpid()),  # noqa: PLW1509 - system calls alone: no lock of another thread is taken
    )


def tied_to(parent: int) -> Callable[[], None]:
    """Returns a function for a new process: it asks the kernel to end the process when its parent ends (Linux).

    Args:
        parent: number of the process that starts it.
    """
    prctl = getattr(ctypes.CDLL(None), "prctl", None)  # looked up here, where locks may be taken

    def tie() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if prctl is not None:
            prctl(DIE_WITH_PARENT, signal.SIGTERM)
        if os.getppid() != parent:  # it ended before the kernel was asked
            os._exit(1)

    return tie


def tie(parent: int) -> None:
    """Ties this process to its parent, see `tied_to`."""
    tied_to(parent)()
