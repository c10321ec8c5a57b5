"""`make figures`: the loss curves of a run, and a song before and after the model."""

from absl import flags

from msw2.cli import options
from msw2.cli.launch import OptionError, launch
from msw2.data.store import SPLITS
from msw2.evaluation.figures import draw_curves, draw_pianorolls, read_history
from msw2.evaluation.sampling import Sampler
from msw2.music.pianoroll import join_phrases
from msw2.training.runs import Run


def define_flags() -> None:
    """Defines the command's flags."""
    options.define_run()
    options.define_store()
    flags.DEFINE_enum("split", "test", SPLITS, "Split of the store to take the pianoroll from.")
    flags.DEFINE_integer("phrase", 0, "Which phrase of the split to draw.", lower_bound=0)


def main() -> None:
    """Writes `<run>/figures/losses.png` and `restored.png`."""
    options.set_up_device()
    run = options.open_run()
    drawn = [*_losses(run), _restored(run)]
    print(f"figures: {', '.join(map(str, drawn))}")


def _losses(run: Run) -> list:
    """Draws the loss of every stage that has a history, a panel each (Figures 4 to 6 of the paper)."""
    histories = {path.stem: read_history(path) for path in sorted(run.history("x").parent.glob("*.csv"))}
    if not histories:
        return []
    path = run.path / "figures" / "losses.png"
    draw_curves(path, histories)
    return [path]


def _restored(run: Run):
    """Draws a phrase as it was, restored without refine, and restored (Figure 7 of the paper)."""
    values, store = flags.FLAGS, options.open_fitting_store(run)
    if values.phrase >= store.count(values.split):
        raise OptionError(
            f"phrase {values.phrase} is not below {store.count(values.split)}, "
            f"the phrases of the split {values.split} of {store.path}"
        )
    phrase = store.load(values.split, values.phrase + 1)[values.phrase :]
    sampler = Sampler(*run.load_sandwich())
    pictures = {
        "original": phrase,
        "restored without refine": sampler.restore(phrase, refined=False),
        "restored": sampler.restore(phrase),
    }
    path = run.path / "figures" / "restored.png"
    draw_pianorolls(path, {title: join_phrases(phrases) for title, phrases in pictures.items()}, store.grid)
    return path


if __name__ == "__main__":
    launch(define_flags, main, *options.USER_ERRORS)
