import io
import time

import pytest

from msw2.system.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A list whose last number is the time."""
    seconds = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: seconds[-1])
    return seconds


def test_a_log_gets_a_line_every_five_seconds_with_the_time_left(clock):
    log = io.StringIO()
    progress = Progress(2000, "files", log)
    for second in range(18):
        clock.append(100.0 + second)
        progress.update(100 * second, f"{second} songs, ")
    progress.close()
    assert log.getvalue().splitlines() == [
        "500 of 2,000 files, 5 songs, about 0:15 left",
        "1,000 of 2,000 files, 10 songs, about 0:10 left",
        "1,500 of 2,000 files, 15 songs, about 0:05 left",
    ]


def test_what_comes_before_the_first_update_is_no_measure(clock):
    log = io.StringIO()
    progress = Progress(100, "files", log)
    clock.append(200.0)
    progress.update(50)
    clock.append(210.0)
    progress.update(60)
    assert log.getvalue().splitlines()[-1] == "60 of 100 files, about 0:40 left"


def test_a_terminal_has_one_line_that_is_cleared_at_the_end(clock):
    terminal = Terminal()
    progress = Progress(10, "files", terminal)
    clock.append(100.1)
    progress.update(1)
    assert terminal.getvalue() == ""
    clock.append(101.1)
    progress.update(6)
    line = "6 of 10 files, about 0:00 left"
    assert terminal.getvalue() == f"\r{line}"
    progress.close()
    assert terminal.getvalue() == f"\r{line}\r{' ' * len(line)}\r"


def test_what_is_done_in_no_time_shows_nothing(clock):
    log = io.StringIO()
    progress = Progress(3, "files", log)
    progress.update(3)
    progress.close()
    assert log.getvalue() == ""
