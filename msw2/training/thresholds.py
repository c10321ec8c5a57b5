"""The thresholds of a trained sandwich: for each track, from which probability on a cell sounds.

A refiner gives less than 0.5 to a note that it is not sure of. At that threshold these notes go missing, and none take
their place. So the threshold is lowered until nearly as many notes sound as there are. It is chosen on what the whole
sandwich makes of validation songs.
"""

import sys

import numpy as np
import tensorflow as tf

from msw2.data.store import Store
from msw2.models.sandwich import PARTS
from msw2.music.metrics import as_time, onsets_of
from msw2.music.tracks import DRUMS, TRACK_NAMES
from msw2.system.progress import Progress
from msw2.training.runs import Run

THRESHOLDS = np.arange(1, 11) / 20  # 0.05 to 0.5
ENOUGH = 0.97  # notes made / notes there
PHRASES = 512  # of the validation songs
_BATCH = 16  # phrases at a time


def choose_thresholds(run: Run, store: Store) -> bool:
    """Chooses the thresholds of a run of which all parts are trained, and writes them down.

    Args:
        run: any run.
        store: that it is trained on.

    Returns:
        False if the run has none to choose: its threshold is 0.5, they are chosen, or a part is not trained yet.
    """
    if run.config.refine_threshold == "half" or run.thresholds.exists():
        return False
    if not run.has(*PARTS) or not run.prior.exists():
        return False
    sandwich, _ = run.load_sandwich(thresholds=False)
    restore = tf.function(lambda phrases: sandwich(phrases)["pianoroll"], reduce_retracing=True)
    phrases = store.load("validation", PHRASES, evenly=True)
    probability = np.zeros(phrases.shape, np.float16)
    progress = Progress(len(phrases), "phrases", label="choosing thresholds")
    for start in range(0, len(phrases), _BATCH):
        probability[start : start + _BATCH] = restore(phrases[start : start + _BATCH])
        progress.update(min(start + _BATCH, len(phrases)))
    progress.close()
    chosen = {
        track: best_threshold(probability[..., index], phrases[..., index], drums=index == DRUMS)
        for index, track in enumerate(TRACK_NAMES)
    }
    run.save_thresholds(chosen)
    said = ", ".join(f"{track} {threshold:.2f}" for track, threshold in chosen.items())
    print(f"a cell sounds from this probability on: {said}", file=sys.stderr, flush=True)
    return True


def best_threshold(probability: np.ndarray, truth: np.ndarray, *, drums: bool) -> float:
    """Returns the threshold that gives the notes of a track back best, out of `THRESHOLDS`.

    It is the one with the highest F1 of notes, out of those that make at least `ENOUGH` of the notes there; if none
    does, out of all. Of equals it is the highest. Without any note there it is 0.5.

    Args:
        probability: float [phrase, bar, step, pitch], 0..1, that a cell sounds.
        truth: bool, the same shape, which cells do.
        drums: whether each cell is a note.
    """
    there = _starts(truth, drums)
    count = np.count_nonzero(there)
    if not count:
        return 0.5
    found, enough = [], []
    for threshold in THRESHOLDS:
        starts = _starts(probability >= threshold, drums)
        made = np.count_nonzero(starts)
        found.append((2 * np.count_nonzero(starts & there) / (made + count), threshold))
        if made >= ENOUGH * count:
            enough.append(found[-1])
    return float(max(enough or found)[1])


def _starts(cells: np.ndarray, drums: bool) -> np.ndarray:
    """Returns where notes start, bool [phrase, step of the phrase, pitch]."""
    time = as_time(cells)
    return time if drums else onsets_of(time)
