"""The evaluation of a trained run: its music beside the songs of a store."""

import dataclasses

import numpy as np

from msw2.config import Config
from msw2.data.store import Store
from msw2.evaluation import novelty
from msw2.evaluation.eval_report import evaluate, restoration
from msw2.evaluation.results import (
    DATASET,
    GENERATED,
    RESTORED,
    RESTORED_TRAIN,
    UNREFINED,
    Evaluation,
)
from msw2.inference.sampling import Sampler
from msw2.system.progress import say


@dataclasses.dataclass(frozen=True)
class Request:
    """What to evaluate.

    Attributes:
        split: of the held-out songs.
        phrases: to generate for each of MSG1 and MSG2.
        held_out: most held-out phrases to measure, spread over all songs; 0: all.
        train_phrases: most training phrases to restore, spread over all songs; 0: all.
        novelty_phrases: most training phrases that may be copied; 0: all.
        resamples: of the bootstrap.
        seed: of the first generated phrase, and of the bootstrap.
        temperature: of generation.
    """

    split: str
    phrases: int
    held_out: int
    train_phrases: int
    novelty_phrases: int
    resamples: int
    seed: int
    temperature: float


def evaluate_run(sampler: Sampler, config: Config, store: Store, request: Request) -> Evaluation:
    """Generates, restores, and measures both.

    Args:
        sampler: of the run.
        config: of the run.
        store: with the songs; it has phrases to train on and phrases of the request's split.
        request: what to evaluate.
    """
    heard, heard_songs = _phrases(store, "train", request.train_phrases)
    unheard, songs = _phrases(store, request.split, request.held_out)
    drawing = {"seed": request.seed, "temperature": request.temperature}
    rows = {
        DATASET: unheard,
        UNREFINED: sampler.generate(request.phrases, refined=False, **drawing),
        GENERATED: sampler.generate(request.phrases, **drawing),
        RESTORED: sampler.restore(unheard),
    }
    say("measuring")
    resampling = {"seed": request.seed, "resamples": request.resamples}
    evaluation = evaluate(
        rows, store.grid, original=unheard, restored=rows[RESTORED], songs=songs, **resampling
    )
    restored = sampler.restore(heard)
    evaluation.estimates.update(restoration(RESTORED_TRAIN, heard, restored, heard_songs, **resampling))
    say("seeking copies of training phrases")
    count = min(request.phrases, len(unheard))
    some = np.arange(count) * len(unheard) // count  # spread over all songs, too
    sought = {GENERATED: rows[GENERATED], DATASET: unheard[some]}
    among = novelty.searched(store, config, request.novelty_phrases)
    return novelty.with_novelty(evaluation, sought, store, among, songs={DATASET: songs[some]})


def _phrases(store: Store, split: str, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns at most `limit` phrases of a split (0: all), spread over all songs, and the song of each."""
    phrases = store.load(split, limit or None, evenly=True)
    return phrases, store.song_names(split, len(phrases), evenly=True)
