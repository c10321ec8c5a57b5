"""Asking a server for music over TF Serving's REST interface; needs neither TensorFlow nor Keras."""

import json
import urllib.error
import urllib.request

import numpy as np

from msw2.music.grid import Grid
from msw2.music.tracks import TRACK_NAMES

TIMEOUT = 60.0  # seconds


class RequestError(Exception):
    """A server that cannot be reached, or answers otherwise than expected; one sentence for the user."""


def generate(url: str, grid: Grid, *, seeds: list[int], temperature: float = 1.0) -> np.ndarray:
    """Asks for one phrase a seed.

    Args:
        url: such as http://localhost:8501/v1/models/msw2:predict.
        grid: what a phrase should look like.
        seeds: of the phrases.
        temperature: see `Prior.sample`.

    Returns:
        bool [phrase, bar, step, pitch, track].

    Raises:
        RequestError: if the server cannot be reached or answers otherwise.
    """
    inputs = {"seed": seeds, "temperature": [temperature] * len(seeds)}
    body = json.dumps({"signature_name": "generate", "inputs": inputs}).encode()
    try:
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            content = response.read()
    except urllib.error.HTTPError as error:
        with error:
            raise RequestError(f"{url} answers {error.code}: {_reason(error.read())}") from error
    except (OSError, ValueError) as error:
        raise RequestError(f"{url} cannot be asked: {getattr(error, 'reason', error)}") from error
    return pianoroll_from_response(content, grid)


def pianoroll_from_response(content: bytes | str, grid: Grid) -> np.ndarray:
    """Returns the pianorolls of an answer, bool [phrase, bar, step, pitch, track].

    Args:
        content: JSON: `outputs` for a request by columns (`inputs`), `predictions` for one by rows (`instances`).
        grid: what a phrase should look like.

    Raises:
        RequestError: if it holds no pianorolls of this grid.
    """
    try:
        answer = json.loads(content)
    except ValueError as error:
        raise RequestError("the answer is not JSON") from error
    found = answer.get("outputs", answer.get("predictions")) if isinstance(answer, dict) else None
    if found is None:
        raise RequestError(f"the answer has no outputs: {_reason(content)}")
    shape = (*grid.phrase_shape, len(TRACK_NAMES))
    try:
        pianoroll = np.array(found)
    except ValueError as error:
        raise RequestError("the outputs are not all of one shape") from error
    if pianoroll.dtype != bool or pianoroll.shape[1:] != shape:
        raise RequestError(
            f"the outputs are {pianoroll.dtype} {list(pianoroll.shape)}, not pianorolls: bool [phrase, "
            f"{', '.join(map(str, shape))}]"
        )
    return pianoroll


def _reason(content: bytes | str) -> str:
    """Returns what the server says of an error, in one short line."""
    try:
        content = json.loads(content)["error"]
    except (ValueError, KeyError, TypeError):
        content = content.decode("utf-8", "replace") if isinstance(content, bytes) else content
    return " ".join(str(content).split())[:200]
