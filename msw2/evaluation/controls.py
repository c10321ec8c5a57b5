"""Sets that are no music, made of real phrases: how far they come out tells what a distance can tell."""

import numpy as np

from msw2.music.grid import BEATS_PER_BAR, Grid
from msw2.music.notes import draw, runs
from msw2.music.tracks import TRACKS

NOISE, ONE_SONG, SHUFFLED = "noise", "one real song, repeated", "real notes in random order"


def controls(phrases: np.ndarray, songs: np.ndarray, grid: Grid, *, seed: int) -> dict[str, np.ndarray]:
    """Returns three sets, each of as many phrases as there are real ones.

    * `NOISE`: cells at random, as many in each track as in the real phrases.
    * `ONE_SONG`: the phrases of the song that has most of them, again and again.
    * `SHUFFLED`: see `shuffled`.

    Args:
        phrases: real ones, bool [phrase, bar, step, pitch, track].
        songs: int [phrase], the song of each.
        grid: their grid.
        seed: of all draws.
    """
    rng = np.random.default_rng(seed)
    density = phrases.mean(axis=(0, 1, 2, 3)).astype(np.float32)
    names, counts = np.unique(songs, return_counts=True)
    one = phrases[songs == names[counts.argmax()]]
    return {
        NOISE: rng.random(phrases.shape, np.float32) < density,
        ONE_SONG: one[np.arange(len(phrases)) % len(one)],
        SHUFFLED: shuffled(phrases, grid, rng),
    }


def shuffled(phrases: np.ndarray, grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """Returns phrases whose notes are in random order, bool of the same shape.

    Each phrase, track and bar keeps its number of notes. The pitches, the lengths and the steps within the beat are
    permuted among the notes of a phrase and track, each by itself. The beats are random. So histograms stay the same,
    except where notes come to overlap.

    Args:
        phrases: bool [phrase, bar, step, pitch, track].
        grid: their grid.
        rng: draws the order.
    """
    size = grid.bars * grid.steps
    made = np.zeros((len(phrases), size, grid.pitches, len(TRACKS)), bool)
    for phrase, cells in enumerate(phrases.reshape(made.shape)):
        for index, track in enumerate(TRACKS):
            pitches, starts, ends = runs(cells[..., index], track.is_drum)
            lengths, within = rng.permutation(ends - starts), rng.permutation(starts % grid.beat_resolution)
            beats = rng.integers(BEATS_PER_BAR, size=len(starts)) * grid.beat_resolution
            begin = starts // grid.steps * grid.steps + beats + within
            end = np.minimum(begin + lengths, size)
            draw(made[phrase, :, :, index], rng.permutation(pitches), begin, end)
    return made.reshape(phrases.shape)
