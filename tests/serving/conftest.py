"""Servers on this machine that answer as TF Serving does, or as it should not, and its messages by protobuf."""

import concurrent.futures
import contextlib
import http.server
import json
import threading

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from tensorflow.core.framework import tensor_pb2

from msw2.serving import transport

STRING, INTEGER, MESSAGE = (
    descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE,
)
# message: (field, number, type), as in prediction_log.proto, predict.proto and model.proto
MESSAGES = {
    "ModelSpec": [("name", 1, STRING), ("signature_name", 3, STRING), ("version", 9, INTEGER)],
    "Entry": [("key", 1, STRING), ("value", 2, "tensorflow.TensorProto")],
    "PredictRequest": [("model_spec", 1, "ModelSpec"), ("inputs", 2, "Entry")],
    "PredictLog": [("request", 1, "PredictRequest")],
    "PredictionLog": [("predict_log", 6, "PredictLog")],
    "PredictResponse": [("outputs", 1, "Entry"), ("model_spec", 2, "ModelSpec")],
}


@pytest.fixture(scope="session")
def classes():
    """The classes of MESSAGES by name, beside the TensorProto that TensorFlow brings."""
    file = descriptor_pb2.FileDescriptorProto(name="messages.proto", package="messages", syntax="proto3")
    file.dependency.append(tensor_pb2.DESCRIPTOR.name)
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            repeated = field in ("inputs", "outputs")
            added = message.field.add(name=field, number=number, label=3 if repeated else 1)
            added.type = MESSAGE if isinstance(kind, str) else kind
            if isinstance(kind, str):
                added.type_name = f".{kind}" if "." in kind else f".messages.{kind}"
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"messages.{name}"))
        for name in MESSAGES
    }


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
