"""The warm-up file, read by protobuf itself."""

import numpy as np
import pytest
import tensorflow as tf

from msw2.serving.warmup import prediction_log, write_warmup


@pytest.fixture
def log_class(classes):
    return classes["PredictionLog"]


def test_a_log_holds_one_request(log_class):
    inputs = {"seed": np.array([7]), "pianoroll": np.random.default_rng(0).random((1, 40, 300)) < 0.5}
    log = log_class.FromString(prediction_log("msw2", "restore", inputs))
    request = log.predict_log.request
    assert (request.model_spec.name, request.model_spec.signature_name) == ("msw2", "restore")
    found = {entry.key: tf.make_ndarray(entry.value) for entry in request.inputs}
    assert found.keys() == inputs.keys()
    for name, array in inputs.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_the_file_is_records_of_logs(log_class, tmp_path):
    path = tmp_path / "tf_serving_warmup_requests"
    write_warmup(path, "msw2", {name: {"x": np.float32([n])} for n, name in enumerate(("encode", "decode"))})
    logs = [log_class.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(path))]
    assert [log.predict_log.request.model_spec.signature_name for log in logs] == ["encode", "decode"]
    assert [tf.make_ndarray(log.predict_log.request.inputs[0].value)[0] for log in logs] == [0, 1]
