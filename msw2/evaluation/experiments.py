"""What came out of many runs: the evaluations of recipes, each trained with one or more seeds."""

import csv
import dataclasses
import math
import os
import pathlib

import numpy as np
from scipy import stats

from msw2.evaluation.results import Estimate, Key

LEVEL = 0.95


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
        seconds: wall time by command; what other runs had trained for it took none.
    """

    recipe: str
    seed: int
    path: pathlib.Path
    estimates: dict[Key, Estimate]
    seconds: dict[str, float]


@dataclasses.dataclass(frozen=True)
class Spread:
    """A quantity over the seeds of a recipe.

    Attributes:
        mean: over seeds; NaN where there are none.
        half: half of the 95 % interval: over seeds (Student's t) where there are several, else over phrases
            (bootstrap or jackknife); NaN where neither is known.
        seeds: how many.
    """

    mean: float
    half: float
    seeds: int

    def text(self, digits: int) -> str:
        """Returns it for a table."""
        if math.isnan(self.mean):
            return "n/a"
        spread = "" if math.isnan(self.half) else f" ± {self.half:.{digits}f}"
        return f"{self.mean:.{digits}f}{spread}"


def read_metrics(path: str | os.PathLike) -> dict[Key, Estimate]:
    """Reads a metrics.csv."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    return {Key(*row[:4]): Estimate(*map(float, row[4:])) for row in rows}


def estimate_of(experiment: Experiment, quantity: Quantity) -> Estimate:
    """Returns what an experiment says of a quantity, in the units of the tables; NaN where it says nothing."""
    found = experiment.estimates.get(quantity.key, Estimate(*[math.nan] * 3))
    return Estimate(*(quantity.scale * value for value in found))


def spread(experiments: list[Experiment], quantity: Quantity) -> Spread:
    """Returns the mean of a quantity over the seeds of one recipe, with its interval."""
    found = [estimate_of(experiment, quantity) for experiment in experiments]
    return interval([each.mean for each in found], [(each.high - each.low) / 2 for each in found])


def interval(values: list[float], halves: list[float]) -> Spread:
    """Returns the mean of some values with its 95 % interval.

    Args:
        values: one a seed; NaN for what is not known.
        halves: half of the interval over phrases of each, which counts where there is one value alone.
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
