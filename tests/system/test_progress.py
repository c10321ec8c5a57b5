"""The lines that long work shows, on a terminal, in a log, and to a parent."""

import io
import json
import subprocess
import sys
import threading
import types

import pytest

from msw2.system import progress
from msw2.system.progress import MARK, REPORTING, Board, Progress, clock


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def at(monkeypatch):
    """Returns a function that sets the clock, in seconds."""
    now = types.SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(progress, "time", types.SimpleNamespace(monotonic=lambda: now.seconds))
    monkeypatch.delenv(REPORTING, raising=False)

    def set_clock(seconds):
        now.seconds = seconds

    return set_clock


def said(stream):
    """What was written since the last time."""
    text = stream.getvalue()
    stream.seek(0)
    stream.truncate()
    return text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.9, "0:59"), (60, "1:00"), (65, "1:05"), (4000, "66:40")]
)
def test_minutes_and_seconds(seconds, text):
    assert clock(seconds) == text


def test_a_log_has_a_line_every_five_seconds(at):
    log = io.StringIO()
    job = Progress(12_000, "songs", label="reading", stream=log)
    at(104.0)
    job.update(1000)  # 4 s after the start: too soon; the rate is counted from here
    assert said(log) == ""
    at(106.0)
    job.update(2000, "3 left out")  # 2 s for 1,000: 10,000 are left
    assert said(log) == "reading: 2,000 of 12,000 songs, 3 left out, about 0:20 left\n"
    at(110.9)
    job.update(3000)
    assert said(log) == ""
    at(111.0)
    job.update(4500.5)
    assert said(log) == "reading: 4,500.5 of 12,000 songs, about 0:14 left\n"
    job.update(12_000)  # who asked for the work says that it is done
    job.close()
    assert said(log) == ""


def test_before_anything_is_measured_no_time_is_said(at):
    log = io.StringIO()
    job = Progress(3, "bars", stream=log)
    at(200.0)
    job.update(1)  # continued from there: what came before is no measure
    assert said(log) == "1 of 3 bars\n"
    at(210.0)
    job.update(2)
    assert said(log) == "2 of 3 bars, about 0:10 left\n"


def test_on_a_terminal_one_line_is_rewritten_and_cleared(at):
    screen = Terminal()
    job = Progress(10, "bars", label="x", stream=screen)
    at(100.1)
    job.update(1)
    assert said(screen) == ""
    at(100.2)
    job.update(2, "a long note")
    first = "x: 2 of 10 bars, a long note, about 0:00 left"
    assert said(screen) == "\r" + first
    at(100.5)
    job.update(3)
    second = "x: 3 of 10 bars, about 0:01 left"
    assert said(screen) == "\r" + second.ljust(len(first))
    job.close()
    assert said(screen) == "\r" + " " * len(second) + "\r"
    job.close()  # once is enough
    assert said(screen) == ""


def test_the_stream_is_standard_error(at, capsys):
    job = Progress(1, "bars")
    at(106.0)
    job.update(1)
    assert capsys.readouterr().err == "1 of 1 bars\n"


def test_a_child_reports_to_its_parent(at, monkeypatch):
    monkeypatch.setenv(REPORTING, "1")
    pipe = io.StringIO()
    job = Progress(8, "epochs", label="bass_bvae", stream=pipe)
    at(100.1)
    job.update(2.5)
    assert said(pipe) == ""
    at(100.3)  # as often as on a terminal: the parent's may be one
    job.update(3, "loss 1.5")
    line = said(pipe)
    assert line.startswith(MARK)
    assert line.endswith("}\n")
    report = json.loads(line[len(MARK) :])
    assert report.pop("left") == pytest.approx(0.2 / 0.5 * 5)
    assert report == {"label": "bass_bvae", "done": 3, "total": 8, "note": "loss 1.5"}
    job.close()
    assert said(pipe) == ""


def report(done, total, left=None, note=""):
    return f"{MARK}{json.dumps({'label': 'x', 'done': done, 'total': total, 'note': note, 'left': left})}\n"


def test_a_board_in_a_log_has_all_jobs_in_one_line(at):
    log = io.StringIO()
    board = Board("stage1", ["drums", "piano", "bass"], 2, log)
    board.started("drums")
    board.hear("drums", report(1, 4, 30.0, "loss 3"))
    assert said(log) == ""
    at(106.0)
    board.hear("piano", report(2, 8, 40.0))
    # Two at a time have done half a job in 6 s, one job takes 24 s: (30 + 40 + 24) / 2.
    assert said(log) == "stage1: drums 25 %, piano 25 %, bass waiting, about 0:47 left\n"
    at(107.0)
    board.hear("drums", report(4, 4, 0.0, "loss 2"))
    assert said(log) == ""
    board.ended("drums")  # 1.25 jobs in 7 s; piano takes longest
    assert said(log) == "stage1: drums done, piano 25 %, bass waiting, about 0:40 left\n"
    at(111.0)
    board.started("bass")
    assert said(log) == ""
    at(113.0)
    board.hear("piano", report(4, 8, 20.0))
    assert said(log) == "stage1: drums done, piano 50 %, bass starting, about 0:20 left\n"
    board.hear("bass", report(0, 3))
    board.ended("piano")
    assert said(log) == "stage1: drums done, piano done, bass 0 %, about 0:00 left\n"
    board.ended("bass")
    assert said(log) == "stage1: drums done, piano done, bass done, about 0:00 left\n"


def test_before_any_job_can_tell_no_time_is_said(at):
    log = io.StringIO()
    board = Board("refine", ["drums", "piano"], 1, log)
    at(105.0)
    board.hear("drums", report(0, 4))
    assert said(log) == "refine: drums 0 %, piano waiting\n"


def test_a_job_that_ended_without_a_report_counts_as_done(at):
    log = io.StringIO()
    board = Board("refine", ["drums", "piano", "bass"], 1, log)
    at(110.0)
    board.ended("drums")  # one job in 10 s, two are left
    assert said(log) == "refine: drums done, piano waiting, bass waiting, about 0:20 left\n"


def test_a_board_on_a_terminal_has_a_line_a_job_and_is_rewritten(at):
    screen = Terminal()
    board = Board("stage1", ["drums", "strings"], 2, screen)
    board.started("drums")
    first = "stage1\n  drums    starting\n  strings  waiting\n"
    assert said(screen) == first
    board.hear("drums", report(1, 4, 30.0, "loss 3"))
    assert said(screen) == ""  # too soon
    at(100.2)
    board.hear("strings", report(1, 8, 90.0, "loss 4"))
    second = "stage1, about 1:30 left\n  drums    25 %  loss 3\n  strings  12 %  loss 4\n"
    assert said(screen) == "\x1b[3F\x1b[J" + second
    board.hear("strings", "a warning\n")  # stays above the board
    assert said(screen) == "\x1b[3F\x1b[J" + "strings: a warning\n" + second
    board.ended("drums")
    third = "stage1, about 1:30 left\n  drums    done  loss 3\n  strings  12 %  loss 4\n"
    assert said(screen) == "\x1b[3F\x1b[J" + third


def test_ordinary_lines_pass_through_with_the_name_of_the_job_and_empty_ones_do_not(at):
    log = io.StringIO()
    board = Board("stage1", ["drums", "piano"], 2, log)
    for line in ("\n", "   \n", "stage1 trains drums_encoder\n", "no newline", "  indented  \n"):
        board.hear("drums", line)
    assert said(log) == "drums: stage1 trains drums_encoder\ndrums: no newline\ndrums:   indented\n"


@pytest.mark.parametrize(
    "content",
    [
        '{"label": "x", "done": 1, "to', "", "3", "null", "[]", "{}", '{"done": 1}',
        '{"done": "much", "total": 2, "note": "", "left": null}',
        '{"done": 1, "total": null, "note": "", "left": null}',
        '{"done": 1, "total": 2, "note": "", "left": "long"}',
    ],
)  # fmt: skip
def test_a_report_that_cannot_be_read_is_a_line_like_any_other(at, content):
    log = io.StringIO()
    board = Board("stage1", ["drums"], 1, log)
    board.hear("drums", f"{MARK}{content}\n")
    assert said(log) == f"drums: {MARK}{content}".rstrip() + "\n"
    at(105.0)
    board.hear("drums", report(1, 2, 5.0))
    assert said(log) == "stage1: drums 50 %, about 0:05 left\n"


def test_a_job_of_nothing_is_no_division_by_zero(at):
    log = io.StringIO()
    board = Board("stage1", ["drums"], 1, log)
    at(105.0)
    board.hear("drums", report(0, 0, 0.0))
    assert said(log) == "stage1: drums 0 %, about 0:00 left\n"


def test_several_readers_at_once_do_not_mix_their_lines():
    screen = Terminal()
    board = Board("stage1", ["a", "b", "c"], 3, screen)

    def read(job):
        for index in range(200):
            board.hear(job, f"line {index}\n")

    readers = [threading.Thread(target=read, args=(job,)) for job in "abc"]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    lines = screen.getvalue().replace("\x1b[4F\x1b[J", "").splitlines()
    for job in "abc":
        assert [line for line in lines if line.startswith(f"{job}: ")] == [
            f"{job}: line {index}" for index in range(200)
        ]
    assert len(lines) == 600 + 4 * 600


CHILD = """
import sys, time
from msw2.system.progress import Progress
job = Progress(3, "epochs", label="x")
for epoch in (1, 2, 3):
    time.sleep(0.25)
    job.update(epoch, f"loss {4 - epoch}")
print("done and dusted", file=sys.stderr)
"""


def test_what_a_process_reports_through_a_pipe_is_on_its_parents_board(monkeypatch):
    monkeypatch.setenv(REPORTING, "1")
    log = io.StringIO()
    board = Board("stage1", ["bass"], 1, log)
    child = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)
    lines = child.stderr.splitlines(keepends=True)
    assert [line.startswith(MARK) for line in lines] == [True, True, True, False]
    for line in lines:
        board.hear("bass", line)
    board.ended("bass")
    assert log.getvalue() == "bass: done and dusted\nstage1: bass done, about 0:00 left\n"
