"""Commands that run beside one another on this machine; `cluster.Cluster.command` runs them elsewhere."""

import os
import subprocess
import threading
from collections.abc import Callable, Sequence

from msw2.system import children
from msw2.system.progress import REPORTING


class Command:
    """The process of `python -m <module>`, and the thread that passes on what it writes to standard error.

    Args:
        module: its dotted name.
        arguments: of its command line.
        hear: takes each line.
    """

    def __init__(self, module: str, arguments: Sequence[str], hear: Callable[[str], None]):
        self._process = children.start(
            module,
            arguments,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",  # what cannot be decoded must not end the reader
            env=os.environ | {REPORTING: "1"},
        )
        self._reader = threading.Thread(target=self._read, args=(hear,), daemon=True)
        self._reader.start()

    def status(self) -> int | None:
        """Returns its exit status; None as long as it runs."""
        status = self._process.poll()
        if status is not None:
            self._reader.join()
        return status

    def stop(self) -> None:
        """Ends it, and waits for that."""
        self._process.terminate()
        self._process.wait()

    def _read(self, hear: Callable[[str], None]) -> None:
        for line in self._process.stderr or ():
            hear(line)
