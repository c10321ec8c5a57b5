"""`make refine`: trains the refiner of one track, or of all five, side by side."""

from msw2.cli import options, side_by_side
from msw2.cli.clusters import define_cluster
from msw2.cli.launch import launch
from msw2.system.cluster import ClusterError
from msw2.training.refining import train_refiner
from msw2.training.thresholds import choose_thresholds


def define_flags() -> None:
    """Defines the command's flags."""
    options.define_training()
    options.define_track()
    define_cluster()


def main() -> None:
    """Trains what is not trained yet, and draws the loss."""
    with side_by_side.open_training() as opened:
        config = opened.run.config
        side_by_side.train_chosen(
            opened,
            "refine",
            train_refiner,
            kind="refiner",
            name="refiner",
            parts=lambda track: [f"{track}_refiner"],
            epochs=0 if config.refine == "none" else config.refine_epochs,
        )
        # Unless the last training has, and was not killed before.
        choose_thresholds(opened.run, opened.store)


if __name__ == "__main__":
    launch(define_flags, main, ClusterError, *options.USER_ERRORS)
