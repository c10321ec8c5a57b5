"""The thresholds of a trained sandwich: for each track, from which probability on a cell sounds.

A refiner gives less than 0.5 to a note that it is not sure of. These notes go missing at 0.5, and none take their
place. So the threshold is lowered until nearly as many notes sound as there are. It is chosen on what the whole
sandwich makes of validation songs. Finetuning changes what it makes: its thresholds are chosen anew.
"""

import json
import sys

import numpy as np
import tensorflow as tf

from msw2.data.store import Store
from msw2.models.sandwich import PARTS
from msw2.music.note_metrics import note_starts
from msw2.music.tracks import TRACK_NAMES
from msw2.system.files import replacing
from msw2.system.progress import Progress
from msw2.training.runs import Run

THRESHOLDS = np.arange(1, 11) / 20  # 0.05 to 0.5
ENOUGH = 0.97  # notes made / notes there
PHRASES = 512  # of the validation songs
_BATCH = 16  # phrases at a time


def choose_thresholds(run: Run, store: Store, *, finetuned: bool = False) -> bool:
    """Chooses the thresholds of a run and writes them down, once all parts are trained.

    Args:
        run: any run.
        store: that it is trained on.
        finetuned: whether for the weights after finetuning, which must be there.

    Returns:
        False if the run has none to choose: its threshold is 0.5, they are chosen, a part is not trained yet, or
        this process only reads.
    """
    path = run.finetuned_thresholds if finetuned else run.thresholds
    if not run.writes or run.config.refine_threshold == "half" or path.exists():
        return False
    if not (finetuned or run.has(*PARTS)):
        return False
    sandwich = run.load_model(finetuned=finetuned, thresholds=False)
    restore = tf.function(lambda phrases: sandwich(phrases)["pianoroll"], reduce_retracing=True)
    phrases = store.load("validation", PHRASES, evenly=True)
    probability = np.zeros(phrases.shape, np.float16)
    progress = Progress(len(phrases), "phrases", label="choosing thresholds")
    for start in range(0, len(phrases), _BATCH):
        probability[start : start + _BATCH] = restore(phrases[start : start + _BATCH])
        progress.update(min(start + _BATCH, len(phrases)))
    progress.close()
    chosen = dict(zip(TRACK_NAMES, best_thresholds(probability, phrases), strict=True))
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(chosen, indent=2) + "\n", "utf-8")
    said = ", ".join(f"{track} {threshold:.2f}" for track, threshold in chosen.items())
    print(f"a cell sounds from this probability on: {said}", file=sys.stderr, flush=True)
    return True


def best_thresholds(probability: np.ndarray, truth: np.ndarray) -> list[float]:
    """Returns for each track the threshold that gives its notes back best, out of `THRESHOLDS`.

    A threshold is enough if it makes at least `ENOUGH` of the notes there. The best one has the highest F1 of notes of
    those that are enough, or of all where none is. Of equals it is the highest. Without any note there it is 0.5.

    Args:
        probability: float [phrase, bar, step, pitch, track], the five tracks, 0..1, that a cell sounds.
        truth: bool, the same shape, which cells do.
    """
    there = note_starts(truth)
    count = _counted(there)
    found: list[list] = [[] for _ in count]  # track -> (is enough, F1, threshold)
    for threshold in THRESHOLDS:
        starts = note_starts(probability >= threshold)
        made, right = _counted(starts), _counted(starts & there)
        for track, notes in enumerate(count):
            if notes:
                f1 = 2 * right[track] / (made[track] + notes)
                found[track].append((made[track] >= ENOUGH * notes, f1, threshold))
    # Those that are enough come after the others.
    return [float(max(each)[2]) if each else 0.5 for each in found]


def _counted(starts: np.ndarray) -> np.ndarray:
    """Returns how many notes each track has, int64 [track]."""
    return np.count_nonzero(starts, axis=(0, 1, 2))
