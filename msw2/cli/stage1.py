"""`make stage1`: trains the BVAE of one track, or of all five, side by side; or the one that they share."""

from msw2.cli import options, side_by_side
from msw2.cli.endings import end_stage
from msw2.cli.launch import launch
from msw2.data.store import Store
from msw2.models.sandwich import stage1_parts
from msw2.training.runs import Run
from msw2.training.stage1 import SHARED, train_bvae


def define_flags() -> None:
    """Defines the command's flags."""
    options.define_training()
    options.define_track()


def main() -> None:
    """Trains what is not trained yet, and draws the loss."""
    opened = tracks, store, run = side_by_side.open_training()
    if run.config.shared:
        _train_shared(tracks, store, run)
    else:
        epochs = run.config.bvae_epochs
        side_by_side.train_chosen(
            opened, "stage1", train_bvae, kind="bvae", name="BVAE", parts=stage1_parts, epochs=epochs
        )


def _train_shared(tracks: tuple[str, ...], store: Store, run: Run) -> None:
    """Trains the one BVAE in this process, with all its threads."""
    if len(tracks) == 1:
        print(f"the run {run.path} has one BVAE for all tracks, which is trained for {tracks[0]} as well")
    with run.alone(SHARED):
        trained = train_bvae(run, store, tracks[0])
    if not trained:
        print("the shared BVAE is trained already")
    end_stage(run, SHARED, "shared BVAE", trained=trained)


if __name__ == "__main__":
    launch(define_flags, main, *options.USER_ERRORS)
