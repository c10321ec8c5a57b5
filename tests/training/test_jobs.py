"""The processes of a job: what TF_CONFIG says, and what is refused."""

import dataclasses
import json

import pytest

from msw2.config import SMOKE
from msw2.training.jobs import ALONE, EXAMPLE, Job, JobError, Task

VERTEX = {  # as Vertex AI sets it
    "cluster": {"chief": ["a:2222"], "worker": ["b:2222", "c:2222"]},
    "task": {"type": "worker", "index": 1, "trial": "7"},
    "job": "{}",
    "environment": "cloud",
}


def config(**changes):
    return json.dumps({**VERTEX, **changes})


@pytest.mark.parametrize(("kind", "index", "number"), [("chief", 0, 0), ("worker", 0, 1), ("worker", 1, 2)])
def test_the_chief_is_number_0_and_workers_follow(kind, index, number):
    task = Task.parse(config(task={"type": kind, "index": index}))
    assert task == Task(number, ("a:2222", "b:2222", "c:2222"))
    assert Job(task=task).is_chief == (kind == "chief")


def test_without_a_chief_the_first_worker_is_it():
    # TFJob writes "chief": [] or leaves it out.
    cluster = {"worker": ["b:1", "c:1"], "chief": []}
    tasks = [Task.parse(config(cluster=cluster, task={"type": "worker", "index": i})) for i in (0, 1)]
    assert [Job(task=task).is_chief for task in tasks] == [True, False]
    assert Job(task=tasks[0]).processes == 2


def test_the_example_is_one():
    assert Task.parse(EXAMPLE) == Task(0, ("host0:2222", "host1:2222"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the strategy multiworker needs the environment variable TF_CONFIG, such as {"),
        ("{", "TF_CONFIG is '{', not of the form {"),
        ("[]", "TF_CONFIG is '[]', not of the form {"),
        ('{"cluster": {}}', "not of the form {"),
        (config(task={"type": "worker", "index": "x"}), "not of the form {"),
        (config(task={"type": "worker", "index": 2}), "TF_CONFIG says that this is worker 2 of 2"),
        (config(task={"type": "worker", "index": -1}), "TF_CONFIG says that this is worker -1 of 2"),
        (config(cluster={"worker": ["a:1"]}, task={"type": "chief", "index": 0}), "this is chief 0 of 0"),
        (config(cluster={"worker": ["a:1"], "ps": ["b:1"]}), "TF_CONFIG has a 'ps': the processes"),
        (config(task={"type": "evaluator", "index": 0}), "TF_CONFIG has a 'evaluator': the processes"),
    ],
)
def test_what_does_not_say_who_is_who_is_refused(text, told):
    with pytest.raises(JobError) as refused:
        Job.open("multiworker", text)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_alone_nothing_is_made():
    assert Job.open("none", config()) is not None
    assert Job.open("none", config()) == ALONE == Job()
    assert (ALONE.is_chief, ALONE.processes, ALONE.devices) == (True, 1, 1)
    ALONE.wait()


def test_a_strategy_that_does_not_exist():
    with pytest.raises(ValueError, match=r"^strategy 'tpu' is not one of none, mirrored, multiworker$"):
        Job.open("tpu", "")


def test_refiners_that_normalise_over_a_batch_are_trained_on_one_device(monkeypatch):
    bars = dataclasses.replace(SMOKE, refine="bars")
    ALONE.require_rows_apart(bars, "refine")
    monkeypatch.setattr(Job, "devices", 2)
    Job().require_rows_apart(SMOKE, "refine")
    with pytest.raises(
        JobError, match=r"^refine with refine=bars normalises over the whole batch, which 2 dev"
    ):
        Job().require_rows_apart(bars, "refine")
