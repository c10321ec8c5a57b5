"""One request, over REST and gRPC, to servers that answer and to servers that do not."""

import base64
import json
import socket

import grpc
import numpy as np
import pytest

from msw2.serving.messages import (
    MAP_KEY,
    MAP_VALUE,
    RESPONSE_OUTPUTS,
    bytes_field,
    predict_request,
    tensor_message,
)
from msw2.serving.transport import RequestError, ask

DRAWN = {"seed": np.array([7, 8]), "temperature": np.float32([0.5, 1])}
PNGS = [b"\x89PNG\r\n", b"\x00\xff"]
ENCODED = [{"b64": base64.b64encode(content).decode()} for content in PNGS]
RIGHT = (200, json.dumps({"predictions": ENCODED}))
LOADING = (404, '{"error": "Servable not found for request: Latest(msw2)"}')


def _response(**outputs):
    return b"".join(
        bytes_field(
            RESPONSE_OUTPUTS,
            bytes_field(MAP_KEY, name.encode()) + bytes_field(MAP_VALUE, tensor_message(array)),
        )
        for name, array in outputs.items()
    )


def _png(url, timeout=20.0):
    return ask(url, "generate_png", DRAWN, "png_bytes", timeout)


def test_a_request_by_rows_is_what_tf_serving_expects(rest):
    url, asked, answers = rest
    answers.append(RIGHT)
    assert _png(url) == PNGS
    rows = [{"seed": 7, "temperature": 0.5}, {"seed": 8, "temperature": 1.0}]
    assert asked == [{"signature_name": "generate_png", "instances": rows}]


def test_bytes_go_as_base64_and_numbers_come_back(rest):
    url, asked, answers = rest
    answers.append((200, '{"predictions": [[[1, 2.5]], [[-3, 4]]]}'))
    latent = ask(url, "encode_png", {"png_bytes": np.array(PNGS)}, "latent", 20.0)
    assert latent.dtype == np.float32
    assert latent.tolist() == [[[1, 2.5]], [[-3, 4]]]
    assert asked[0]["instances"] == [{"png_bytes": value} for value in ENCODED]


def test_grpc_asks_the_same(over_grpc):
    url, asked, answers = over_grpc
    latent = np.float32([[[1, 2.5]], [[-3, 4]]])
    answers += [_response(png_bytes=np.array(PNGS)), _response(count=np.float32([1]), latent=latent)]
    assert _png(url) == PNGS
    np.testing.assert_array_equal(
        ask(url + "/", "encode_png", {"png_bytes": np.array(PNGS)}, "latent", 20.0), latent
    )
    assert asked == [
        predict_request("msw2", "generate_png", DRAWN),
        predict_request("msw2", "encode_png", {"png_bytes": np.array(PNGS)}),
    ]


def test_a_server_that_loads_or_is_busy_is_asked_again(rest, slept, capsys):
    url, asked, answers = rest
    answers += [LOADING, (503, "busy"), LOADING, RIGHT]
    assert _png(url) == PNGS
    assert len(asked) == 4
    assert slept == [0.5, 1, 2]
    assert "answers 503: busy; the next attempt is in 1 s" in capsys.readouterr().err


def test_grpc_too_asks_again(over_grpc, slept):
    url, _, answers = over_grpc
    codes = grpc.StatusCode
    answers += [
        (codes.NOT_FOUND, "Servable not found for request: Latest(msw2)"),
        (codes.UNAVAILABLE, "busy"),
    ]
    answers.append(_response(png_bytes=np.array(PNGS)))
    assert _png(url) == PNGS
    assert slept == [0.5, 1]


def test_patience_ends(rest, slept):
    url, asked, answers = rest
    answers += [LOADING] * 6
    with pytest.raises(RequestError, match=r"answers 404: Servable not found for request: Latest\(msw2\)"):
        _png(url)
    assert len(asked) == 6
    assert slept == [0.5, 1, 2, 4, 8]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((400, '{"error": "temperatures are\\nnumbers"}'), "answers 400: temperatures are numbers"),
        ((404, '{"error": "no such path"}'), "answers 404: no such path"),
        ((500, "<html>"), "answers 500: <html>"),
        ((200, "<html>"), "does not answer with png_bytes by rows: <html>"),
        ((200, "[]"), r"by rows: \[\]"),
        ((200, '{"outputs": []}'), "by rows: {"),
        ((200, '{"predictions": [{"b64": "?"}, {"b64": ""}]}'), "by rows"),
        ((200, '{"predictions": [true, false]}'), "by rows"),
        ((200, "[" * 100_000), "by rows"),
        ((200, json.dumps({"predictions": ENCODED[:1]})), "answers with 1 rows where 2 were asked for"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 90\r\n\r\n{}", "breaks off its answer after 2 bytes"),
        (b"HTTP/1.0 400 Bad\r\nContent-Length: 90\r\n\r\n{}", r"answers 400: \(the rest is cut off\)"),
        (b"\x00\x00\x06\x04\x00", "does not speak HTTP: is it the port of the other interface?"),
        (b"", "does not speak HTTP"),
        (b"HTTP/1.0 200 OK\r\n" + b"A: b\r\n" * 200, "cannot be asked: got more than 100 headers"),
    ],
)
def test_every_other_answer_is_one_sentence(rest, slept, answer, message):
    url, _, answers = rest
    answers.append(answer)
    with pytest.raises(RequestError, match=message) as error:
        _png(url)
    assert len(str(error.value).splitlines()) == 1
    assert slept == []


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            (grpc.StatusCode.INVALID_ARGUMENT, "temperatures\nare"),
            "answers INVALID_ARGUMENT: temperatures are",
        ),
        ((grpc.StatusCode.NOT_FOUND, "no signature"), "answers NOT_FOUND: no signature"),
        (b"\x07", "does not answer with png_bytes: "),
        (_response(other=np.float32([1, 2])), "does not answer with png_bytes: the outputs are other"),
        (_response(png_bytes=np.array(b"one")), "the outputs are png_bytes"),
        (_response(png_bytes=np.array(PNGS * 2)), "answers with 4 rows where 2 were asked for"),
    ],
)
def test_every_other_answer_of_grpc_is_one_sentence(over_grpc, slept, answer, message):
    url, _, answers = over_grpc
    answers.append(answer)
    with pytest.raises(RequestError, match=message):
        _png(url)
    assert slept == []


@pytest.fixture
def free_port():
    """A port on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.mark.parametrize("url", ["http://127.0.0.1:{}/x", "grpc://127.0.0.1:{}"])
def test_a_server_that_refuses_is_waited_for(url, free_port, slept):
    with pytest.raises(RequestError, match=r"(?i)cannot be asked: .*refused|answers UNAVAILABLE: "):
        _png(url.format(free_port))
    assert slept == [0.5, 1, 2, 4, 8]


@pytest.mark.parametrize(
    "url",
    ["nowhere", "file:///nowhere", "http://", "http://[::1", "http://a b/"],
)
def test_what_is_no_address_is_one_sentence(url, slept):
    with pytest.raises(RequestError, match="cannot be asked: "):
        _png(url)
    assert slept == []


@pytest.fixture
def silent():
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_server_that_is_silent_is_not_waited_for_for_ever(scheme, silent, slept):
    with pytest.raises(RequestError, match=r"does not answer within 0.3 s"):
        _png(f"{scheme}://{silent}", timeout=0.3)
    assert slept == []


def test_the_port_of_the_other_interface_is_told(rest, over_grpc, slept):
    for url, kind in (
        (rest[0].replace("http", "grpc").removesuffix("/v1/models/msw2:predict"), "gRPC"),
        (over_grpc[0].replace("grpc", "http"), "HTTP"),
    ):
        with pytest.raises(
            RequestError, match=f"does not speak {kind}: is it the port of the other interface"
        ):
            _png(url)
    assert slept == []
