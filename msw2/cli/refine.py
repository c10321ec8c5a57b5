"""`make refine`: trains the refiner of one track, or of all five, side by side."""

from msw2.cli import options, side_by_side
from msw2.cli.launch import launch
from msw2.evaluation.figures import draw_curves, read_history
from msw2.training.stages import check_fit, train_refiner


def define_flags() -> None:
    """Defines the command's flags."""
    options.define_run()
    options.define_store()
    options.define_config()
    options.define_track()


def main() -> None:
    """Trains what is not trained yet, and draws the loss."""
    options.set_up_device()
    # The run last: what is refused makes none.
    tracks, store, run = options.chosen_tracks(), options.open_store(), options.training_run()
    check_fit(run, store)
    if len(tracks) > 1:
        side_by_side.train("refine", [track for track in tracks if not run.has(f"{track}_refiner")])
    elif train_refiner(run, store, tracks[0]):
        stage = f"{tracks[0]}_refiner"
        draw_curves(run.figure(stage), {f"refiner of {tracks[0]}": read_history(run.history(stage))})
    else:
        print(f"{tracks[0]}: the refiner is trained already")


if __name__ == "__main__":
    launch(define_flags, main, *options.USER_ERRORS)
