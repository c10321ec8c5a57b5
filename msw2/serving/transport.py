"""One request to TF Serving, over REST or gRPC. Needs neither TensorFlow nor Keras."""

import base64
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable

import numpy as np

from msw2.serving.contract import MODEL
from msw2.serving.messages import MessageError, predict_request, predict_response
from msw2.system.progress import say

PREDICT = "/tensorflow.serving.PredictionService/Predict"
DELAYS = (0.5, 1.0, 2.0, 4.0, 8.0)  # seconds between attempts: a server loads the model meanwhile
LOADING = "Servable not found"  # what a server says of a model that it does not have, or not yet
OTHER_PORT = "is it the port of the other interface?"


class RequestError(Exception):
    """A server that cannot be reached, or answers otherwise than expected; one sentence for the user."""


class NotYetError(RequestError):
    """A server that may answer a little later: it refuses connections, is overloaded, or loads the model."""


def ask(
    url: str, signature: str, inputs: dict[str, np.ndarray], output: str, timeout: float
) -> list[bytes] | np.ndarray:
    """Returns one output of a signature, a row for each row of the inputs. Asks again where that may help.

    Args:
        url: such as http://localhost:8501/v1/models/msw2:predict, or grpc://localhost:8500.
        signature: to be called.
        inputs: its inputs by name, of the same number of rows; strings are of dtype S.
        output: name of the wanted one, of strings or float32.
        timeout: seconds to wait for the answer.

    Raises:
        RequestError: if the server cannot be reached, or answers otherwise.
    """
    scheme = url.partition("://")[0]
    if scheme not in _INTERFACES:
        raise RequestError(
            f"{url} cannot be asked: it begins with none of {', '.join(_INTERFACES)}, then ://"
        )
    rows = _patiently(lambda: _INTERFACES[scheme](url, signature, inputs, output, timeout))
    expected = len(next(iter(inputs.values())))
    if len(rows) != expected:
        raise RequestError(f"{url} answers with {len(rows)} rows where {expected} were asked for")
    return rows


def _patiently(attempt: Callable):
    """Returns what an attempt returns, the first that a server is ready for."""
    for delay in DELAYS:
        try:
            return attempt()
        except NotYetError as error:
            say(f"{error}; the next attempt is in {delay:g} s")
            time.sleep(delay)
    return attempt()


def _ask_rest(url: str, signature: str, inputs: dict[str, np.ndarray], output: str, timeout: float):
    """Asks by rows: a server writes columns with a line for each value, five times as long."""
    values = {name: [_json_value(row) for row in array] for name, array in inputs.items()}
    rows = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    body = json.dumps({"signature_name": signature, "instances": rows}).encode()
    try:
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=timeout) as response:
            content = response.read()
    except urllib.error.HTTPError as error:
        with error:
            reason = _reason(error)
        later = error.code == 503 or (error.code == 404 and LOADING in reason)
        kind = NotYetError if later else RequestError
        raise kind(f"{url} answers {error.code}: {reason}") from error
    except http.client.IncompleteRead as error:
        raise RequestError(f"{url} breaks off its answer after {len(error.partial)} bytes") from error
    except http.client.BadStatusLine as error:
        raise RequestError(f"{url} does not speak HTTP: {OTHER_PORT}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise _unreachable(url, getattr(error, "reason", error), timeout) from error
    return _rows(url, content, output)


def _unreachable(url: str, reason: object, timeout: float) -> RequestError:
    if isinstance(reason, TimeoutError):
        return _too_slow(url, timeout)
    kind = NotYetError if isinstance(reason, ConnectionRefusedError) else RequestError
    return kind(f"{url} cannot be asked: {reason}")


def _too_slow(url: str, timeout: float) -> RequestError:
    return RequestError(f"{url} does not answer within {timeout:g} s")


def _json_value(row: np.generic | np.ndarray) -> object:
    value = row.tolist()
    return {"b64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _rows(url: str, content: bytes, output: str) -> list[bytes] | np.ndarray:
    """Returns the rows of an answer by rows."""
    try:
        rows = json.loads(content)["predictions"]
        if output.endswith("_bytes"):
            return [base64.b64decode(row["b64"], validate=True) for row in rows]
        return np.array(rows, np.float32)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise RequestError(f"{url} does not answer with {output} by rows: {_shortened(content)}") from error


def _reason(error: urllib.error.HTTPError) -> str:
    """Returns what the server says of an error, in one short line."""
    try:
        content = error.read()
    except (OSError, http.client.HTTPException):
        return "(the rest is cut off)"
    try:
        return _shortened(str(json.loads(content)["error"]).encode())
    except (ValueError, KeyError, TypeError, RecursionError):
        return _shortened(content)


def _shortened(content: bytes) -> str:
    return " ".join(content[:1000].decode("utf-8", "replace").split())[:200]


def _ask_grpc(url: str, signature: str, inputs: dict[str, np.ndarray], output: str, timeout: float):
    import grpc  # noqa: PLC0415 - it starts threads, and REST needs none

    target = url.removeprefix("grpc://").rstrip("/")
    request = predict_request(MODEL, signature, inputs)
    try:
        with grpc.insecure_channel(target) as channel:
            content = channel.unary_unary(PREDICT)(request, timeout=timeout)
    except grpc.RpcError as error:
        code, said = error.code(), _shortened((error.details() or "").encode())
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            raise _too_slow(url, timeout) from error
        if code is grpc.StatusCode.UNAVAILABLE and ("http1" in said or "HTTP/2" in said):
            raise RequestError(f"{url} does not speak gRPC: {OTHER_PORT}") from error
        later = code is grpc.StatusCode.UNAVAILABLE or (code is grpc.StatusCode.NOT_FOUND and LOADING in said)
        kind = NotYetError if later else RequestError
        raise kind(f"{url} answers {code.name}: {said}") from error
    try:
        return _checked(predict_response(content), output)
    except MessageError as error:
        raise RequestError(f"{url} does not answer with {output}: {error}") from error


def _checked(outputs: dict[str, np.ndarray], output: str) -> list[bytes] | np.ndarray:
    """Returns one output, with rows."""
    if output not in outputs or not outputs[output].ndim:
        raise MessageError(f"the outputs are {', '.join(outputs) or 'none'}")
    rows = outputs[output]
    return rows.tolist() if rows.dtype.kind == "S" else rows


_INTERFACES = {"http": _ask_rest, "https": _ask_rest, "grpc": _ask_grpc}
