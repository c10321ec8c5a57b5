"""`make bench`: how fast it is here, beside stock Keras and PyTorch, as ratios measured side by side."""

import itertools
import json
import pathlib

from absl import flags

from msw2.benchmarks.bench_report import markdown, report
from msw2.benchmarks.groups import GROUPS, Setting
from msw2.benchmarks.machine import Machine
from msw2.benchmarks.processes import WorkerError
from msw2.benchmarks.run import measure
from msw2.cli.launch import OptionError, launch
from msw2.system.files import replacing


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string("json", None, "File to write every figure to, as JSON; without it, none.")
    flags.DEFINE_integer("rounds", 5, "Turns of each contender.", lower_bound=1)
    flags.DEFINE_list("only", list(GROUPS), f"Groups to measure, of {', '.join(GROUPS)}.")
    flags.DEFINE_string("freedoom", "data/freedoom", "Folder of Freedoom's songs, fetched if missing.")


def main() -> None:
    """Measures, prints the tables, and writes the file."""
    values = flags.FLAGS
    groups = _groups(values.only)
    machine = Machine.here()
    setting = Setting(machine, pathlib.Path(values.freedoom))
    comparisons = itertools.chain.from_iterable(group(setting) for group in groups)
    made = report(machine, values.rounds, measure(comparisons, values.rounds))
    print(markdown(machine, made), end="")
    if values.json:
        with replacing(values.json) as temporary:
            temporary.write_text(json.dumps(made, indent=1) + "\n", "utf-8")


def _groups(names: list[str]) -> list:
    """Returns the groups with these names, in the order of `GROUPS`.

    Raises:
        OptionError: for a name that is none of them, or without any.
    """
    for name in names:
        if name not in GROUPS:
            raise OptionError(f"only {name!r} is not one of {', '.join(GROUPS)}")
    if not names:
        raise OptionError(f"only is empty: give some of {', '.join(GROUPS)}")
    return [group for name, group in GROUPS.items() if name in names]


if __name__ == "__main__":
    launch(define_flags, main, WorkerError, stopped="stopped; nothing is written")
