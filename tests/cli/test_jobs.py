"""The run of a job, as its chief and its helpers come to it."""

import dataclasses
import types

import pytest

from msw2.cli import jobs
from msw2.config import SMOKE
from msw2.training.jobs import Job, JobError, Task
from msw2.training.runs import Run

HOSTS = ("a:1", "b:1")


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What was done, in its order: waiting for the other processes, opening the run; `run` is its path."""
    record = types.SimpleNamespace(done=[], path=tmp_path / "run")
    monkeypatch.setattr(
        jobs, "flags", types.SimpleNamespace(FLAGS=types.SimpleNamespace(run=str(record.path)))
    )
    monkeypatch.setattr(jobs, "POLL", 0.0)
    monkeypatch.setattr(Job, "wait", lambda job: record.done.append("waits"))

    def bound_run(store, *, finetuning=False, writes=True):
        record.done.append((store, finetuning, writes))
        return "run"

    monkeypatch.setattr(jobs.options, "bound_run", bound_run)
    return record


def test_the_chief_makes_the_run_before_the_others_go_on(asked):
    assert jobs.bound_run("store", Job(task=Task(0, HOSTS)), finetuning=True) == "run"
    assert asked.done == [("store", True, True), "waits"]


def test_a_helper_opens_the_run_to_read_when_it_is_there(asked, monkeypatch):
    run = Run.create(asked.path, dataclasses.replace(SMOKE, precision="float32"))
    # A shared folder shows late what is new.
    clock = types.SimpleNamespace(monotonic=lambda: 0.0, sleep=lambda seconds: run.bind("store", "0" * 16))
    monkeypatch.setattr(jobs, "time", clock)
    assert jobs.bound_run("store", Job(task=Task(1, HOSTS))) == "run"
    assert asked.done == ["waits", ("store", False, False)]


def test_a_helper_that_never_sees_the_run_says_so(asked, monkeypatch):
    monkeypatch.setattr(jobs, "PATIENCE", 0.0)
    with pytest.raises(JobError) as refused:
        jobs.bound_run("store", Job(task=Task(1, HOSTS)))
    path = asked.path.absolute()
    assert str(refused.value) == f"the chief's run is not at {path}: all processes of a job share its folder"
    assert not asked.path.exists()
