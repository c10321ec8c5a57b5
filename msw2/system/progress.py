"""Progress of long work, with the time left: a line for one job, a board for several that run at once."""

import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from typing import TextIO

EVERY_ON_TERMINAL, EVERY_IN_LOG = 0.2, 5.0  # seconds
LINES_IN_LOG = 20  # a job of an hour has a line every three minutes at its end, not seven hundred
REPORTING = "MSW2_PROGRESS"  # set in the environment of a process whose parent shows its progress
MARK = "msw2-progress "  # begins a line that is for the parent


def say(text: str) -> None:
    """Announces a step that takes seconds, on standard error."""
    print(text, file=sys.stderr, flush=True)


def in_log(elapsed: float) -> float:
    """Returns the seconds between two lines of a log, for a job that has taken so many seconds: five, later more."""
    return max(EVERY_IN_LOG, elapsed / LINES_IN_LOG)


class Progress:
    """Shows how far a job is: a line that is rewritten on a terminal, and a new one every five seconds in a log.

    A process with `REPORTING` in its environment writes reports for its parent's `Board` instead.

    Args:
        total: units of the job.
        unit: what they are.
        label: what the job is.
        stream: where to write; None: standard error.
    """

    def __init__(self, total: float, unit: str, *, label: str = "", stream: TextIO | None = None):
        self._total, self._unit, self._label = total, unit, label
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._reporting = bool(os.environ.get(REPORTING))
        self._begun = self._shown = time.monotonic()
        self._first: tuple[float, float] | None = None  # what comes before the first update is no measure
        self._line = ""

    def update(self, done: float, note: str = "") -> None:
        """Tells that `done` units are done. Shows it if the last line is old enough, or reports the last unit."""
        now = time.monotonic()
        if self._first is None:
            self._first = (now, done)
        every = EVERY_ON_TERMINAL if self._terminal or self._reporting else in_log(now - self._begun)
        if now - self._shown < every and not (self._reporting and done >= self._total):
            return
        self._shown = now
        start, before = self._first
        left = None
        if done > before:
            left = (now - start) / (done - before) * max(self._total - done, 0)
        if self._reporting:
            report = {"label": self._label, "done": done, "total": self._total, "note": note, "left": left}
            self._stream.write(f"{MARK}{json.dumps(report)}\n")
            self._stream.flush()
            return
        parts = [f"{_count(done)} of {_count(self._total)} {self._unit}", note]
        parts.append("" if left is None else f"about {clock(left)} left")
        label = f"{self._label}: " if self._label else ""
        self._show(label + ", ".join(part for part in parts if part))

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


class Board:
    """Shows several jobs that run at once, by what their processes report.

    Each job has a line on a terminal, and all lines are rewritten together. In a log, one line has all jobs.

    Args:
        title: what the jobs are.
        jobs: names, in order.
        at_once: how many run at a time.
        stream: where to write; None: standard error.
    """

    def __init__(self, title: str, jobs: Sequence[str], at_once: int, stream: TextIO | None = None):
        self._title, self._at_once = title, max(1, at_once)
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._jobs: dict[str, dict] = {job: {} for job in jobs}
        self._begun = self._shown = time.monotonic()
        self._lines = 0
        self._lock = threading.Lock()  # each job has a reader of its own

    def hear(self, job: str, line: str) -> None:
        """Takes a line that a job's process wrote: a report, or something that the user should read."""
        report = _report(line)
        with self._lock:
            if report is not None:
                self._jobs[job] |= report
                self._show(due=EVERY_ON_TERMINAL if self._terminal else self._in_log())
            elif line.strip():
                self._clear()
                self._stream.write(f"{job}: {line.rstrip()}\n")
                self._stream.flush()
                self._show(due=0.0 if self._terminal else self._in_log())

    def started(self, job: str) -> None:
        """Tells that a job's process runs. It takes some seconds to report."""
        with self._lock:
            self._jobs[job] |= {"started": True}
            self._show(due=0.0 if self._terminal else self._in_log())

    def ended(self, job: str) -> None:
        """Tells that a job is done."""
        with self._lock:
            self._jobs[job] |= {"ended": True, "left": 0.0}
            self._show(due=0.0)

    def _show(self, due: float) -> None:
        now = time.monotonic()
        if now - self._shown < due:
            return
        self._shown = now
        left = self._left()
        tail = "" if left is None else f", about {clock(left)} left"
        if self._terminal:
            self._clear()
            lines = [f"  {job:<8} {_state(state, long=True)}" for job, state in self._jobs.items()]
            self._stream.write("\n".join([f"{self._title}{tail}", *lines]) + "\n")
            self._lines = len(lines) + 1
        else:
            states = ", ".join(f"{job} {_state(state)}" for job, state in self._jobs.items())
            self._stream.write(f"{self._title}: {states}{tail}\n")
        self._stream.flush()

    def _in_log(self) -> float:
        return in_log(time.monotonic() - self._begun)

    def _clear(self) -> None:
        if self._lines:
            self._stream.write(f"\x1b[{self._lines}F\x1b[J")
            self._lines = 0

    def _left(self) -> float | None:
        """Returns the seconds left for all jobs; None before any job can tell."""
        known = [state["left"] for state in self._jobs.values() if state.get("left") is not None]
        if not known:
            return None
        waiting = [state for state in self._jobs.values() if "left" not in state]
        elapsed = time.monotonic() - self._begun
        done = sum(_share(state) for state in self._jobs.values())
        each = elapsed * min(self._at_once, len(self._jobs)) / done if done else 0.0
        return max([*known, (sum(known) + each * len(waiting)) / self._at_once])


def _report(line: str) -> dict | None:
    """Returns the report that a line holds; None for any other line, and for a report that cannot be read."""
    if not line.startswith(MARK):
        return None
    try:
        report = json.loads(line[len(MARK) :])
        left = report["left"]
        if not report["label"]:  # a step on the way, not the job itself
            return {}
        return {
            "done": float(report["done"]),
            "total": max(float(report["total"]), 1e-9),  # a job of nothing is done
            "note": str(report["note"]),
            "left": None if left is None else float(left),
        }
    except (ValueError, TypeError, KeyError):
        return None


def clock(seconds: float) -> str:
    """Returns minutes and seconds, 1:05."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _share(state: dict) -> float:
    """Returns how much of a job is done, 0..1."""
    return 1.0 if state.get("ended") else state.get("done", 0) / state.get("total", 1)


def _state(state: dict, *, long: bool = False) -> str:
    """Returns how far a job is, in a few words."""
    if not state:
        return "waiting"
    note = f"  {state['note']}" if long and state.get("note") else ""
    if state.get("ended"):
        return f"done{note}"
    if "done" not in state:
        return "starting"
    return f"{100 * _share(state):.0f} %{note}"


def _count(number: float) -> str:
    return f"{number:,.0f}" if float(number).is_integer() else f"{number:,.1f}"
