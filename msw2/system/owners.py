"""Which process made a file, and whether that process is gone. Files outlive the processes that are killed."""

import functools
import os
import pathlib
import re
import socket
from typing import NamedTuple


class Owner(NamedTuple):
    """A process, told from all others.

    Attributes:
        host: name of its machine; a container is a machine of its own.
        pid: its number there.
        begun: when it began, in ticks since the machine did: numbers are used again. 0 where that is not known.
    """

    host: str
    pid: int
    begun: int

    @classmethod
    def me(cls) -> "Owner":
        """Returns this process."""
        return cls(_host(), os.getpid(), _begun(os.getpid()) or 0)

    @property
    def is_here(self) -> bool:
        """Whether it is a process of this machine."""
        return self.host == _host()

    @property
    def is_gone(self) -> bool:
        """Whether it is a process of this machine that has ended. Of another machine, nothing is known."""
        if not self.is_here:
            return False
        if pathlib.Path("/proc/self/stat").exists():
            return _begun(self.pid) != self.begun
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        return False

    def text(self) -> str:
        """Returns it as one word, which `parse` reads."""
        return f"{self.host}-{self.pid}-{self.begun}"

    @classmethod
    def parse(cls, text: str) -> "Owner | None":
        """Returns the process that a word names; None for any other word."""
        found = re.fullmatch(r"([\w.-]{1,64})-(\d{1,12})-(\d{1,20})", text, re.ASCII)
        return cls(found[1], int(found[2]), int(found[3])) if found else None


@functools.cache
def _host() -> str:
    return re.sub(r"[^A-Za-z0-9.]", "_", socket.gethostname())[:64] or "unknown"


def _begun(pid: int) -> int | None:
    """Returns when a process began; None for one that has ended, even if its parent has not noticed yet."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    state, *rest = text.rpartition(")")[2].split()  # the name before it may hold anything
    return None if state in "ZX" else int(rest[18])
