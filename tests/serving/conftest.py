"""Servers on this machine that answer as TF Serving does, or as it should not."""

import concurrent.futures
import contextlib
import http.server
import json
import threading

import grpc
import pytest

from msw2.serving import transport


@contextlib.contextmanager
def rest_server(asked, answers):
    """Yields the URL of a server that notes what it is asked, and answers with (status, content), or raw bytes."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            answer = answers.pop(0)
            if isinstance(answer, bytes):  # all of it, the status line too
                self.wfile.write(answer)
                return
            status, content = answer
            self.send_response(status)
            self.end_headers()
            self.wfile.write(content.encode())

        def log_message(self, *_):
            pass

    served = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{served.server_port}/v1/models/msw2:predict"
    served.shutdown()
    thread.join()
    served.server_close()


@contextlib.contextmanager
def grpc_server(asked, answers):
    """Yields the URL of a server that notes the bytes it is asked, and answers with bytes or (code, details)."""

    def predict(request, context):
        asked.append(request)
        answer = answers.pop(0)
        if isinstance(answer, bytes):
            return answer
        context.abort(*answer)

    class Handler(grpc.GenericRpcHandler):
        def service(self, details):
            if details.method == "/tensorflow.serving.PredictionService/Predict":
                return grpc.unary_unary_rpc_method_handler(predict)

    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        served = grpc.server(threads, handlers=[Handler()])
        port = served.add_insecure_port("127.0.0.1:0")
        served.start()
        yield f"grpc://127.0.0.1:{port}"
        served.stop(None).wait()


@pytest.fixture
def rest():
    """(url, what the server was asked, what it answers) over REST."""
    asked, answers = [], []
    with rest_server(asked, answers) as url:
        yield url, asked, answers


@pytest.fixture
def over_grpc():
    """(url, what the server was asked, what it answers) over gRPC."""
    asked, answers = [], []
    with grpc_server(asked, answers) as url:
        yield url, asked, answers


@pytest.fixture
def slept(monkeypatch):
    """Seconds that a client would have waited between attempts."""
    slept = []
    monkeypatch.setattr(transport.time, "sleep", slept.append)
    return slept
