"""`make stage1`: trains the BVAE of one track, or of all five, side by side; or the one that they share."""

from msw2.cli import options, side_by_side
from msw2.cli.clusters import chosen_cluster, define_cluster
from msw2.cli.endings import end_stage
from msw2.cli.launch import launch
from msw2.models.sandwich import stage1_parts
from msw2.music.tracks import TRACK_NAMES
from msw2.system.cluster import ClusterError
from msw2.training.stage1 import SHARED, train_bvae


def define_flags() -> None:
    """Defines the command's flags."""
    options.define_training()
    options.define_track()
    define_cluster()


def main() -> None:
    """Trains what is not trained yet, and draws the loss."""
    with side_by_side.open_training() as opened:
        config = opened.run.config
        if config.shared:
            _train_shared(opened)
        else:
            side_by_side.train_chosen(
                opened,
                "stage1",
                train_bvae,
                kind="bvae",
                name="BVAE",
                parts=stage1_parts,
                epochs=config.bvae_epochs,
            )


def _train_shared(opened: side_by_side.Opened) -> None:
    """Trains the one BVAE in this process, with all its threads; or as one task of a cluster."""
    tracks, store, run, job = opened
    if len(tracks) == 1:
        print(f"the run {run.path} has one BVAE for all tracks, which is trained for {tracks[0]} as well")
    with chosen_cluster() as cluster:
        if cluster and not run.has_bvaes(TRACK_NAMES):
            side_by_side.train("stage1", [tracks[0]], cluster)
            return
    with run.alone(SHARED):
        trained = train_bvae(run, store, tracks[0], job)
    if not trained:
        print("the shared BVAE is trained already")
    end_stage(run, SHARED, "shared BVAE", trained=trained)


if __name__ == "__main__":
    launch(define_flags, main, ClusterError, *options.USER_ERRORS)
