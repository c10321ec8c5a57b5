"""What came out of many runs: the evaluations of recipes, each trained with one or more seeds."""

import dataclasses
import math
import os
import pathlib
from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy import stats

from msw2.evaluation.markdown import number
from msw2.evaluation.results import Estimate, Key
from msw2.system.records import RecordError, as_number, read_json, read_table

LEVEL = 0.95
SECONDS = "seconds.json"  # wall time of the commands that made a run
MACHINE = "machine.txt"  # the machine that evaluated a run, and as a rule trained it


class ExperimentError(Exception):
    """A result of a run that is damaged; the message is one sentence for the user."""


@dataclasses.dataclass(frozen=True)
class Quantity:
    """A measurement that experiments are compared by.

    Attributes:
        title: as in the tables, with its unit.
        key: which estimate of a run's metrics.csv it is.
        scale: factor from there to the tables, 100 for percent.
        higher: whether more is better.
    """

    title: str
    key: Key
    scale: float = 1.0
    higher: bool = False


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A recipe trained with one seed, and evaluated.

    Attributes:
        recipe: name of its flagfile.
        seed: of everything.
        path: the run directory.
        estimates: what its metrics.csv says.
        seconds: wall time by command. Parts that another run had trained took none.
        machine: what made it; empty where that is not known.
    """

    recipe: str
    seed: int
    path: pathlib.Path
    estimates: dict[Key, Estimate]
    seconds: dict[str, float]
    machine: str = ""


Runs = dict[str, list[Experiment]]  # by recipe


@dataclasses.dataclass(frozen=True)
class Spread:
    """A quantity over the seeds of a recipe.

    Attributes:
        mean: over seeds; NaN where there are none.
        half: half of the 95 % interval: over seeds (Student's t) where there are several, else over songs
            (bootstrap or jackknife); NaN where neither is known.
        seeds: how many.
    """

    mean: float
    half: float
    seeds: int

    def text(self, digits: int) -> str:
        """Returns it for a table."""
        return number(self.mean, digits, self.half)


def read_metrics(path: str | os.PathLike) -> dict[Key, Estimate]:
    """Reads a metrics.csv, every number to its last digit.

    Raises:
        ExperimentError: if it is damaged.
    """
    try:
        header, lines = read_table(path)
        missing = [name for name in (*Key._fields, *Estimate._fields) if name not in header]
        if missing:
            raise RecordError(f"it has no column {missing[0]}")
        rows = [dict(zip(header, line, strict=True)) for line in lines]
        return {
            Key(*map(row.get, Key._fields)): Estimate(*(as_number(row[name]) for name in Estimate._fields))
            for row in rows
        }
    except RecordError as error:
        raise ExperimentError(f"{path} is damaged: {error}") from error


def run_path(folder: pathlib.Path, recipe: str, seed: int) -> pathlib.Path:
    """Returns where `make reproduce` keeps a run."""
    return folder / recipe / f"seed{seed}"


def is_evaluated(path: pathlib.Path) -> bool:
    """Returns whether a run has what a dossier reads."""
    return (path / "eval" / "metrics.csv").exists()


def read_seconds(path: pathlib.Path) -> dict[str, float]:
    """Returns the wall time of a run's commands; empty where none was noted.

    Raises:
        ExperimentError: if what was noted is damaged.
    """
    try:
        return read_json(path / SECONDS, {...: float})
    except FileNotFoundError:
        return {}
    except RecordError as error:
        raise ExperimentError(f"{path / SECONDS} is damaged: {error}") from error


def read_experiments(folder: pathlib.Path, runs: Iterable[tuple[str, int]]) -> dict[str, list[Experiment]]:
    """Reads the evaluated runs of a folder.

    Args:
        folder: of the runs.
        runs: recipe and seed of each.

    Returns:
        Experiments by recipe, in the order of `runs`; runs that are not evaluated are left out.
    """
    found: dict[str, list[Experiment]] = {}
    for recipe, seed in runs:
        path = run_path(folder, recipe, seed)
        if is_evaluated(path):
            estimates = read_metrics(path / "eval" / "metrics.csv")
            experiment = Experiment(recipe, seed, path, estimates, read_seconds(path), _read(path / MACHINE))
            found.setdefault(recipe, []).append(experiment)
    return found


def by_seed(experiments: list[Experiment], quantity: Quantity) -> pd.DataFrame:
    """Returns a quantity as a table: a row a seed, `mean` and `half` of its interval, in the units of the tables."""
    found = [estimate_of(experiment, quantity) for experiment in experiments]
    columns = {
        "mean": [each.mean for each in found],
        "half": [(each.high - each.low) / 2 for each in found],
    }
    return pd.DataFrame(columns, index=[each.seed for each in experiments], dtype=float)


def estimate_of(experiment: Experiment, quantity: Quantity) -> Estimate:
    """Returns what an experiment says of a quantity, in the units of the tables; NaN where it says nothing."""
    found = experiment.estimates.get(quantity.key, Estimate(*[math.nan] * 3))
    return Estimate(*(quantity.scale * value for value in found))


def is_known(experiments: Iterable[Experiment], quantity: Quantity) -> bool:
    """Returns whether any experiment has a quantity; those of an earlier version lack some."""
    return any(quantity.key in each.estimates for each in experiments)


def spread(experiments: list[Experiment], quantity: Quantity) -> Spread:
    """Returns the mean of a quantity over the seeds of one recipe, with its interval."""
    found = by_seed(experiments, quantity)
    return interval(found["mean"], found["half"])


def interval(values: Iterable[float], halves: Iterable[float]) -> Spread:
    """Returns the mean of some values with its 95 % interval.

    Args:
        values: one a seed; NaN for what is not known.
        halves: half of the interval over songs of each, which counts where there is one value alone.
    """
    known = [(value, half) for value, half in zip(values, halves, strict=True) if not math.isnan(value)]
    if not known:
        return Spread(math.nan, math.nan, 0)
    numbers = np.array([value for value, _ in known])
    if len(known) == 1:
        return Spread(float(numbers[0]), known[0][1], 1)
    error = numbers.std(ddof=1) / math.sqrt(len(numbers))
    quantile = stats.t.ppf(0.5 + LEVEL / 2, len(numbers) - 1)
    return Spread(float(numbers.mean()), float(quantile * error), len(numbers))


def _read(path: pathlib.Path) -> str:
    """Returns what a file says; nothing where the file is missing."""
    try:
        return path.read_text("utf-8").strip()
    except FileNotFoundError:
        return ""
