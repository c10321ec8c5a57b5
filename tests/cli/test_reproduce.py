"""`make reproduce` with commands that train nothing: they write what its own commands would leave."""

import contextlib
import dataclasses
import functools
import json
import re
import subprocess
import types

import pytest

from msw2.benchmarks.machine import Machine
from msw2.cli import reproduce
from msw2.cli.launch import OptionError
from msw2.cli.recipe_sets import read_set
from msw2.data.store import StoreError

MACHINE = Machine("Some CPU", 3, 8 * 2**30, (), {"Keras": "3.x", "NumPy": "2.y"}, 0.5)
SET = "train --bvae_hidden=5\neval --phrases=7\nrun tuned_3200 0 1\nrun tuned_3200-shared 0\n"
HEADER = "row,metric,definition,track,mean,low,high"


class Clock:
    """Time that goes on by a step whenever a command is run."""

    def __init__(self, step=2.0):
        self.now, self.step = 100.0, step

    def monotonic(self):
        return self.now

    time = monotonic


class Child:
    """A command that is asked twice whether it is done: after half its time it is not."""

    def __init__(self, clock, status):
        self._clock, self._answers, self.returncode = clock, [None, status], None

    def wait(self, timeout):
        self._clock.now += self._clock.step / 2
        self.returncode = self._answers.pop(0)
        if self.returncode == "killed":
            raise KeyboardInterrupt
        if self.returncode is None:
            raise subprocess.TimeoutExpired("command", timeout)


@pytest.fixture
def setting(tmp_path, monkeypatch):
    """A folder of recipes, a store that is only counted, and commands that are recorded and take 2 s each."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "experiments").mkdir()
    for recipe in ("tuned_3200", "tuned_3200-shared"):
        (tmp_path / "experiments" / f"{recipe}.flags").write_text("--preset=tuned\n")
    (tmp_path / "experiments" / "some.set").write_text(SET)
    splits = {name: {"songs": 1000 + at} for at, name in enumerate(("train", "validation", "test"))}
    store = types.SimpleNamespace(
        path="data/store", summary=lambda: {"splits": splits}, count=lambda name: 5000
    )
    clock = Clock()
    record = types.SimpleNamespace(commands=[], fail=set(), fail_with=1, clock=clock)

    def start(name, arguments):
        name = name.removeprefix("msw2.cli.")
        path = next(tmp_path / flag[len("--run=") :] for flag in arguments if flag.startswith("--run="))
        record.commands.append((name, *arguments))
        if (name, path.parent.name, path.name) in record.fail:
            return Child(clock, record.fail_with)
        if name == "stage1":
            path.mkdir(parents=True, exist_ok=True)
            (path / "config.json").write_text("{}")
        if name == "eval":
            (path / "eval").mkdir(exist_ok=True)
            (path / "eval" / "metrics.csv").write_text(f"{HEADER}\nMSR,F1,correct,mean,0.625,0.6,0.65\n")
        return Child(clock, 0)

    own = functools.partial(read_set, folder=tmp_path / "experiments")
    monkeypatch.setattr(reproduce, "read_set", own)
    monkeypatch.setattr(reproduce.children, "start", start)
    monkeypatch.setattr(reproduce, "time", clock)
    monkeypatch.setattr(reproduce, "Store", types.SimpleNamespace(open=lambda path: store))
    monkeypatch.setattr(reproduce, "Machine", types.SimpleNamespace(here=lambda: MACHINE))
    return record


def made(setting):
    """Which commands were run, and on which run."""
    found = []
    for name, *arguments in setting.commands:
        run = next(each for each in arguments if each.startswith("--run="))
        found.append((name, *run.split("/")[-2:]))
    return found


def steps(recipe, seed, *names):
    return [(name, recipe, f"seed{seed}") for name in names or ("stage1", "refine", "stage2", "eval")]


FIRST, SHARED, SECOND = (
    steps(*run) for run in (("tuned_3200", 0), ("tuned_3200-shared", 0), ("tuned_3200", 1))
)


def seconds(tmp_path, recipe="tuned_3200", seed=0):
    return json.loads((tmp_path / "runs" / "some" / recipe / f"seed{seed}" / "seconds.json").read_text())


def test_the_commands_of_a_set(command, setting, capsys, tmp_path):
    command(reproduce, "--set=some")
    assert made(setting) == FIRST + SHARED + SECOND
    flags = ["--recipe=tuned_3200", "--bvae_hidden=5", "--seed=0"]
    where = ["--run=runs/some/tuned_3200/seed0", "--store=data/store"]
    assert setting.commands[0] == ("stage1", *flags, *where)
    assert setting.commands[1:4] == [
        ("refine", *flags, *where), ("stage2", *flags, *where), ("eval", *where, "--phrases=7")
    ]  # fmt: skip
    assert setting.commands[4] == (
        "stage1",
        "--recipe=tuned_3200-shared",
        *("--bvae_hidden=5", "--seed=0", "--run=runs/some/tuned_3200-shared/seed0", "--store=data/store"),
        "--take_over=runs/some/tuned_3200/seed0",
    )
    assert "--take_over" not in " ".join(setting.commands[8])  # of another seed nothing is alike
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "python -m msw2.cli." + " ".join(setting.commands[0])
    assert printed[-1] == "runs/some/dossier.md"
    assert seconds(tmp_path) == {"stage1": 2.0, "refine + stage2": 4.0, "eval": 2.0}  # Children take turns


def test_the_dossier_says_what_was_run_on_what(command, setting, tmp_path):
    command(reproduce, "--set=some", f"--runs={tmp_path / 'other'}")
    text = (tmp_path / "other" / "dossier.md").read_text("utf-8")
    assert text.startswith(
        "# Dossier\n\n"
        "`make reproduce RECIPE_SET=some`: 3 of 3 runs. Each recipe is `experiments/<recipe>.flags`; "
        "the set adds `--bvae_hidden=5 --phrases=7`.\n\n"
        "Store: 1,000 songs (5,000 phrases) train, 1,001 songs (5,000 phrases) validation, "
        "1,002 songs (5,000 phrases) test.\n\n"
        "Machine: 3 cores of Some CPU, 8 GiB; Keras 3.x, NumPy 2.y.\n\n"
        "## The claims of the paper\n"
    )
    assert "| `tuned_3200` | 2 | 62.5 ± 0.0 |" in text
    assert "| `tuned_3200-shared` | 1 | 62.5 ± 2.5 |" in text
    assert "| all |  |  |  | 0 |" in text


def test_what_another_machine_has_run_counts(command, setting, tmp_path):
    for recipe, machine in (("tuned_3200", "2 cores of Other\n"), ("tuned_3200-shared", None)):
        path = tmp_path / "runs" / "some" / recipe / "seed0"
        (path / "eval").mkdir(parents=True)
        (path / "eval" / "metrics.csv").write_text(f"{HEADER}\nMSR,F1,correct,mean,0.5,0.4,0.6\n")
        if machine:
            (path / "seconds.json").write_text('{"stage1": 120.0}')
            (path / "machine.txt").write_text(machine)
    command(reproduce, "--set=some")
    assert made(setting) == SECOND
    assert "--take_over" not in " ".join(setting.commands[0])
    text = (tmp_path / "runs" / "some" / "dossier.md").read_text("utf-8")
    assert (
        "\n\nMachine of 1 run: 2 cores of Other.\n\n"
        "Machine of 1 run: 3 cores of Some CPU, 8 GiB; Keras 3.x, NumPy 2.y.\n\n"
        "Machine of 1 run: not known.\n\n"
    ) in text
    assert "| `tuned_3200`, seed 0 | 2.0 |" in text
    assert "| `tuned_3200-shared` | 1 | 50.0 ± 10.0 |" in text


def test_what_is_done_is_skipped(command, setting):
    command(reproduce, "--set=some")
    setting.commands.clear()
    command(reproduce, "--set=some")
    assert setting.commands == []


def test_a_failed_command_leaves_the_rest_of_its_run_and_the_next_run_goes_on(
    command, setting, tmp_path, capsys
):
    setting.fail = {("refine", "tuned_3200", "seed0"), ("stage1", "tuned_3200", "seed1")}
    expected = "2 runs failed: `tuned_3200` seed 0, `tuned_3200` seed 1; see above"
    with pytest.raises(OptionError, match=f"^{re.escape(expected)}$"):
        command(reproduce, "--set=some")
    assert made(setting) == FIRST[:3] + SHARED + SECOND[:1]  # stage 2 had begun beside the refiners
    assert "--take_over=runs/some/tuned_3200/seed0" in setting.commands[3]  # what the failed one has
    text = (tmp_path / "runs" / "some" / "dossier.md").read_text("utf-8")
    assert "`make reproduce RECIPE_SET=some`: 1 of 3 runs." in text
    assert "\n\nNot run yet: `tuned_3200` seed 0, `tuned_3200` seed 1.\n\n" in text
    assert capsys.readouterr().out.splitlines()[-1] == "runs/some/dossier.md"
    # Again, and its times are those of both attempts.
    setting.fail, setting.commands[:] = set(), []
    command(reproduce, "--set=some")
    assert made(setting) == FIRST + SECOND
    assert "--take_over=runs/some/tuned_3200-shared/seed0" in setting.commands[0]
    assert seconds(tmp_path) == {"stage1": 4.0, "refine + stage2": 8.0, "eval": 2.0}
    assert "Not run yet" not in (tmp_path / "runs" / "some" / "dossier.md").read_text("utf-8")


def test_what_a_killed_command_took_is_not_lost(command, setting, tmp_path):
    setting.fail, setting.fail_with = {FIRST[1]}, "killed"
    with pytest.raises(KeyboardInterrupt):
        command(reproduce, "--set=some")
    assert seconds(tmp_path) == {"stage1": 2.0, "refine + stage2": 1.0}  # as far as it was noted
    setting.fail = set()
    command(reproduce, "--set=some")
    assert seconds(tmp_path) == {"stage1": 4.0, "refine + stage2": 5.0, "eval": 2.0}


@pytest.mark.parametrize(("gpus", "most"), [((), 2), (("H200",), 1)])
def test_refiners_and_stage_2_are_trained_side_by_side_but_for_a_gpu(
    command, setting, monkeypatch, gpus, most
):
    machine = dataclasses.replace(MACHINE, gpus=gpus)
    monkeypatch.setattr(reproduce, "Machine", types.SimpleNamespace(here=lambda: machine))
    running, start = [], reproduce.children.start

    def counted(name, arguments):
        alive = [each for each in running if each[1].returncode is None]
        assert len(alive) < most
        child = start(name, arguments)
        name = name.removeprefix("msw2.cli.")
        running.append((name, child))
        if most == 2 and name == "stage2":
            assert [each[0] for each in alive] == ["refine"]
        return child

    monkeypatch.setattr(reproduce.children, "start", counted)
    command(reproduce, "--set=some")
    assert [name for name, _ in running[:4]] == ["stage1", "refine", "stage2", "eval"]


def test_where_all_fail_there_is_no_dossier(command, setting, tmp_path):
    setting.fail = {("stage1", "tuned_3200", "seed0"), FIRST[0], SHARED[3], SECOND[2]}
    expected = "no run of runs/some could be evaluated: `tuned_3200` seed 0, `tuned_3200-shared` seed 0, `tuned_3200` seed 1 failed; see above"  # noqa: E501
    with pytest.raises(OptionError, match=f"^{re.escape(expected)}$"):
        command(reproduce, "--set=some")
    assert not (tmp_path / "runs" / "some" / "dossier.md").exists()


def test_no_run_is_begun_after_the_hours_that_are_given(command, setting, tmp_path, capsys):
    setting.clock.step = 600.0  # four commands: 40 minutes
    command(reproduce, "--set=some", "--hours=0.5")
    assert made(setting) == FIRST
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "runs/some/dossier.md", "2 runs are left; the same command goes on with them"
    ]  # fmt: skip
    text = (tmp_path / "runs" / "some" / "dossier.md").read_text("utf-8")
    assert "Not run yet: `tuned_3200-shared` seed 0, `tuned_3200` seed 1." in text
    setting.commands.clear()
    command(
        reproduce, "--set=some", "--hours=0.7"
    )  # the second begins after 40 minutes, the last would after 80
    assert made(setting) == SHARED + SECOND
    setting.commands.clear()
    command(reproduce, "--set=some", "--hours=0.5")
    assert setting.commands == []


def test_without_a_store_nothing_is_run(command, setting, monkeypatch, tmp_path):
    def missing(path):
        raise StoreError(f"no store at {path}")

    monkeypatch.setattr(reproduce, "Store", types.SimpleNamespace(open=missing))
    with pytest.raises(StoreError, match=r"^no store at here$"):
        command(reproduce, "--set=some", "--store=here")
    assert setting.commands == []
    assert not (tmp_path / "runs").exists()


class Later:
    """A cluster in this process. Nothing is done before its result is asked for, and the last is asked for first."""

    def __init__(self, gpus=0):
        self.gpus, self.started = gpus, []

    def start(self, task, *arguments):
        self.started.append([task, arguments, None])
        return len(self.started) - 1

    def result(self, wanted):
        for number in (*reversed(range(len(self.started))), wanted):
            self._do(number)
        return self.started[wanted][2]

    def _do(self, number):
        task, (step, needs, *before), end = self.started[number]
        if end is None:
            for each in before:
                self._do(each)
            self.started[number][2] = task(step, needs, *(self.started[each][2] for each in before))


@pytest.fixture
def cluster(monkeypatch, tmp_path):
    """Lets `--cluster` name a cluster that does what is not waited for last to first."""
    (tmp_path / "experiments" / "some.set").write_text(
        "run tuned_3200 0 1\nrun tuned_3200-shared 0\nrun tuned_3200-no_refine 0\nrun tuned_3200-concatenate 0\n"
    )
    for recipe in ("tuned_3200-no_refine", "tuned_3200-concatenate"):
        (tmp_path / "experiments" / f"{recipe}.flags").touch()
    later = Later()

    @contextlib.contextmanager
    def chosen(*, talking):
        assert talking
        yield later

    monkeypatch.setattr(reproduce, "chosen_cluster", chosen)
    return later


def test_on_a_cluster_steps_wait_for_what_they_need_and_for_nothing_else(command, setting, cluster):
    command(reproduce, "--set=some")
    order = made(setting)
    assert sorted(order) == sorted(
        step
        for run in (
            ("tuned_3200", 0), ("tuned_3200", 1), ("tuned_3200-shared", 0), ("tuned_3200-no_refine", 0),
            ("tuned_3200-concatenate", 0),
        )
        for step in steps(*run)
    )  # fmt: skip
    assert order[0] == ("stage1", "tuned_3200", "seed1")  # the last that is started and waits for nothing

    def before(first, then):
        return order.index((first[0], first[1], "seed0")) < order.index((then[0], then[1], "seed0"))

    tuned, refined, fused = "tuned_3200", "tuned_3200-concatenate", "tuned_3200-no_refine"
    assert before(("stage1", tuned), ("stage1", refined)) and before(("stage1", tuned), ("stage1", fused))
    assert before(("refine", tuned), ("refine", refined))
    assert before(("stage2", tuned), ("stage2", fused))
    # What is of no use to it, it does not wait for.
    assert before(("stage2", refined), ("stage2", tuned))
    assert before(("eval", "tuned_3200-shared"), ("eval", tuned))
    assert all("--threads=1" in arguments for arguments in setting.commands)
    waits = {
        (*step.names, step.path.parent.name): (needs, len(before))
        for _, (step, needs, *before), _ in cluster.started
        if step.path.name == "seed0"
    }
    assert waits["stage1", tuned] == (0, 0)
    assert waits["stage1", fused] == (0, 1)
    assert waits["refine", fused] == (1, 1)
    assert waits["stage2", fused] == (1, 2)
    assert waits["eval", fused] == (2, 2)


def test_on_a_cluster_a_failure_costs_its_own_run(command, setting, cluster):
    setting.fail = {("stage1", "tuned_3200", "seed0")}
    with pytest.raises(OptionError, match=r"^1 runs failed: `tuned_3200` seed 0; see above$"):
        command(reproduce, "--set=some")
    done = made(setting)
    assert [step for step in done if step[1:] == ("tuned_3200", "seed0")] == [
        ("stage1", "tuned_3200", "seed0")
    ]
    assert sum(name == "eval" for name, *_ in done) == 4


def test_a_task_with_a_gpu_has_all_threads(command, setting, cluster):
    cluster.gpus = 2
    command(reproduce, "--set=some")
    assert not any("--threads" in argument for each in setting.commands for argument in each)
