"""Answers of a server, as it should give them and as it should not."""

import http.server
import json
import threading

import numpy as np
import pytest

from msw2.music.grid import Grid
from msw2.serving.client import RequestError, generate, pianoroll_from_response

SMALL = Grid(bars=2, steps=4, pitches=3, lowest_pitch=60, beat_resolution=1)
TINY = np.random.default_rng(4).random((3, 2, 4, 3, 5)) < 0.5


@pytest.fixture
def server():
    """A server on this machine: (url, what it was asked, what it answers)."""
    asked, answers = [], []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status, content = answers.pop(0)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(content.encode())

        def log_message(self, *_):
            pass

    served = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=served.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{served.server_port}/v1/models/msw2:predict", asked, answers
    served.shutdown()
    thread.join()
    served.server_close()


@pytest.mark.parametrize("key", ["outputs", "predictions"])
def test_both_forms_of_an_answer_are_read(key):
    found = pianoroll_from_response(json.dumps({key: TINY.tolist()}), SMALL)
    assert found.dtype == bool
    np.testing.assert_array_equal(found, TINY)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<html>", "the answer is not JSON"),
        ('{"error": "no such\\nmodel"}', "the answer has no outputs: no such model"),
        ("[]", r"the answer has no outputs: \[\]"),
        (
            json.dumps({"outputs": TINY[:, :1].tolist()}),
            r"bool \[3, 1, 4, 3, 5\], not pianorolls: bool \[phrase, 2, 4",
        ),
        (json.dumps({"outputs": TINY.astype(float).tolist()}), "the outputs are float64"),
        ('{"outputs": [[true], [true, false]]}', "not all of one shape"),
    ],
)
def test_other_answers_are_refused(content, message):
    with pytest.raises(RequestError, match=message):
        pianoroll_from_response(content, SMALL)


def test_a_request_is_what_tf_serving_expects(server):
    url, asked, answers = server
    answers.append((200, json.dumps({"outputs": TINY.tolist()})))
    np.testing.assert_array_equal(generate(url, SMALL, seeds=[7, 8, 9], temperature=0.5), TINY)
    inputs = {"seed": [7, 8, 9], "temperature": [0.5, 0.5, 0.5]}
    assert asked == [{"signature_name": "generate", "inputs": inputs}]


def test_what_a_server_refuses_is_said(server):
    url, _, answers = server
    answers.append((404, '{"error": "Servable not found"}'))
    with pytest.raises(RequestError, match="answers 404: Servable not found"):
        generate(url, SMALL, seeds=[1])


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "nowhere", "file:///nowhere"])
def test_a_server_that_is_not_there_is_one_sentence(url):
    with pytest.raises(RequestError, match="cannot be asked: "):
        generate(url, SMALL, seeds=[1])
