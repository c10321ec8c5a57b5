"""`make finetune`: trains all parts of a run together, after the stages."""

import pathlib

from absl import flags

from msw2.cli import options
from msw2.cli.launch import launch
from msw2.config import PAPER, fields_of
from msw2.config.finetune import FinetunePart
from msw2.data.store import Store
from msw2.evaluation.figures import draw_curves, read_history
from msw2.training.device import set_up_device
from msw2.training.finetune import train_all
from msw2.training.runs import Run


def define_flags() -> None:
    """Defines the command's flags."""
    options.define_training()


def main() -> None:
    """Finetunes, if the config says so, and draws the loss."""
    set_up_device(flags.FLAGS.threads)
    store = options.open_store()
    run = _run(store)  # the run last: what is refused makes none
    if not run.config.finetune_epochs:
        print("finetune_epochs is 0: there is nothing to finetune")
    elif train_all(run, store):
        draw_curves(run.figure("finetune"), {"all parts": read_history(run.history("finetune"))})
    else:
        print("the run is finetuned already")


def _run(store: Store) -> Run:
    """Returns the run. Until it is finetuned, flags may change how it will be."""
    finetuned = Run(pathlib.Path(flags.FLAGS.run), PAPER).finetuned_prior.exists()
    return options.bound_run(store, frozenset() if finetuned else fields_of(FinetunePart))


if __name__ == "__main__":
    launch(define_flags, main, *options.USER_ERRORS)
