"""Asking a server for music; needs neither TensorFlow nor Keras.

Phrases travel as PNG images, some 500 bytes each; as rows of JSON they have 600,000.
"""

from collections.abc import Iterator

import numpy as np

from msw2.music.grid import Grid
from msw2.music.tracks import TRACK_NAMES
from msw2.serving.contract import AS_PNG, LATENT, PNG, phrase_of_png, png_of_phrase
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
    inputs = {"seed": np.array(seeds, np.int64), "temperature": np.full(len(seeds), temperature, np.float32)}
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


def _as_png(phrases: np.ndarray) -> dict[str, np.ndarray]:
    return {PNG: np.array([png_of_phrase(phrase) for phrase in phrases], bytes)}


def _phrases(url: str, grid: Grid, verb: str, inputs: dict[str, np.ndarray], timeout: float) -> np.ndarray:
    found = [png for answer in _answers(url, verb, inputs, PNG, timeout) for png in answer]
    try:
        phrases = [phrase_of_png(png, grid) for png in found]
    except ValueError as error:
        raise RequestError(f"{url} answers with other phrases than expected: {error}") from error
    return np.array(phrases, bool).reshape(-1, *grid.phrase_shape, len(TRACK_NAMES))


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
