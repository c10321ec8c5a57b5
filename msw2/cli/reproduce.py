"""`make reproduce`: trains and evaluates every recipe of a set, and writes the dossier of the results.

Each run is `<runs>/<recipe>/seed<seed>`. The commands `stage1`, `refine`, `stage2` and `eval` make it, and are printed.
Finished runs are skipped, and parts that several runs train alike are trained once. So the same command continues
after a kill. The dossier reads `eval/metrics.csv`, `seconds.json` and `machine.txt` of each run, which may come from
another machine.
"""

import contextlib
import json
import pathlib
import subprocess
import time
from collections.abc import Sequence

from absl import flags

from msw2.benchmarks.machine import Machine
from msw2.cli.launch import OptionError, launch
from msw2.cli.recipe_sets import RecipeSet, read_set
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
from msw2.system.files import replacing

# Side by side on CPU cores: neither reads what the other makes. A GPU has room for one.
TRAINING = (("stage1",), ("refine", "stage2"))
NOTED = 30.0  # seconds between notes of a running command's time: it may be killed
BASES = ("tuned_3200", "paper")  # recipes that test the claims
MAIN = ("paper", "released", "tuned_3200", "tuned")  # recipes with their tables in full


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string("set", "full", "Recipe set: the name of a `.set` file in `experiments/`.")
    flags.DEFINE_string("store", "data/store", "Folder of the store, made by `make data`.")
    flags.DEFINE_string("runs", "", "Folder of the runs; without it, runs/<set>.")
    flags.DEFINE_float(
        "hours", 0.0, "Begin no further run after so many hours; 0: run them all.", lower_bound=0.0
    )


def main() -> None:
    """Runs what is not done yet, and writes `<runs>/dossier.md`."""
    values, start = flags.FLAGS, time.monotonic()
    asked, store = read_set(values.set), Store.open(values.store)
    folder, machine = pathlib.Path(values.runs or f"runs/{values.set}"), Machine.here()
    failed, left = [], []
    for recipe, seed in asked.runs:
        path = run_path(folder, recipe, seed)
        if is_evaluated(path):
            continue
        if values.hours and time.monotonic() - start > 3600 * values.hours:
            left.append((recipe, seed))
        elif not _run(asked, (recipe, seed), folder, store, machine):
            failed.append((recipe, seed))
    dossier = _write(asked, folder, store, failed)
    print(f"{dossier}")
    if left:
        print(f"{len(left)} runs are left; the same command goes on with them")
    if failed:
        raise OptionError(f"{len(failed)} runs failed: {listed(failed)}; see above")


def _run(
    asked: RecipeSet, run: tuple[str, int], folder: pathlib.Path, store: Store, machine: Machine
) -> bool:
    """Trains and evaluates one run; returns whether all commands succeeded."""
    path, (recipe, seed) = run_path(folder, *run), run
    alike = [run_path(folder, *each) for each in asked.runs if each[1] == seed and each != run]
    there = ",".join(str(each) for each in alike if (each / "config.json").exists())
    common = [f"--run={path}", f"--store={store.path}"]
    training = [f"--recipe={recipe}", *asked.train, f"--seed={seed}", *common]
    training += [f"--take_over={there}"] if there else []
    for names in TRAINING:
        for at_once in ([name] for name in names) if machine.gpus else [names]:
            if not _commands(path, at_once, training):
                return False
    with replacing(path / MACHINE) as temporary:
        temporary.write_text(machine.described() + "\n", "utf-8")
    return _commands(path, ["eval"], [*common, *asked.evaluate])


def _commands(path: pathlib.Path, names: Sequence[str], arguments: list[str]) -> bool:
    """Runs commands side by side, adds their wall time to those of their run, and returns whether all succeeded."""
    running = []
    for name in names:
        print(f"python -m msw2.cli.{name} {' '.join(arguments)}", flush=True)
        running.append(children.start(f"msw2.cli.{name}", arguments))
    key, start, before = " + ".join(names), time.monotonic(), read_seconds(path)
    for child in running:
        while child.returncode is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(NOTED)
            taken = round(before.get(key, 0.0) + time.monotonic() - start, 1)
            with replacing(path / SECONDS) as temporary:
                temporary.write_text(json.dumps({**before, key: taken}) + "\n", "utf-8")
    return not any(child.returncode for child in running)


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
    launch(define_flags, main, ExperimentError, StoreError, OSError)
