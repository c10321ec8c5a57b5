"""Messages of a prediction, read and written by protobuf itself."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from msw2.serving.messages import MessageError, predict_request, predict_response

ARRAYS = {
    "seed": np.array([7, -1, 2**40]),
    "temperature": np.float32([[0.5, 1]]),
    "notes": np.int32([[[1, -2, 3]]]),
    "pianoroll": np.random.default_rng(0).random((1, 40, 300)) < 0.5,
    "png_bytes": np.array([b"\x89PNG", b"", b"x" * 300]),
    "nothing": np.zeros((0, 4), np.float32),
}


def test_a_request_holds_its_inputs(classes):
    request = classes["PredictRequest"].FromString(predict_request("msw2", "restore_png", ARRAYS))
    assert (request.model_spec.name, request.model_spec.signature_name) == ("msw2", "restore_png")
    found = {entry.key: tf.make_ndarray(entry.value) for entry in request.inputs}
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found[name].shape == array.shape
        assert found[name].tolist() == array.tolist()
        assert name == "png_bytes" or found[name].dtype == array.dtype


def _response(classes, tensors):
    made = classes["PredictResponse"]()
    for name, tensor in tensors.items():
        made.outputs.add(key=name).value.CopyFrom(tensor)
    made.model_spec.version = 12
    return made.SerializeToString()


def test_a_response_is_read_in_both_ways_of_writing_floats(classes):
    latent = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    by_field = tensor_pb2.TensorProto(dtype=1, float_val=latent.ravel())  # as a server writes it
    by_field.tensor_shape.CopyFrom(tf.TensorShape(latent.shape).as_proto())
    png = np.array([b"\x89PNG", b"", b"x" * 300], object)
    tensors = {"a": tf.make_tensor_proto(latent), "b": by_field, "png_bytes": tf.make_tensor_proto(png)}
    found = predict_response(_response(classes, tensors))
    assert found.keys() == {"a", "b", "png_bytes"}
    for name in "ab":
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], latent)
    assert found["png_bytes"].tolist() == png.tolist()


def test_other_types_are_refused(classes):
    with pytest.raises(MessageError, match="type 10, neither float32 nor string"):
        predict_response(_response(classes, {"x": tf.make_tensor_proto([True])}))


def test_a_shape_without_its_values_is_refused(classes):
    tensor = tf.make_tensor_proto(np.float32([1, 2, 3]))
    tensor.tensor_shape.dim[0].size = 4
    with pytest.raises(MessageError, match=r"shape \[4\] does not have its values"):
        predict_response(_response(classes, {"x": tensor}))


def test_damaged_bytes_are_refused_or_read_but_never_crash(classes):
    whole = _response(classes, {"png_bytes": tf.make_tensor_proto(np.array([b"abc"], object))})
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(500):
        damaged = bytearray(whole[: rng.integers(1, len(whole) + 1)])
        damaged[rng.integers(len(damaged))] = rng.integers(256)
        try:
            predict_response(bytes(damaged))
        except MessageError:
            refused += 1
    assert refused > 250
    for cut in (1, len(whole) - 1):
        with pytest.raises(MessageError, match="it is cut off"):
            predict_response(whole[:cut])
