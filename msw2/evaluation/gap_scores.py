"""Scores of what was written in the gaps of held-out songs; see `gaps`.

The figure is F1 of notes. Three others tell what it is worth:

* another song's context: what was written for another song is held to this song's original. It is no better than
  music of the right kind at random.
* nearest phrase: what the nearest training phrase has there.
* four bars before: the song's own bars, a phrase earlier; for `infill` alone.
"""

from collections.abc import Callable

import numpy as np

from msw2.evaluation.bootstrap import resample
from msw2.evaluation.gaps import ACCOMPANY, BASS, Gap
from msw2.evaluation.results import Estimate, Key
from msw2.evaluation.song_measures import alone, difference, keyed, pooled
from msw2.evaluation.stretches import elsewhere
from msw2.music import coherence, tonality
from msw2.music.grid import Grid
from msw2.music.metrics import Ratio
from msw2.music.note_metrics import note_f1, note_scores
from msw2.music.tracks import DRUMS, TRACK_NAMES

F1, MADE, TONAL, TOGETHER = "F1_notes", "notes_made", "tonal_distance", "onsets_together"
OTHER_CONTEXT = "another song's context"


def judged(
    original: np.ndarray,
    made: np.ndarray,
    others: dict[str, np.ndarray],
    songs: np.ndarray,
    gap: Gap,
    *,
    grid: Grid,
    seed: int,
    resamples: int,
) -> dict[Key, Estimate]:
    """Compares what was written with what was there. Intervals are over songs, those of differences in pairs.

    Args:
        original: bool [stretch, bar, step, pitch, track].
        made: what `gaps.drawn` returns.
        others: what `gaps.copies` returns.
        songs: int [stretch], at least two songs.
        gap: what was hidden.
        grid: of all.
        seed: of the resampling.
        resamples: number of bootstrap resamples.
    """
    truth = original[:, gap.bars]
    scores = [note_scores(truth, draw[:, gap.bars]) for draw in made]
    ours = [gap.hidden(score[F1]) for score in scores]
    elsewhere_made = [
        gap.hidden(note_f1(truth, draw[elsewhere(songs, step), gap.bars]))
        for step, draw in enumerate(made, 1)
    ]
    ratios = {
        gap.verb: pooled(ours),
        OTHER_CONTEXT: pooled(elsewhere_made),
        **{name: gap.hidden(note_f1(truth, other[:, gap.bars])) for name, other in others.items()},
        MADE: pooled([gap.hidden(score[MADE]) for score in scores]),
    }
    samples = resample(ratios, seed, resamples, songs)
    found = keyed(gap.verb, F1, gap.columns, samples[gap.verb])
    found |= keyed(gap.verb, MADE, gap.columns, samples[MADE])
    for index, own in enumerate(ours):
        found |= keyed(f"{gap.verb}, seed {index}", F1, gap.columns, alone(own))
    for name in (OTHER_CONTEXT, *others):
        found |= keyed(f"{gap.verb}, {name}", F1, gap.columns, samples[name])
        found |= keyed(f"{gap.verb} - {name}", F1, gap.columns, difference(samples[gap.verb], samples[name]))
    if gap.verb == ACCOMPANY:
        found |= _in_context(original, made, songs, gap, grid=grid, seed=seed, resamples=resamples)
    return found


def _in_context(
    original: np.ndarray,
    made: np.ndarray,
    songs: np.ndarray,
    gap: Gap,
    *,
    grid: Grid,
    seed: int,
    resamples: int,
) -> dict[Key, Estimate]:
    """Holds a written track to its context, as the original track is: harmony, and bass with drums."""
    (track,) = gap.tracks
    found: dict[Key, Estimate] = {}
    measures: dict[str, Callable[[np.ndarray], Ratio]] = {}
    if track != DRUMS:
        measures[TONAL] = lambda rolls: _to_context(rolls, track, grid)
    if track in (DRUMS, BASS):
        measures[TOGETHER] = lambda rolls: coherence.onsets_together(rolls, BASS, DRUMS)
    for name, measure in measures.items():
        ratios = {"real": measure(original), "made": pooled([measure(draw) for draw in made])}
        samples = resample(ratios, seed, resamples, songs)
        found |= keyed(gap.verb, name, gap.columns, samples["made"])
        found |= keyed(f"{gap.verb}, real", name, gap.columns, samples["real"])
        found |= keyed(f"{gap.verb} - real", name, gap.columns, difference(samples["made"], samples["real"]))
    return found


def _to_context(rolls: np.ndarray, track: int, grid: Grid) -> Ratio:
    """Returns the tonal distance of a track to all other pitched tracks together, one column."""
    rest = [each for each in range(len(TRACK_NAMES)) if each not in (DRUMS, track)]
    pair = np.stack([rolls[..., track], rolls[..., rest].any(axis=-1)], axis=-1)
    return tonality.tonal_distance(pair, grid, ((0, 1),))
