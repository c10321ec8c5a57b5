"""`make refine`: trains the refiner of one track, or of all five, side by side."""

from msw2.cli import jobs, options, side_by_side
from msw2.cli.launch import launch
from msw2.training.refining import train_refiner


def define_flags() -> None:
    """Defines the command's flags."""
    options.define_training()
    options.define_track()


def main() -> None:
    """Trains what is not trained yet, and draws the loss."""
    with jobs.training() as job:
        opened = _, _, run = side_by_side.open_training(job)
        side_by_side.train_chosen(
            opened,
            job,
            "refine",
            train_refiner,
            kind="refiner",
            name="refiner",
            parts=lambda track: [f"{track}_refiner"],
            epochs=0 if run.config.refine == "none" else run.config.refine_epochs,
        )


if __name__ == "__main__":
    launch(define_flags, main, *options.USER_ERRORS)
