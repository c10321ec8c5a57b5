"""One line of progress with an estimate of the time left."""

import sys
import time
from typing import TextIO

EVERY_ON_TERMINAL, EVERY_IN_LOG = 0.2, 5.0  # seconds


class Progress:
    """Shows how far a long job is: a line, rewritten on a terminal, a new one every five seconds in a log."""

    def __init__(self, total: int, unit: str, stream: TextIO | None = None):
        self._total, self._unit = total, unit
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._shown = time.monotonic()
        self._first: tuple[float, int] | None = None  # what comes before the first update is no measure
        self._line = ""

    def update(self, done: int, note: str = "") -> None:
        """Tells that `done` units are done; shown if the last line is old enough."""
        now = time.monotonic()
        self._first = self._first or (now, done)
        if now - self._shown < (EVERY_ON_TERMINAL if self._terminal else EVERY_IN_LOG):
            return
        self._shown = now
        start, before = self._first
        left = (now - start) / max(done - before, 1) * max(self._total - done, 0)
        self._show(f"{done:,} of {self._total:,} {self._unit}, {note}about {_clock(left)} left")

    def close(self) -> None:
        """Clears the line on a terminal."""
        if self._terminal and self._line:
            self._show("")

    def _show(self, line: str) -> None:
        if self._terminal:
            self._stream.write(f"\r{line.ljust(len(self._line))}" + ("" if line else "\r"))
        else:
            self._stream.write(f"{line}\n")
        self._stream.flush()
        self._line = line


def _clock(seconds: float) -> str:
    """Returns minutes and seconds, 1:05."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
