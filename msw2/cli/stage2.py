"""`make stage2`: trains the MFG-VAE on the moments of the five BVAEs, and fits or trains the prior."""

from msw2.cli import jobs, options
from msw2.cli.endings import end_stage
from msw2.cli.launch import launch
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
        if not trained:
            print("the MFG-VAE is trained already")
        elif run.config.fusion == "none":
            print("without fusion there is no MFG-VAE to train: each track is drawn by itself")
        end_stage(run, "mfg_vae", "MFG-VAE", trained=trained)
        if trained and run.writes and run.config.prior == "notes":
            end_stage(run, "prior", "prior", trained=True)


if __name__ == "__main__":
    launch(define_flags, main, *options.USER_ERRORS)
