"""`make finetune`: trains all parts of a run together, after the stages."""

from msw2.cli import jobs, options
from msw2.cli.endings import end_stage
from msw2.cli.launch import launch
from msw2.training.finetune import train_all


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
        if not trained:
            print("the run is finetuned already")
        end_stage(run, "finetune", "all parts", trained=trained)


if __name__ == "__main__":
    launch(define_flags, main, *options.USER_ERRORS)
