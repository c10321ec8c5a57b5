"""`make eval`: how far what a run makes is from the songs that it has not heard.

Rows: the held-out phrases (dataset), generated without refine (MSG1), generated (MSG2), restored (MSR), and what
half of the held-out songs is to the other half (floor).
"""

import dataclasses
import time

import numpy as np
from absl import flags

from msw2.cli import options
from msw2.cli.launch import OptionError, launch
from msw2.config import Config
from msw2.data.store import SPLITS, Store
from msw2.evaluation import novelty
from msw2.evaluation.report import evaluate, restoration, write_reports
from msw2.evaluation.results import (
    ALL,
    DATASET,
    GENERATED,
    MEAN,
    RESTORED,
    RESTORED_TRAIN,
    UNREFINED,
    Evaluation,
)
from msw2.inference.sampling import Sampler
from msw2.music.tracks import DRUMS, TRACK_NAMES
from msw2.training.device import set_up_device


def define_flags() -> None:
    """Defines the command's flags."""
    options.define_run()
    options.define_store()
    options.define_drawing()
    flags.DEFINE_enum("split", "test", SPLITS, "Split of the held-out songs.")
    flags.DEFINE_integer("phrases", 1000, "Phrases to generate for each of MSG1 and MSG2.", lower_bound=1)
    flags.DEFINE_integer("held_out", 5000, "Most held-out phrases to measure; 0: all.", lower_bound=0)
    flags.DEFINE_integer("train_phrases", 500, "Most training phrases to restore; 0: all.", lower_bound=0)
    flags.DEFINE_integer(
        "novelty_phrases", 50_000, "Most training phrases in which to seek copies; 0: all.", lower_bound=0
    )
    flags.DEFINE_integer("resamples", 1000, "Bootstrap resamples.", lower_bound=1)


def main() -> None:
    """Writes `<run>/eval/table1.md` and `metrics.csv`, and prints the main figures."""
    set_up_device(flags.FLAGS.threads)
    values, run, start = flags.FLAGS, options.open_run(), time.monotonic()
    store = options.open_fitting_store(run)
    heard = _phrases(store, "train", values.train_phrases)
    unheard = _phrases(store, values.split, values.held_out)
    sampler = Sampler.of(run)
    drawing = {"seed": values.seed, "temperature": values.temperature}
    rows = {
        DATASET: unheard,
        UNREFINED: sampler.generate(values.phrases, refined=False, **drawing),
        GENERATED: sampler.generate(values.phrases, **drawing),
        RESTORED: sampler.restore(unheard),
    }
    resampling = {"seed": values.seed, "resamples": values.resamples}
    evaluation = evaluate(
        rows,
        store.grid,
        original=unheard,
        restored=rows[RESTORED],
        songs=store.song_names(values.split, len(unheard)),
        **resampling,
    )
    evaluation.estimates.update(restoration(RESTORED_TRAIN, heard, sampler.restore(heard), **resampling))
    sought = {GENERATED: rows[GENERATED], DATASET: unheard[: values.phrases]}
    evaluation = _with_novelty(evaluation, sought, store, run.config, values.novelty_phrases)
    table, measured = write_reports(
        run.path / "eval", evaluation, split=values.split, preset=run.preset or "none"
    )
    _print(evaluation, values.split)
    print(f"seed {values.seed}, temperature {values.temperature:g}; {time.monotonic() - start:.0f} s")
    print(f"{table} and {measured}")


def _phrases(store: Store, split: str, limit: int) -> np.ndarray:
    """Returns the phrases of a split, at most `limit` of them (0: all)."""
    count = store.count(split)
    if not count:
        raise OptionError(f"the store {store.path} has no phrases in its split {split}")
    if limit and count > limit:
        print(f"the first {limit:,} of {count:,} phrases of {split} are used")
    return store.load(split, limit or None)


def _with_novelty(
    evaluation: Evaluation, sought: dict[str, np.ndarray], store: Store, config: Config, limit: int
) -> Evaluation:
    """Adds the distances of named phrases to at most `limit` phrases (0: all) of those that were trained on."""
    count = min(store.count("train"), -(-config.train_bars // config.bars) or store.count("train"))
    limit = min(limit or count, count)
    if limit < count:
        print(f"copies are sought in {limit:,} of {count:,} training phrases")
    batches = store.packed("train", size=novelty.BATCH, limit=count)
    nearest = novelty.nearest(
        np.concatenate(list(sought.values())), novelty.evenly(batches, count, limit), store.grid
    )
    ends = np.cumsum([len(phrases) for phrases in sought.values()])[:-1]
    for row, distances in zip(sought, np.split(nearest.distance, ends), strict=True):
        evaluation.estimates.update(
            novelty.estimates(row, distances, seed=evaluation.seed, resamples=evaluation.resamples)
        )
    return dataclasses.replace(evaluation, searched=(limit, count))


def _print(evaluation: Evaluation, split: str) -> None:
    """Prints what a glance should see: does it restore, does any track fall silent, how full is it."""
    print(f"{'':26}" + "".join(f"{name:>10}" for name in (*TRACK_NAMES, MEAN)))
    for title, row in ((f"F1 % restored, {split}", RESTORED), ("F1 % restored, train", RESTORED_TRAIN)):
        _print_line(evaluation, title, row, "F1", 100)
    for row in evaluation.phrases:
        _print_line(evaluation, f"cells a bar, {row}", row, "cells", 1)
    kept = evaluation.estimates[RESTORED, "bars_kept", "correct", TRACK_NAMES[DRUMS]].mean
    print(f"restored drums sound in {100 * kept:.1f} % of the bars in which the original has drums")
    found = evaluation.estimates
    for row in (GENERATED, DATASET):
        median, near = (
            100 * found[row, name, "correct", ALL].mean for name in ("nearest_median", "near_copies")
        )
        print(
            f"{row}: {median:.1f} % from the nearest training phrase (median), {near:.1f} % are near copies"
        )


def _print_line(evaluation: Evaluation, title: str, row: str, metric: str, scale: float) -> None:
    found = [evaluation.estimates.get((row, metric, "correct", column)) for column in (*TRACK_NAMES, MEAN)]
    print(f"{title:26}" + "".join("" if each is None else f"{scale * each.mean:10.1f}" for each in found))


if __name__ == "__main__":
    launch(define_flags, main, *options.USER_ERRORS)
