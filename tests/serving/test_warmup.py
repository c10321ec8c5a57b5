"""The warm-up file, read by protobuf itself with TF Serving's messages declared here."""

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from tensorflow.core.framework import tensor_pb2

from msw2.serving.warmup import prediction_log, write_warmup

STRING, MESSAGE = (
    descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE,
)
# message: (field, number, type), as in prediction_log.proto, predict.proto and model.proto
MESSAGES = {
    "ModelSpec": [("name", 1, STRING), ("signature_name", 3, STRING)],
    "InputsEntry": [("key", 1, STRING), ("value", 2, "tensorflow.TensorProto")],
    "PredictRequest": [("model_spec", 1, "ModelSpec"), ("inputs", 2, "InputsEntry")],
    "PredictLog": [("request", 1, "PredictRequest")],
    "PredictionLog": [("predict_log", 6, "PredictLog")],
}


@pytest.fixture(scope="module")
def log_class():
    """The class of PredictionLog, beside the TensorProto that TensorFlow brings."""
    file = descriptor_pb2.FileDescriptorProto(name="check.proto", package="check", syntax="proto3")
    file.dependency.append(tensor_pb2.DESCRIPTOR.name)
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            added = message.field.add(name=field, number=number, label=3 if field == "inputs" else 1)
            added.type = kind if kind == STRING else MESSAGE
            if kind != STRING:
                added.type_name = f".{kind}" if "." in kind else f".check.{kind}"
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("check.PredictionLog"))


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
