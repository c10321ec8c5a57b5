"""`make eval`: compares the music of a run with held-out songs.

The rows are the held-out phrases (dataset), phrases generated without refine (MSG1), generated phrases (MSG2) and
restored phrases (MSR). The row floor compares one half of the held-out songs with the other half. Phrases of songs are
spread over all songs of their split, and intervals are over songs.
"""

import dataclasses
import time

from absl import flags

from msw2.cli import options
from msw2.cli.launch import OptionError, launch
from msw2.data.store import SPLITS, Store
from msw2.evaluation import glance, novelty
from msw2.evaluation.eval_report import write_reports
from msw2.evaluation.run_evaluation import Request, evaluate_run
from msw2.inference.sampling import Sampler
from msw2.system.progress import say
from msw2.training.device import set_up_device


def define_flags() -> None:
    """Defines the command's flags."""
    options.define_trained()
    options.define_store()
    options.define_drawing()
    flags.DEFINE_enum("split", "test", SPLITS, "Split of the held-out songs.")
    flags.DEFINE_integer("phrases", 1000, "Phrases to generate for each of MSG1 and MSG2.", lower_bound=1)
    flags.DEFINE_integer("held_out", 5000, "Most held-out phrases, over all songs; 0: all.", lower_bound=0)
    flags.DEFINE_integer(
        "train_phrases",
        500,
        "Most training phrases, likewise; 0: all.",
        lower_bound=0,
    )
    flags.DEFINE_integer(
        "novelty_phrases", 50_000, "Most training phrases in which to seek copies; 0: all.", lower_bound=0
    )
    flags.DEFINE_integer("resamples", 1000, "Bootstrap resamples.", lower_bound=1)


def main() -> None:
    """Writes `<run>/eval/table1.md` and `metrics.csv`, and prints the main figures."""
    set_up_device(flags.FLAGS.threads)
    values, run, start = flags.FLAGS, options.open_run(), time.monotonic()
    store = options.open_fitting_store(run, measuring=True)
    _check(store, "train", values.train_phrases)
    _check(store, values.split, values.held_out)
    asked = {each.name for each in dataclasses.fields(Request)} & set(values)
    request = Request(**{name: values[name].value for name in asked})
    searched, trained = novelty.searched(store, run.config, request.novelty_phrases)
    if searched < trained:
        print(f"copies are sought in {searched:,} of {trained:,} training phrases")
    with options.writing(run.path / "eval"):
        say(f"{run.path}: generating, restoring and measuring")
        evaluation = evaluate_run(Sampler.of(run), run.config, store, request)
        table, measured = write_reports(
            run.path / "eval", evaluation, split=values.split, preset=run.preset or "none"
        )
    print(*glance.lines(evaluation.estimates, values.split), sep="\n")
    print(f"seed {values.seed}, temperature {values.temperature:g}; {time.monotonic() - start:.0f} s")
    print(f"{table} and {measured}")


def _check(store: Store, split: str, limit: int) -> None:
    """Refuses a split without phrases, and prints what `limit` (0: none) leaves of it."""
    count = store.count(split)
    if not count:
        raise OptionError(f"the store {store.path} has no phrases in its split {split}")
    if limit and count > limit:
        songs = store.summary()["splits"][split]["songs"]
        print(f"{split}: {limit:,} of {count:,} phrases, spread evenly over the {songs:,} songs")


if __name__ == "__main__":
    launch(define_flags, main, *options.USER_ERRORS)
