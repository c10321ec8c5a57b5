"""Sets of recipes that `make reproduce` runs: files in the folder of the recipes, one directive a line.

    train --flag=value ...    flags that every training of the set is given, after those of its recipe
    eval --flag=value ...     flags of every evaluation
    run recipe seed ...       a recipe, and the seeds to train it with

Empty lines and everything after a # are comments. Runs are made in this order, first those of the lowest seed. A run
that can share trained parts with another should come after it.
"""

import dataclasses
import pathlib

from msw2.cli.launch import OptionError
from msw2.cli.options import config_of
from msw2.cli.recipes import FOLDER
from msw2.training.sharing import shared_stages

Named = tuple[str, int]  # a run: recipe and seed


@dataclasses.dataclass(frozen=True)
class RecipeSet:
    """What a set asks for.

    Attributes:
        train: flags of every training.
        evaluate: flags of every evaluation.
        runs: recipe and seed of each run, in order.
    """

    train: tuple[str, ...]
    evaluate: tuple[str, ...]
    runs: tuple[tuple[str, int], ...]


def read_set(name: str, folder: pathlib.Path = FOLDER) -> RecipeSet:
    """Reads `<folder>/<name>.set`.

    Raises:
        OptionError: if the set is missing, or a line of it is no directive.
    """
    path = folder / f"{name}.set"
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError as error:
        there = ", ".join(sorted(each.stem for each in folder.glob("*.set"))) or "none"
        raise OptionError(f"recipe set {name!r} is not one of {there}") from error
    flags, runs = {"train": [], "eval": []}, []
    for number, line in enumerate(lines, start=1):
        match line.split("#")[0].split():
            case []:
                pass
            case [("train" | "eval") as kind, *given] if given and all(
                flag.startswith("--") for flag in given
            ):
                flags[kind] += given
            case ["run", recipe, *seeds] if seeds and all(seed.isdecimal() for seed in seeds):
                if not (folder / f"{recipe}.flags").is_file():
                    raise OptionError(f"{path}, line {number}: there is no recipe {folder / recipe}.flags")
                runs += [(recipe, int(seed)) for seed in seeds]
            case _:
                raise OptionError(
                    f"{path}, line {number}: {line.strip()!r} is not `run recipe seed ...`, "
                    "`train --flag ...` or `eval --flag ...`"
                )
    if len(set(runs)) < len(runs):
        raise OptionError(f"{path} asks for {next(run for run in runs if runs.count(run) > 1)} twice")
    if not runs:
        raise OptionError(f"{path} asks for no run")
    runs.sort(
        key=lambda run: run[1]
    )  # one seed of everything is worth more than all seeds of the first recipes
    return RecipeSet(tuple(flags["train"]), tuple(flags["eval"]), tuple(runs))


def takes_over(asked: RecipeSet) -> dict[tuple[Named, str], Named]:
    """Returns of which run another one can take over parts: the first run of the set that trains them alike.

    Args:
        asked: the set.

    Returns:
        By run and command, of `stage1`, `refine` and `stage2`; runs that take nothing over are left out.
    """
    configs = {run: config_of(run[0], (*asked.train, f"--seed={run[1]}")) for run in asked.runs}
    found: dict[tuple[Named, str], Named] = {}
    for at, run in enumerate(asked.runs):
        for other in asked.runs[:at]:
            for stage in shared_stages(configs[run], configs[other]):
                found.setdefault((run, stage), other)
    return found
