"""Writes the figures that README shows of `make demo` to a CSV, from a run's metrics.csv.

Run it after a demo that README is to show, then copy the printed lines into README: a test compares the two.
"""

import pathlib

from absl import flags

from msw2.cli.launch import OptionError, launch
from msw2.evaluation import glance
from msw2.evaluation.eval_report import write_metrics
from msw2.evaluation.experiments import ExperimentError, read_metrics


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string("run", "runs/demo", "Directory of the run, evaluated by `make eval`.")
    flags.DEFINE_string("out", "experiments/results/demo.csv", "CSV to write.")


def main() -> None:
    """Writes the CSV, and prints the lines."""
    metrics = pathlib.Path(flags.FLAGS.run) / "eval" / "metrics.csv"
    if not metrics.exists():
        raise OptionError(f"there is no {metrics}: run `make eval` first")
    figures = glance.shown(read_metrics(metrics))
    write_metrics(flags.FLAGS.out, figures)
    print(*glance.lines(figures, "test"), sep="\n")


if __name__ == "__main__":
    launch(define_flags, main, ExperimentError, OSError)
