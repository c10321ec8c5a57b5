"""`make finetune`: trains all parts of a run together, after the stages."""

from msw2.cli import jobs, options
from msw2.cli.launch import launch
from msw2.evaluation.figures import draw_curves, read_history
from msw2.training.finetune import train_all
from msw2.training.runs import Run


def define_flags() -> None:
    """Defines the command's flags."""
    options.define_training()


def main() -> None:
    """Finetunes, if the config says so, and draws the loss."""
    with jobs.training() as job:
        store = options.open_store()
        run = jobs.bound_run(store, job, finetuning=True)  # the run last: what is refused makes none
        if not run.config.finetune_epochs:
            print("finetune_epochs is 0: there is nothing to finetune")
            return
        with run.alone("finetune"):
            trained = train_all(run, store, job)
        if run.writes:
            _report(run, trained)


def _report(run: Run, trained: bool) -> None:
    """Draws the loss, or says why there is none."""
    if trained:
        draw_curves(run.figure("finetune"), {"all parts": read_history(run.history("finetune"))})
    else:
        print("the run is finetuned already")


if __name__ == "__main__":
    launch(define_flags, main, *options.USER_ERRORS)
