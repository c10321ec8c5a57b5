"""`make stage2`: trains the MFG-VAE on the moments of the five BVAEs, and fits the prior."""

from msw2.cli import jobs, options
from msw2.cli.launch import launch
from msw2.evaluation.figures import draw_curves, read_history
from msw2.training.runs import Run
from msw2.training.stage2 import train_fusion


def define_flags() -> None:
    """Defines the command's flags."""
    options.define_training()


def main() -> None:
    """Trains what is not trained yet, and draws the loss."""
    with jobs.training() as job:
        store = options.open_store()
        run = jobs.bound_run(store, job)  # the run last: what is refused makes none
        with run.alone("mfg_vae"):
            trained = train_fusion(run, store, job)
        if run.writes:
            _report(run, trained)


def _report(run: Run, trained: bool) -> None:
    """Draws the loss, or says why there is none."""
    if not trained:
        print("the MFG-VAE is trained already")
    elif run.config.fusion == "none":
        print("without fusion there is no MFG-VAE to train: each track is drawn by itself")
    else:
        draw_curves(run.figure("mfg_vae"), {"MFG-VAE": read_history(run.history("mfg_vae"))})


if __name__ == "__main__":
    launch(define_flags, main, *options.USER_ERRORS)
