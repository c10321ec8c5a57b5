"""What follows a training."""

from msw2.evaluation.figures import draw_curves, read_history
from msw2.training.runs import Run


def end_stage(run: Run, stage: str, title: str, *, trained: bool) -> None:
    """Removes the state of a stage whose weights are there, and draws its loss.

    A kill may come between the weights and these. Then the next call does what is left. A process that only reads
    does nothing.

    Args:
        run: of the stage.
        stage: its name.
        title: of the picture.
        trained: whether it was trained just now: an earlier picture is another one.
    """
    if not run.writes:
        return
    run.checkpoint(stage).unlink(missing_ok=True)
    if run.history(stage).exists() and (trained or not run.figure(stage).exists()):  # else nothing was learnt
        draw_curves(run.figure(stage), {title: read_history(run.history(stage))})
