"""`make reproduce`: trains and evaluates every recipe of a set, and writes the dossier of the results.

Each run is `<runs>/<recipe>/seed<seed>`. The commands `stage1`, `refine`, `stage2` and `eval` make it, and are printed.
Finished runs are skipped, and parts that several runs train alike are trained once. So the same command continues
after a kill. The dossier reads `eval/metrics.csv`, `seconds.json` and `machine.txt` of each run, which may come from
another machine.
"""

import contextlib
import dataclasses
import enum
import json
import math
import pathlib
import subprocess
import time
from collections.abc import Iterator, Sequence
from typing import Any

from absl import flags

from msw2.benchmarks.machine import Machine
from msw2.cli.clusters import chosen_cluster, define_cluster
from msw2.cli.launch import OptionError, launch
from msw2.cli.recipe_sets import Named, RecipeSet, read_set, takes_over
from msw2.data.store import Store, StoreError
from msw2.evaluation.dossier import markdown
from msw2.evaluation.dossier_header import header, listed
from msw2.evaluation.experiments import (
    MACHINE,
    SECONDS,
    ExperimentError,
    is_evaluated,
    read_experiments,
    read_seconds,
    run_path,
)
from msw2.system import children
from msw2.system.cluster import Cluster, ClusterError
from msw2.system.files import replacing
from msw2.system.locks import LockedError, alone
from msw2.system.workers import Here

# Side by side on CPU cores: neither reads what the other makes. A GPU has room for one.
TRAINING = (("stage1",), ("refine", "stage2"))
PATIENCE = 60.0  # seconds to wait for another machine that notes times
NOTED = 30.0  # seconds between notes of a running command's time: it may be killed
BASES = ("tuned_3200", "paper")  # recipes that test the claims
MAIN = ("paper", "released", "tuned_3200", "tuned")  # recipes with their tables in full


@dataclasses.dataclass(frozen=True)
class Step:
    """Commands of one run that are run side by side.

    Attributes:
        path: of the run.
        names: of the commands.
        arguments: of each of them.
        alike: runs that may have trained parts that this one would train alike.
        until: time after which the step does not begin; infinite for none.
        machine: what it is run on, in a line; empty: the machine that finds itself doing it.
    """

    path: pathlib.Path
    names: tuple[str, ...]
    arguments: tuple[str, ...]
    alike: tuple[pathlib.Path, ...] = ()
    until: float = math.inf
    machine: str = ""


class End(enum.Enum):
    """How a step ended."""

    DONE = "done"
    FAILED = "failed"
    LEFT = "left"  # there was no time to begin


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string("set", "full", "Recipe set: the name of a `.set` file in `experiments/`.")
    flags.DEFINE_string("store", "data/store", "Folder of the store, made by `make data`.")
    flags.DEFINE_string("runs", "", "Folder of the runs; without it, runs/<set>.")
    flags.DEFINE_float(
        "hours", 0.0, "Begin no further run after so many hours; 0: run them all.", lower_bound=0.0
    )
    define_cluster()


def main() -> None:
    """Runs what is not done yet, and writes `<runs>/dossier.md`."""
    values = flags.FLAGS
    until = time.time() + 3600 * values.hours if values.hours else math.inf
    asked, store = read_set(values.set), Store.open(values.store)
    folder = pathlib.Path(values.runs or f"runs/{values.set}")
    with chosen_cluster(talking=True) as cluster:
        ends = _run_all(asked, folder, store, until, cluster)
    failed, left = ([run for run, end in ends.items() if end is kind] for kind in (End.FAILED, End.LEFT))
    dossier = _write(asked, folder, store, failed)
    print(f"{dossier}")
    if left:
        print(f"{len(left)} runs are left; the same command goes on with them")
    if failed:
        raise OptionError(f"{len(failed)} runs failed: {listed(failed)}; see above")


def _run_all(
    asked: RecipeSet, folder: pathlib.Path, store: Store, until: float, cluster: Cluster | None
) -> dict[Named, End]:
    """Trains and evaluates the runs that are not evaluated yet, and returns how each ended.

    Here, the steps of a run follow one another, and so do the runs. On a cluster, all steps are started at once. A step
    begins when the step before it is done, and what it can take over is trained.
    """
    workers, needed = cluster or Here(), {}
    machine = None if cluster else Machine.here()
    if cluster:
        needed = takes_over(asked)
    started: dict[tuple[Named, str], Any] = {}
    last: dict[Named, list[Any]] = {}
    for run in asked.runs:
        if is_evaluated(run_path(folder, *run)):
            continue
        before: list[Any] = []
        for level in _levels(asked, run, folder, store, until=until, cluster=cluster, machine=machine):
            ended = []
            for step in level:
                others = [started.get((needed.get((run, name)), name)) for name in step.names]
                others = [other for other in others if other is not None]
                ended.append(workers.start(_do, step, len(before), *before, *others))
                started |= {(run, name): ended[-1] for name in step.names}
            before = ended
        last[run] = before
    return {run: workers.result(end) for run, (end,) in last.items()}


def _levels(
    asked: RecipeSet,
    run: Named,
    folder: pathlib.Path,
    store: Store,
    *,
    until: float,
    cluster: Cluster | None,
    machine: Machine | None,
) -> Iterator[list[Step]]:
    """Yields the steps of a run: in each list those that need the list before, and not one another."""
    path, (recipe, seed) = run_path(folder, *run), run
    alike = tuple(run_path(folder, *each) for each in asked.runs if each[1] == seed and each != run)
    common = [f"--run={path}", f"--store={store.path}"]
    common += ["--threads=1"] if cluster and not cluster.gpus else []  # the core that a task has
    training = (f"--recipe={recipe}", *asked.train, f"--seed={seed}", *common)
    for names in TRAINING:
        groups = [(name,) for name in names] if cluster or machine.gpus else [names]
        yield [Step(path, group, training, alike, until) for group in groups]
        until = math.inf
    described = machine.described() if machine else ""
    yield [Step(path, ("eval",), (*common, *asked.evaluate), machine=described)]


def _do(step: Step, needs: int, *before: End) -> End:
    """Does a step, on whatever machine this is.

    Args:
        step: what to do.
        needs: how many of the ends before are of steps that have to be done.
        *before: how the steps ended that had to end before. Last come those of other runs: what has failed there, this
            run trains for itself.
    """
    for end in before[:needs]:
        if end is not End.DONE:
            return end
    if time.time() > step.until:
        return End.LEFT
    there = ",".join(str(each) for each in step.alike if (each / "config.json").exists())
    if step.names == ("eval",):
        with replacing(step.path / MACHINE) as temporary:
            temporary.write_text((step.machine or Machine.here().described()) + "\n", "utf-8")
    arguments = [*step.arguments, *([f"--take_over={there}"] if there else [])]
    return End.DONE if _commands(step.path, step.names, arguments) else End.FAILED


def _commands(path: pathlib.Path, names: Sequence[str], arguments: list[str]) -> bool:
    """Runs commands side by side, adds their wall time to those of their run, and returns whether all succeeded."""
    running = []
    for name in names:
        print(f"python -m msw2.cli.{name} {' '.join(arguments)}", flush=True)
        running.append(children.start(f"msw2.cli.{name}", arguments))
    key, start = " + ".join(names), time.monotonic()
    before = read_seconds(path).get(key, 0.0)
    for child in running:
        while child.returncode is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(NOTED)
            _note(path, key, round(before + time.monotonic() - start, 1))
    return not any(child.returncode for child in running)


def _note(path: pathlib.Path, key: str, seconds: float) -> None:
    """Writes down what commands of a run have taken so far, beside what other machines write of it."""
    with alone(path / ".seconds.lock", wait=PATIENCE), replacing(path / SECONDS) as temporary:
        temporary.write_text(json.dumps({**read_seconds(path), key: seconds}) + "\n", "utf-8")


def _write(
    asked: RecipeSet, folder: pathlib.Path, store: Store, failed: list[tuple[str, int]]
) -> pathlib.Path:
    """Writes the dossier of the evaluated runs."""
    runs = read_experiments(folder, asked.runs)
    if not runs:
        raise OptionError(f"no run of {folder} could be evaluated: {listed(failed)} failed; see above")
    paragraphs = header(
        runs,
        asked.runs,
        store,
        name=flags.FLAGS.set,
        recipes="experiments",
        added=(*asked.train, *asked.evaluate),
    )
    text = markdown(runs, header=paragraphs, bases=BASES, main=MAIN)
    with replacing(folder / "dossier.md") as temporary:
        temporary.write_text(text, "utf-8")
    return folder / "dossier.md"


if __name__ == "__main__":
    launch(define_flags, main, ClusterError, ExperimentError, LockedError, StoreError, OSError)
