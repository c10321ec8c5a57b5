"""Commands that run on some node of a Ray cluster; `commands` runs them beside one another on this machine."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable
from typing import Any

from msw2.system import children
from msw2.system.nodes import ClusterError, Place, enter
from msw2.system.progress import REPORTING

POLL = 0.5  # seconds between looks at what commands have said


class KilledError(Exception):
    """A command that a signal ended: it may end well on another node."""


class RemoteCommand:
    """A command that runs on some node, or waits for one.

    Args:
        ray: the module.
        started: stands for its exit status.
        ears: the actor that gets its lines.
        number: that the actor knows it by.
        hear: takes the lines here.
    """

    def __init__(self, ray: Any, started: Any, ears: Any, number: int, hear: Callable[[str], None]):
        self._ray, self._started, self._ears, self._number, self._hear = ray, started, ears, number, hear
        self._looked = time.monotonic()

    def status(self) -> int | None:
        """Passes its lines on, and returns its exit status; None as long as it runs.

        Raises:
            ClusterError: if the node that it was on cannot run it.
        """
        ended, _ = self._ray.wait([self._started], timeout=0)
        if ended or time.monotonic() - self._looked >= POLL:
            self._looked = time.monotonic()
            for line in self._ray.get(self._ears.take.remote(self._number)):
                self._hear(line)
        if not ended:
            return None
        try:
            return self._ray.get(self._started)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, ClusterError):
                raise error.cause from error
            self._hear(str(error.cause))
        except self._ray.exceptions.RayError as error:
            self._hear(str(error).splitlines()[0])
        return 1

    def stop(self) -> None:
        """Ends it, and waits for that."""
        self._ray.cancel(self._started, force=True)
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.get(self._started)


class Ears:
    """An actor: gets the lines of commands, and keeps them until they are taken."""

    def __init__(self):
        self._lines: dict[int, list[str]] = {}

    def hear(self, command: int, line: str) -> None:
        """Gets a line."""
        self._lines.setdefault(command, []).append(line)

    def take(self, command: int) -> list[str]:
        """Returns the lines of a command since they were last taken."""
        return self._lines.pop(command, [])


def run_command(place: Place, module: str, arguments: list[str], ears: Any, number: int) -> int:
    """Runs `python -m <module>` on whatever node this is, and returns its exit status.

    Args:
        place: where the command that asks for it was called.
        module: its dotted name.
        arguments: of its command line.
        ears: the actor that gets what it writes to standard error.
        number: that the actor knows it by.

    Raises:
        ClusterError: as for `nodes.enter`.
        KilledError: if a signal ended it.
    """
    import ray  # noqa: PLC0415 - this is a process of Ray

    enter(place)
    heard = None
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True, "errors": "replace"}
    with children.start(module, arguments, env=os.environ | {REPORTING: "1"}, **pipes) as child:
        for line in child.stderr:
            heard = ears.hear.remote(number, line)
    if heard is not None:
        ray.get(heard)  # the last line arrives before the status
    if child.returncode < 0:
        raise KilledError(f"{module} was ended by signal {-child.returncode} on {socket.gethostname()}")
    return child.returncode
