"""TF Serving's warm-up file: requests that a server answers itself before it takes any others.

A TFRecord file of `PredictionLog` messages (tensorflow_serving/apis/prediction_log.proto).
"""

import os

import numpy as np
import tensorflow as tf

from msw2.serving.messages import bytes_field, predict_request

# Field numbers of prediction_log.proto.
PREDICTION_LOG_PREDICT_LOG = 6
PREDICT_LOG_REQUEST = 1


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
    request = predict_request(model, signature, inputs)
    return bytes_field(PREDICTION_LOG_PREDICT_LOG, bytes_field(PREDICT_LOG_REQUEST, request))
