import os
import signal
import subprocess
import sys
import time

import pytest

import msw2
from msw2.benchmarks.processes import Worker, WorkerError, Workers, summary
from msw2.benchmarks.rounds import Comparison, Contender, Slice
from msw2.benchmarks.run import measure

ROOT = os.path.dirname(os.path.dirname(msw2.__file__))
TASKS = """
import os, sys, time

def count(job):
    done = []
    print("a library says something")
    def run(amount, extra=0):
        done.append(amount)
        time.sleep(0.001 * amount)
        return job["each"] * amount, (float(extra), float(len(done)))
    return run

def log(job):
    def run(amount):
        with open(job["path"], "a") as file:
            file.write(f"{job['track']} begins\\n")
            file.flush()
            time.sleep(job["seconds"])
            file.write(f"{job['track']} ends\\n")
        return 1, ()
    return run

def fails(job):
    raise RuntimeError("no such thing")

def dies(job):
    def run(amount):
        if amount > 1:
            print("last words", file=sys.stderr)
            os._exit(7)
        return 1, ()
    return run

def starts(job):
    import subprocess
    child = subprocess.Popen(["sleep", "60"])
    with open(job["path"], "w") as file:
        file.write(str(child.pid))
    child.wait()

def identity(job):
    return lambda amount: (1, (float(os.getpid()),))
"""


@pytest.fixture(autouse=True)
def tasks(tmp_path, monkeypatch):
    """Tasks of the test's own, which need no TensorFlow."""
    (tmp_path / "tasks_of_test.py").write_text(TASKS)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), ROOT]))


def ends(process):
    """Whether a process ends within ten seconds."""
    for _ in range(200):
        try:
            # A zombie, of a container without an init, has ended too.
            with open(f"/proc/{process}/stat", encoding="utf-8") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


def job(task, **fields):
    return {"task": f"tasks_of_test:{task}", **fields}


def test_a_slice_has_its_units_samples_and_memory_whatever_is_printed_meanwhile():
    contender = Contender("any", (job("count", each=5),), "bars", call={"extra": 3}, amount=4)
    with Workers((contender,)) as workers:
        workers.calibrated(contender, 1.0)
        slice_ = workers.run(contender)
    assert 0 < slice_.figure < 20 / 0.004
    assert slice_.samples == (3.0, 3.0)  # the third, after the worker's own warm-up and the parent's
    assert slice_.memory > 2**20


def test_the_amount_is_chosen_so_that_a_slice_takes_about_as_long_as_asked():
    contender = Contender("any", (job("count", each=1),), "bars")
    with Workers((contender,)) as workers:
        amount = workers.calibrated(contender, 0.2).amount
        fixed = Contender("any", contender.jobs, "bars", amount=3)
        assert workers.calibrated(fixed, 0.2) == fixed
    assert 20 < amount <= 220  # 0.2 s of 1 ms each; a busy machine sleeps longer


def test_comparisons_are_measured_one_after_the_other_and_those_without_contenders_only_noted(capsys):
    contenders = tuple(Contender(name, (job("count", each=1, name=name),), "bars") for name in ("a", "b"))
    comparisons = [Comparison("one", "first", contenders), Comparison("two", "nothing", notes=("no",))]
    (first, slices), (second, nothing) = measure(iter(comparisons), 2, seconds=0.02)
    assert (first, second) == tuple(comparisons)
    assert {name: len(turns) for name, turns in slices.items()} == {"a": 2, "b": 2}
    assert nothing == {}
    said = [line.partition(" ")[2] for line in capsys.readouterr().err.splitlines()]
    steps = ("preparing", "warming up", "round 1 of 2", "round 2 of 2")
    assert said == [f"one, first: {step}" for step in steps]


def test_rates_of_processes_that_run_at_once_add_up_and_seconds_are_those_of_the_clock():
    answers = [
        {"units": 10, "seconds": 2.0, "samples": [1.0], "memory": 5},
        {"units": 9, "seconds": 3.0, "samples": [2.0], "memory": 7},
    ]
    contender = Contender("any", ({}, {}), "bars")
    assert summary(contender, answers, 3.5) == Slice(8.0, 7, (1.0, 2.0))
    timed = Contender("any", ({}, {}), "bars", timed=True)
    assert summary(timed, answers, 3.5).figure == 3.5


def test_equal_jobs_share_a_process_and_others_do_not():
    same, other = job("identity", number=1), job("identity", number=2)
    contenders = [Contender(name, (each,), "x", amount=1) for name, each in (("a", same), ("b", same))]
    contenders.append(Contender("c", (other,), "x", amount=1))
    with Workers(tuple(contenders)) as workers:
        a, b, c = (workers.run(each).samples[0] for each in contenders)
    assert a == b != c


def test_tracks_run_some_at_a_time_and_the_last_one_beside_the_others(tmp_path):
    path = tmp_path / "log"
    # The first is the slowest: two at a time, 0 and 1, then 2 for 1, then 3 for 2 and 4 with it.
    jobs = tuple(
        job("log", path=str(path), track=track, seconds=0.9 if track == 0 else 0.2) for track in range(5)
    )
    contender = Contender("tracks", jobs, "bars", amount=1, at_once=2, timed=True)
    with Workers((contender,)) as workers:
        path.unlink()
        slice_ = workers.run(contender)
    events = [line.split() for line in path.read_text().splitlines()]
    begun = [track for track, what in events if what == "begins"]
    assert begun[2] == "2"
    assert set(begun[3:]) == {"3", "4"}  # released together
    at_once, highest = 0, []
    for _, what in events:
        at_once += 1 if what == "begins" else -1
        highest.append(at_once)
    assert max(highest) == 3
    assert max(highest[: highest.index(3)]) == 2
    assert slice_.figure > 0.9


def test_a_worker_that_cannot_begin_is_named_and_its_words_are_shown(capfd):
    fine = Contender("fine", (job("count", each=1),), "bars")
    broken = Contender("broken", (job("fails"),), "bars")
    with pytest.raises(WorkerError, match="the worker of broken ended with status 1; its last words"):
        Workers((fine, broken))
    assert "RuntimeError: no such thing" in capfd.readouterr().err


def test_a_worker_that_dies_at_work_is_named_and_its_words_are_shown(capfd):
    contender = Contender("mortal", (job("dies"),), "bars", amount=2)
    with Workers((contender,)) as workers, pytest.raises(WorkerError, match="mortal ended with status 7"):
        workers.run(contender)
    assert "last words" in capfd.readouterr().err


def test_no_worker_outlives_its_parent(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        "import time\n"
        "from msw2.benchmarks.processes import Worker\n"
        "worker = Worker('any', {'task': 'tasks_of_test:identity'})\n"
        "worker.wait()\n"
        "worker.send(1, {})\n"
        "print(int(worker.receive()['samples'][0]), flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    worker = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert ends(worker)


def test_stopping_ends_a_worker_at_work_and_what_it_has_started(tmp_path):
    path = tmp_path / "child"
    worker = Worker("any", job("starts", path=str(path)))
    while not (path.exists() and path.read_text()):
        time.sleep(0.02)
    worker.stop()
    assert worker._process.returncode == -signal.SIGKILL
    assert ends(int(path.read_text()))


@pytest.mark.parametrize("contenders", [1, 2])
def test_an_error_while_they_start_stops_them_all(contenders, monkeypatch):
    started = []
    init = Worker.__init__

    def counted(self, *arguments):
        init(self, *arguments)
        started.append(self)
        if len(started) == contenders:
            raise KeyboardInterrupt

    monkeypatch.setattr(Worker, "__init__", counted)
    jobs = [Contender(str(i), (job("count", each=i),), "bars") for i in range(3)]
    with pytest.raises(KeyboardInterrupt):
        Workers(tuple(jobs))
    started[-1].stop()  # its `Workers` never got it
    assert [each._process.returncode for each in started[:-1]] == [-signal.SIGKILL] * (contenders - 1)
