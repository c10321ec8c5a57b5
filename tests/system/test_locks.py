"""Locks: one process at a time, taken over when the holder is gone."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from msw2.system import locks
from msw2.system.locks import LockedError, alone, clear
from msw2.system.owners import Owner

HOLDER = """
import sys, time
from msw2.system.locks import alone
with alone(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock `work.lock`."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "work.lock")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_lock_is_held_by_one_process_and_named(tmp_path, holder):
    with pytest.raises(LockedError) as refused, alone(tmp_path / "work.lock"):
        pass
    assert str(refused.value) == f"process {holder.pid} on {Owner.me().host}"


def test_a_lock_of_a_killed_process_is_taken_over(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "work.lock").exists()
    with alone(tmp_path / "work.lock"):
        assert Owner.parse((tmp_path / "work.lock").read_text()) == Owner.me()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_a_killed_process_left_is_cleared_and_no_other(tmp_path, holder):
    path = tmp_path / "work.lock"
    clear(path)
    assert Owner.parse(path.read_text()).pid == holder.pid
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    clear(path)
    clear(path)
    assert list(tmp_path.iterdir()) == []
    path.touch()  # killed before it signed
    clear(path)
    assert not path.exists()
    path.write_text("elsewhere-12-345")  # of which nothing is known
    clear(path)
    assert path.exists()


def test_a_lock_that_is_given_free_is_worth_waiting_for(tmp_path):
    path, order = tmp_path / "deep" / "work.lock", []
    inside = threading.Event()

    def first():
        with alone(path):
            inside.set()
            time.sleep(0.3)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait()
    with alone(path, wait=60.0):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]
    assert not path.exists()


def test_an_error_gives_the_lock_free(tmp_path):
    def fail():
        with alone(tmp_path / "work.lock"):
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_of_another_machine_is_kept_as_long_as_it_is_touched(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "STALE", 1.0)
    path, ended, beats = tmp_path / "work.lock", threading.Event(), [0]

    def beat():
        while not ended.wait(0.05):
            beats[0] += 1
            os.utime(path, (beats[0], beats[0]))

    path.write_text("elsewhere-12-345")
    thread = threading.Thread(target=beat)
    thread.start()
    with pytest.raises(LockedError, match=r"^process 12 on elsewhere$"), alone(path):
        pass
    ended.set()
    thread.join()
    with alone(path):
        assert Owner.parse(path.read_text()) == Owner.me()


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\xfe"])
def test_a_file_that_names_no_process_is_no_lock(tmp_path, content):
    (tmp_path / "work.lock").write_bytes(content)
    with alone(tmp_path / "work.lock"):
        pass


def test_without_locks_of_the_kernel_the_name_of_the_process_decides(tmp_path, monkeypatch, holder):
    def unsupported(*arguments):
        raise OSError(95, "not supported")

    monkeypatch.setattr(locks.fcntl, "flock", unsupported)
    with pytest.raises(LockedError, match=f"^process {holder.pid} on "), alone(tmp_path / "work.lock"):
        pass
    holder.kill()
    holder.wait()
    with alone(tmp_path / "work.lock"):
        pass


def test_a_holder_touches_its_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "BEAT", 0.01)
    path = tmp_path / "work.lock"
    with alone(path):
        os.utime(path, (1, 1))
        limit = time.monotonic() + 20
        while path.stat().st_mtime == 1 and time.monotonic() < limit:
            time.sleep(0.01)
        assert path.stat().st_mtime > 1
