"""The console command `msw2`: `msw2 generate --songs=2` is `python -m msw2.cli.generate --songs=2`."""

import ast
import pathlib
import re
import runpy
import sys

from msw2.cli import interrupts

MAKE = re.compile(r"^`make [\w-]+`: ")  # what the repository calls it
PUBLISHING = {"demo_figures", "pack"}  # for those who publish the package, in the repository
FOLDER = pathlib.Path(__file__).parent


def main() -> None:
    """Runs the sub-command that the first argument names; without one, or with --help, lists them all."""
    interrupts.end_imports()
    there, (program, *arguments) = commands(), sys.argv
    name = arguments[0] if arguments else ""
    if name in ("", "help", "-h", "--help"):
        print("msw2 COMMAND [--flag=value ...]; `msw2 COMMAND --help` lists the flags of a command.\n")
        width = max(map(len, there))
        for each, summary in there.items():
            print(f"  {each:<{width}}  {summary}")
        return
    modules = {_name(path.stem): path.stem for path in FOLDER.glob("*.py")}
    if _name(name) not in there:
        sys.exit(f"error: {name!r} is not one of {', '.join(there)}")
    sys.argv = [f"{program} {name}", *arguments[1:]]
    runpy.run_module(f"msw2.cli.{modules[_name(name)]}", run_name="__main__", alter_sys=True)


def _name(stem: str) -> str:
    """Returns what a command is called: no underscore, which only words of Python's own need at their end."""
    return stem.rstrip("_").replace("_", "-")


def commands() -> dict[str, str]:
    """Returns each command's name and the first sentence on it, by reading the files: importing them takes seconds."""
    found = {}
    for path in sorted(FOLDER.glob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        if {"define_flags", "main"} <= functions and path.stem not in PUBLISHING:
            first = MAKE.sub("", (ast.get_docstring(tree) or "").splitlines()[0])
            found[_name(path.stem)] = first[:1].upper() + first[1:]
    return found
