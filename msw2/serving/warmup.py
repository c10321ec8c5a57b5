"""TF Serving's warm-up file: requests that a server answers itself before it takes any others.

A TFRecord file of `PredictionLog` messages (tensorflow_serving/apis/prediction_log.proto). Those are in the
package tensorflow-serving-api alone, which pins an old protobuf; what is needed of them is short to write out.
"""

import os

import numpy as np
import tensorflow as tf

# Field numbers of prediction_log.proto, predict.proto and model.proto.
PREDICTION_LOG_PREDICT_LOG = 6
PREDICT_LOG_REQUEST = 1
REQUEST_MODEL_SPEC, REQUEST_INPUTS = 1, 2
MODEL_SPEC_NAME, MODEL_SPEC_SIGNATURE = 1, 3
MAP_KEY, MAP_VALUE = 1, 2

_LENGTH_DELIMITED = 2  # wire type of strings and messages


def write_warmup(path: str | os.PathLike, model: str, requests: dict[str, dict[str, np.ndarray]]) -> None:
    """Writes the file.

    Args:
        path: `assets.extra/tf_serving_warmup_requests` of a SavedModel; not written atomically.
        model: name under which it is served.
        requests: signature to its inputs.
    """
    with tf.io.TFRecordWriter(os.fspath(path)) as writer:
        for signature, inputs in requests.items():
            writer.write(prediction_log(model, signature, inputs))


def prediction_log(model: str, signature: str, inputs: dict[str, np.ndarray]) -> bytes:
    """Returns a serialised `PredictionLog` of one prediction request."""
    spec = _field(MODEL_SPEC_NAME, model.encode()) + _field(MODEL_SPEC_SIGNATURE, signature.encode())
    request = _field(REQUEST_MODEL_SPEC, spec)
    for name, array in inputs.items():
        tensor = tf.make_tensor_proto(array).SerializeToString()
        request += _field(REQUEST_INPUTS, _field(MAP_KEY, name.encode()) + _field(MAP_VALUE, tensor))
    return _field(PREDICTION_LOG_PREDICT_LOG, _field(PREDICT_LOG_REQUEST, request))


def _field(number: int, content: bytes) -> bytes:
    """Returns a protobuf field that holds bytes, a string or a message."""
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Returns a non-negative integer, seven bits a byte, the lowest first."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F)
    return bytes(group | 0x80 for group in groups[:-1]) + bytes(groups[-1:])
