"""Asking a server for music; needs neither TensorFlow nor Keras.

Phrases travel as PNG images, some 500 bytes each; as rows of JSON they have 600,000.
"""

from collections.abc import Callable, Iterator

import numpy as np

from msw2.inference.windows import complete_in_windows, shares, to_nobody, vary_in_windows
from msw2.music.grid import Grid
from msw2.music.tracks import TRACK_NAMES
from msw2.serving.contract import (
    AMOUNT,
    AS_PNG,
    FIRST,
    GIVEN,
    LATENT,
    PNG,
    SECOND,
    SEED,
    SHARE,
    TEMPERATURE,
    WHERE,
    phrase_of_png,
    png_of_phrase,
)
from msw2.serving.transport import RequestError, ask
from msw2.system.progress import Progress

TIMEOUT = 60.0  # seconds
PHRASES = 16  # a request: half a second's work for a core, so that other clients get their turn


def generate(
    url: str, grid: Grid, *, seeds: list[int], temperature: float = 1.0, timeout: float = TIMEOUT
) -> np.ndarray:
    """Asks for one phrase a seed.

    Args:
        url: such as http://localhost:8501/v1/models/msw2:predict, or grpc://localhost:8500.
        grid: what a phrase should look like.
        seeds: of the phrases.
        temperature: see `Prior.sample`.
        timeout: seconds to wait for each answer.

    Returns:
        bool [phrase, bar, step, pitch, track].

    Raises:
        RequestError: if the server cannot be reached or answers otherwise.
    """
    inputs = {SEED: np.array(seeds, np.int64), TEMPERATURE: np.full(len(seeds), temperature, np.float32)}
    return _phrases(url, grid, "generate", inputs, timeout)


def restore(url: str, grid: Grid, phrases: np.ndarray, *, timeout: float = TIMEOUT) -> np.ndarray:
    """Takes phrases through the whole sandwich; bool [phrase, bar, step, pitch, track]. As `generate` otherwise."""
    return _phrases(url, grid, "restore", _as_png(phrases), timeout)


def encode(url: str, phrases: np.ndarray, *, timeout: float = TIMEOUT) -> np.ndarray:
    """Returns the latents of phrases, float32 [phrase, unit, latent]. As `restore` otherwise."""
    answers = list(_answers(url, "encode", _as_png(phrases), LATENT, timeout))
    if any(np.ndim(latents) != 3 for latents in answers):
        raise RequestError(f"{url} answers with latents that are not [phrase, unit, latent]")
    return np.concatenate(answers)


def decode(url: str, grid: Grid, latents: np.ndarray, *, timeout: float = TIMEOUT) -> np.ndarray:
    """Returns the phrases of latents, float32 [phrase, unit, latent]. As `generate` otherwise."""
    return _phrases(url, grid, "decode", {LATENT: np.asarray(latents, np.float32)}, timeout)


class ServedComposer:
    """A server in the place of `inference.songs.Composer`: with the same seeds it draws the same songs.

    Its model has to have a prior that has learnt songs. Long songs are drawn in windows, one request each.

    Args:
        url: as for `generate`.
        grid: what a phrase should look like.
        timeout: seconds to wait for each answer.
    """

    def __init__(self, url: str, grid: Grid, *, timeout: float = TIMEOUT):
        self.grid = grid
        self._url, self._timeout = url, timeout

    def complete(
        self,
        song: np.ndarray,
        given: np.ndarray,
        *,
        seed: int,
        temperature: float = 1.0,
        told: Callable[[int], None] = to_nobody,
    ) -> np.ndarray:
        """Draws the bars and tracks of a song that are not given.

        Args:
            song: bool [bar, step, pitch, track]; what is not given is not looked at.
            given: bool [bar, track].
            seed: the same one draws the same.
            temperature: 1 as learnt; less is likelier, and more alike.
            told: is called with the bars that are done, after each answer.

        Returns:
            bool, the shape of `song`; its own cells where it is given.

        Raises:
            RequestError: if the server cannot be reached or answers otherwise.
        """

        def draw(cells, known, where, seed):
            inputs = _as_png(cells[None]) | {GIVEN: known[None], WHERE: np.int32([where])}
            drawn = {SEED: np.int64([seed]), TEMPERATURE: np.float32([temperature])}
            return self._songs("complete", inputs | drawn, len(cells))[0]

        return complete_in_windows(draw, song, given, phrase=self.grid.bars, seed=seed, told=told)

    def vary(
        self, song: np.ndarray, amount: float, *, seed: int, told: Callable[[int], None] = to_nobody
    ) -> np.ndarray:
        """Draws a song that is like a given one, bool [bar, step, pitch, track].

        `amount` is 0 for hardly another song, 1 for nothing in common. As `complete` otherwise.
        """

        def draw(cells, where, seed):
            inputs = _as_png(cells[None]) | {AMOUNT: np.float32([amount]), WHERE: np.int32([where])}
            return self._songs("vary", inputs | {SEED: np.int64([seed])}, len(cells))[0]

        return vary_in_windows(draw, song, phrase=self.grid.bars, seed=seed, told=told)

    def between(self, first: np.ndarray, second: np.ndarray, points: int, *, seed: int) -> np.ndarray:
        """Draws a path from one phrase to another, its ends among it: bool [point, bar, step, pitch, track]."""
        ends = {
            end.format(PNG): np.array([png_of_phrase(phrase)] * points, bytes)
            for end, phrase in ((FIRST, first), (SECOND, second))
        }
        inputs = ends | {SHARE: shares(points), SEED: np.full(points, seed, np.int64)}
        return _phrases(self._url, self.grid, "interpolate", inputs, self._timeout)

    def _songs(self, verb: str, inputs: dict[str, np.ndarray], bars: int) -> np.ndarray:
        """Returns what one request makes, bool [song, bar, step, pitch, track]."""
        found = ask(self._url, verb + AS_PNG, inputs, PNG, self._timeout)
        return _drawn(self._url, found, self.grid, bars)


def _as_png(phrases: np.ndarray) -> dict[str, np.ndarray]:
    return {PNG: np.array([png_of_phrase(phrase) for phrase in phrases], bytes)}


def _phrases(url: str, grid: Grid, verb: str, inputs: dict[str, np.ndarray], timeout: float) -> np.ndarray:
    found = [png for answer in _answers(url, verb, inputs, PNG, timeout) for png in answer]
    return _drawn(url, found, grid, None)


def _drawn(url: str, found: list[bytes], grid: Grid, bars: int | None) -> np.ndarray:
    """Returns what is in PNG images, of phrases, or of songs of some bars."""
    try:
        drawn = [phrase_of_png(png, grid, bars) for png in found]
    except ValueError as error:
        raise RequestError(f"{url} answers with other phrases than expected: {error}") from error
    return np.array(drawn, bool).reshape(-1, bars or grid.bars, *grid.phrase_shape[1:], len(TRACK_NAMES))


def _answers(
    url: str, verb: str, inputs: dict[str, np.ndarray], output: str, timeout: float
) -> Iterator[list[bytes] | np.ndarray]:
    """Yields the answers to requests of some phrases each. Shows how far it is."""
    rows = len(next(iter(inputs.values())))
    progress = Progress(rows, "phrases", label=verb)
    for start in range(0, rows, PHRASES):
        given = {name: array[start : start + PHRASES] for name, array in inputs.items()}
        yield ask(url, verb + AS_PNG, given, output, timeout)
        progress.update(min(start + PHRASES, rows))
    progress.close()
