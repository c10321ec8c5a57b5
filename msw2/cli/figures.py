"""`make figures`: Figures 4 to 9 of the paper, made anew from a run's own histories and music.

A stage that had nothing to learn has no history, and so no figure.
"""

import numpy as np
from absl import flags

from msw2.cli import options
from msw2.cli.launch import OptionError, launch
from msw2.data.store import OPEN_SPLITS, Store
from msw2.evaluation import paper_figures
from msw2.inference.sampling import Sampler
from msw2.inference.trained import Trained
from msw2.system.progress import say
from msw2.training.device import set_up_device
from msw2.training.runs import Run


def define_flags() -> None:
    """Defines the command's flags."""
    options.define_trained()
    options.define_store()
    flags.DEFINE_enum("split", "validation", OPEN_SPLITS, "Split of the store to take the phrase from.")
    flags.DEFINE_integer(
        "phrase",
        None,
        "Which phrase of the split to draw; without it, the first with the most sounding bars of tracks.",
        lower_bound=0,
    )
    flags.DEFINE_string(
        "shared_run", None, "A run with one BVAE for all tracks, to set beside it in Figure 9."
    )


def main() -> None:
    """Writes `<run>/figures/figure4_refine_in_notes.png` and so on, and prints what is drawn."""
    set_up_device(flags.FLAGS.threads)
    run = options.open_run()
    shared, store = _shared_run(run), options.open_fitting_store(run)
    number, phrase = _phrase(store)
    drawn = [*paper_figures.curves(run)] if isinstance(run, Run) else []  # a .keras file has no histories
    say(f"{run.path}: drawing")
    sampler = Sampler.of(run)
    if graph := paper_figures.architecture(run, sampler.sandwich):
        drawn.insert(0, graph)
    else:
        print("Figure 1 is not drawn: graphviz's `dot` is not installed")
    title = f"original (phrase {number} of {flags.FLAGS.split})"
    drawn.append(paper_figures.refined(run, sampler, phrase, title))
    if shared:
        drawn.append(paper_figures.side_by_side(run, sampler, Sampler.of(shared), phrase))
    print(f"figures: {', '.join(map(str, drawn))}")


def _shared_run(run: Trained) -> Run | None:
    """Returns the run that `--shared_run` names, if any.

    Raises:
        OptionError: if its BVAE is not shared, that of `run` is, or their grids differ.
    """
    path = flags.FLAGS.shared_run
    if path is None:
        return None
    shared = Run.open(path)
    if not shared.config.shared:
        raise OptionError(
            f"the run {shared.path} has a BVAE for each track: --shared_run is for one with --shared"
        )
    if run.config.shared:
        raise OptionError(
            f"the run {run.path} has one BVAE for all tracks itself: give --run one without --shared"
        )
    if shared.config.grid != run.config.grid:
        raise OptionError(
            f"the run {shared.path} has {shared.config.grid}, the run {run.path} {run.config.grid}"
        )
    return shared


def _phrase(store: Store) -> tuple[int, np.ndarray]:
    """Returns the number within `--split` of the phrase to draw, and it, bool [1, bar, step, pitch, track]."""
    split, number = flags.FLAGS.split, flags.FLAGS.phrase
    if not store.count(split):
        raise OptionError(f"the store {store.path} has no phrases in its split {split}: give another --split")
    if number is None:
        return paper_figures.fullest(store, split)
    if number >= store.count(split):
        raise OptionError(
            f"phrase {number} is not below {store.count(split)}, "
            f"the phrases of the split {split} of {store.path}"
        )
    return number, store.load(split, number + 1)[number:]


if __name__ == "__main__":
    launch(define_flags, main, *options.USER_ERRORS)
