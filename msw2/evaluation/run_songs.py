"""The evaluation of songs and verbs: what a composer writes, beside held-out songs."""

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np

from msw2.config import Config
from msw2.data.song_bars import SongBars
from msw2.data.store import Store, StoreError
from msw2.evaluation import gap_scores, gaps, novelty, paths, song_measures
from msw2.evaluation.composing import Watched, seconds_of
from msw2.evaluation.results import Estimate, Key
from msw2.evaluation.stretches import Stretches, chosen
from msw2.music.tracks import TRACK_NAMES
from msw2.system.progress import say

GENERATE, CONTINUE = "generate", "continue"


@dataclasses.dataclass(frozen=True)
class Request:
    """What to evaluate.

    Attributes:
        split: of the held-out songs.
        bars: of a song, a multiple of 8.
        songs: to make from nothing with each seed, and held-out songs to continue with each seed.
        phrases: held-out phrases that have a track hidden, or bars; two a stretch.
        pairs: of held-out phrases to interpolate between.
        draws: how often each is drawn, with seeds of its own.
        held_out: most held-out songs of `bars` bars to measure.
        training_phrases: most training phrases that copying may copy; 0: all.
        resamples: of the bootstrap.
        seed: of all draws and choices.
        temperature: of the drawing.
    """

    split: str
    bars: int
    songs: int
    phrases: int
    pairs: int
    draws: int
    held_out: int
    training_phrases: int
    resamples: int
    seed: int
    temperature: float

    @property
    def resampling(self) -> dict[str, int]:
        """Seed and number of the bootstrap resamples, as keyword arguments."""
        return {"seed": self.seed, "resamples": self.resamples}

    @property
    def stretches(self) -> int:
        """How many stretches of `gaps.BARS` bars hold the phrases."""
        return -(-self.phrases // 2)


@dataclasses.dataclass(frozen=True)
class SongEvaluation:
    """What `evaluate_songs` found.

    Attributes:
        estimates: by row, metric and column; see `song_measures`, `gaps` and `paths`.
        counts: what was measured -> how many songs, stretches or pairs of them.
        seconds: what was asked for -> seconds of one call.
        searched: training phrases that copying could copy, and how many there are.
        request: what was evaluated.
    """

    estimates: dict[Key, Estimate]
    counts: dict[str, int]
    seconds: dict[str, float]
    searched: tuple[int, int]
    request: Request


def evaluate_songs(
    composer, restore: Callable, config: Config, store: Store, request: Request
) -> SongEvaluation:
    """Composes with held-out songs, and measures.

    Args:
        composer: as `inference.songs.Composer`.
        restore: from phrases to their restorations, as `inference.sampling.Sampler.restore`.
        config: of the model.
        store: open for measuring.
        request: what to evaluate.

    Raises:
        StoreError: if the store has too few songs, or its phrases do not suit.
    """
    _check(store, request)
    say(f"reading the songs of {request.split}")
    source = SongBars.of(store, request.split)
    among = novelty.searched(store, config, request.training_phrases)
    training = np.concatenate([*store.packed("train", size=novelty.BATCH, limit=among[1], evenly=among[0])])
    hidden = [gaps.Gap.of_bars(), *map(gaps.Gap.of_track, range(len(TRACK_NAMES)))]
    places = {gap: _places(source, gap, request) for gap in hidden}
    wholes = _enough(chosen(source, request.bars, request.held_out, seed=request.seed), store, request)
    seconds = seconds_of(composer, next(iter(wholes)), temperature=request.temperature)
    pairs = {gap: len(places[gap]) * gap.phrases(store.grid) * len(training) for gap in hidden}
    calls = _calls(request, sum(map(len, places.values())), store.grid.bars)
    watched = Watched(composer, calls, sum(pairs.values()))
    counts, estimates = {"held-out songs": len(wholes)}, _generated(watched, wholes, request)
    for gap, stretches in places.items():
        counts[gap.name] = len(stretches)
        if len(set(stretches.songs)) > 1:  # some stores lack a track
            estimates |= _gap(watched, stretches, gap, training, request)
            watched.compared(pairs[gap])
    estimates |= _continued(watched, source, counts, request)
    estimates |= _between(watched, restore, source, counts, request)
    watched.close()
    return SongEvaluation(estimates, counts, seconds, among, request)


def _generated(composer: Watched, wholes: Stretches, request: Request) -> dict[Key, Estimate]:
    """Measures songs made from nothing beside held-out ones."""
    composer.at(GENERATE)
    grid = wholes.source.grid
    nothing = np.zeros((request.bars, *grid.phrase_shape[1:], len(TRACK_NAMES)), bool)
    given = np.zeros((request.bars, len(TRACK_NAMES)), bool)

    def songs(draw: int) -> Iterator[np.ndarray]:
        for index in range(request.songs):
            seed = request.seed + draw * request.songs + index
            yield composer.complete(nothing, given, seed=seed, temperature=request.temperature)

    made = [song_measures.measured(songs(draw), grid) for draw in range(request.draws)]
    real = song_measures.measured(wholes, grid)
    return song_measures.compared(
        GENERATE, made, real, made_songs=None, real_songs=wholes.songs, **request.resampling
    )


def _gap(
    composer: Watched, stretches: Stretches, gap: gaps.Gap, training: np.ndarray, request: Request
) -> dict[Key, Estimate]:
    """Measures what is written where something is hidden."""
    composer.at(gap.name)
    drawing = {"draws": request.draws, "seed": request.seed, "temperature": request.temperature}
    made = gaps.drawn(composer, stretches, gap, **drawing)
    composer.at(f"{gap.name}, seeking what to copy")
    grid, original = stretches.source.grid, stretches.cells()
    others = gaps.copies(original, gap, training, grid)
    return gap_scores.judged(original, made, others, stretches.songs, gap, grid=grid, **request.resampling)


def _continued(
    composer: Watched, source: SongBars, counts: dict[str, int], request: Request
) -> dict[Key, Estimate]:
    """Measures a quarter of a song's length that is written after another quarter, which is given."""
    composer.at(CONTINUE)
    seam = request.bars // 4
    stretches = chosen(source, request.bars // 2, request.songs, seed=request.seed)
    counts[CONTINUE] = len(stretches)
    given = np.zeros((request.bars // 2, len(TRACK_NAMES)), bool)
    given[:seam] = True

    def songs(draw: int) -> Iterator[np.ndarray]:
        for index, song in enumerate(stretches):
            seed = request.seed + draw * len(stretches) + index
            yield composer.complete(song, given, seed=seed, temperature=request.temperature)

    made = [song_measures.measured(songs(draw), source.grid, seam=seam) for draw in range(request.draws)]
    real = song_measures.measured(stretches, source.grid, seam=seam)
    own = stretches.songs
    return song_measures.compared(CONTINUE, made, real, made_songs=own, real_songs=own, **request.resampling)


def _between(
    composer: Watched, restore: Callable, source: SongBars, counts: dict[str, int], request: Request
) -> dict[Key, Estimate]:
    """Measures paths between phrases of two songs."""
    composer.at(paths.VERB)
    phrases = chosen(source, source.grid.bars, 2 * request.pairs, seed=request.seed, keep=np.any)
    pairs = len(set(phrases.songs)) // 2  # the first ones are of as many songs
    counts[paths.VERB] = pairs
    cells = phrases.cells()[: 2 * pairs].reshape(pairs, 2, *source.grid.phrase_shape, len(TRACK_NAMES))
    restored = restore(cells.reshape(-1, *cells.shape[2:])).reshape(cells.shape)
    draws = [
        [
            paths.measured(
                composer.between(*cells[pair], paths.POINTS, seed=request.seed + draw * pairs + pair),
                restored[pair],
                source.grid,
            )
            for pair in range(pairs)
        ]
        for draw in range(request.draws)
    ]
    return paths.judged(draws, **request.resampling)


def _calls(request: Request, stretches: int, phrase: int) -> list[tuple[int, int]]:
    """Returns how many calls of how many bars the evaluation takes, at most."""
    calls = [
        (request.songs, request.bars),
        (request.songs, request.bars // 2),
        (stretches, gaps.BARS),
        (request.pairs * paths.POINTS, phrase),
    ]
    return [(request.draws * each, bars) for each, bars in calls]


def _places(source: SongBars, gap: gaps.Gap, request: Request) -> Stretches:
    return chosen(source, gaps.BARS, request.stretches, seed=request.seed, keep=gap.fits(source.grid))


def _check(store: Store, request: Request) -> None:
    """Refuses what cannot be measured, before anything is drawn."""
    bars = store.grid.bars
    if bars not in (gaps.BARS // 2, gaps.BARS):
        raise StoreError(
            f"the store {store.path} has phrases of {bars} bars; songs are measured with 4 or 8 bars a phrase"
        )
    if request.bars % (2 * bars):
        raise StoreError(f"songs of {request.bars} bars are not two halves in whole phrases of {bars} bars")
    for split in ("train", request.split):
        if not store.count(split):
            raise StoreError(f"the store {store.path} has no phrases in its split {split}")


def _enough(wholes: Stretches, store: Store, request: Request) -> Stretches:
    songs = len(set(wholes.songs))
    if songs < 2:
        raise StoreError(
            f"{songs} of the songs in the split {request.split} of {store.path} has {request.bars} bars in a row; "
            "two or more are needed: give fewer --bars, or another --split"
        )
    return wholes
