"""`make stage1`: trains the BVAE of one track, or of all five, side by side; or the one that they share."""

from msw2.cli import jobs, options, side_by_side
from msw2.cli.launch import launch
from msw2.data.store import Store
from msw2.evaluation.figures import draw_curves, read_history
from msw2.models.sandwich import stage1_parts
from msw2.training.jobs import Job
from msw2.training.runs import Run
from msw2.training.stage1 import SHARED, train_bvae


def define_flags() -> None:
    """Defines the command's flags."""
    options.define_training()
    options.define_track()


def main() -> None:
    """Trains what is not trained yet, and draws the loss."""
    with jobs.training() as job:
        opened = tracks, store, run = side_by_side.open_training(job)
        if run.config.shared:
            _train_shared(tracks, store, run, job)
        else:
            epochs = run.config.bvae_epochs
            side_by_side.train_chosen(
                opened, job, "stage1", train_bvae, kind="bvae", name="BVAE", parts=stage1_parts, epochs=epochs
            )


def _train_shared(tracks: tuple[str, ...], store: Store, run: Run, job: Job) -> None:
    """Trains the one BVAE in this process, with all its threads."""
    if len(tracks) == 1:
        print(f"the run {run.path} has one BVAE for all tracks, which is trained for {tracks[0]} as well")
    with run.alone(SHARED):
        trained = train_bvae(run, store, tracks[0], job)
    if trained and run.writes:
        draw_curves(run.figure(SHARED), {"shared BVAE": read_history(run.history(SHARED))})
    elif not trained:
        print("the shared BVAE is trained already")


if __name__ == "__main__":
    launch(define_flags, main, *options.USER_ERRORS)
