"""Recipes: files of flags that the package carries, `msw2/recipes`, which is the repository's `experiments/`.

A recipe may begin with `--flagfile=experiments/<other>.flags`: it then is the other one with some flags changed. A file
is a flagfile of absl too, for commands in the repository.
"""

import pathlib
import re

from msw2.cli.launch import OptionError

FOLDER = pathlib.Path(__file__).parents[1] / "recipes"
BASE = re.compile(r"--flagfile=experiments/([\w-]+)\.flags")


def recipe_lines(name: str, folder: pathlib.Path = FOLDER) -> list[str]:
    """Returns the flags of a recipe, those of its base first.

    Raises:
        OptionError: if there is no such recipe.
    """
    path = folder / f"{name}.flags"
    if not path.is_file():
        there = ", ".join(sorted(each.stem for each in folder.glob("*.flags"))) or "none"
        raise OptionError(f"recipe {name!r} is not one of {there}")
    lines = []
    for line in path.read_text("utf-8").splitlines():
        if base := BASE.fullmatch(line.strip()):
            lines += recipe_lines(base[1], folder)
        elif line.startswith("--"):
            lines.append(line.strip())
    return lines
