"""TensorFlow's C++ loader, on a SavedModel of a few operations."""

import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

from msw2.serving.loader_process import ExportError, Refusal, ask


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A SavedModel with a variable, every type of the signatures, and a shape that the session does not enforce."""
    folder = tmp_path_factory.mktemp("saved")
    module = tf.Module()
    module.three = tf.Variable(3.0)

    @tf.function(
        input_signature=[tf.TensorSpec([None, 2], tf.float32, "x"), tf.TensorSpec([None], tf.string, "text")]
    )
    def mixed(x, text):
        return {
            "times": module.three * x,
            "twice": tf.strings.join([text, text]),
            "whole": tf.cast(x, tf.int32),
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, "n"), tf.TensorSpec([None], tf.bool, "on")])
    def picked(n, on):
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(n < 9), ["numbers are below 9", n])]):
            return {"on": tf.identity(on), "n": tf.where(on, n, 0)}

    tf.saved_model.save(module, str(folder), {"mixed": mixed, "picked": picked})
    return folder


LONG = b"\x89PNG\x00" + b"x" * 300 + b"!"  # a string of TensorFlow is stored otherwise from 23 bytes on


def test_every_type_goes_in_and_comes_out(model):
    x, text = np.float32([[1.5, 2], [-3, 4]]), np.array([LONG, b""])
    n, on = np.array([2**40 - 2**41, 8]), np.array([True, False])
    mixed, picked, one = ask(
        model,
        [
            ("mixed", {"x": x, "text": text}),
            ("picked", {"n": n, "on": on}),
            ("mixed", {"x": x[:1], "text": text[:1]}),
        ],
    )
    np.testing.assert_array_equal(mixed["times"], 3 * x)
    assert mixed["twice"].tolist() == [LONG * 2, b""]
    assert (mixed["whole"].dtype, mixed["whole"].tolist()) == (np.int32, [[1, 2], [-3, 4]])
    assert (picked["n"].dtype, picked["n"].tolist()) == (np.int64, [n[0], 0])
    assert (picked["on"].dtype, picked["on"].tolist()) == (bool, [True, False])
    assert one["times"].tolist() == [[4.5, 6]]


def test_a_refusal_has_its_code_and_a_shape_is_not_refused(model):
    x, text = np.float32([[1, 2, 3]]), np.array([b"a"])
    on = np.array([True])
    refused, wide, right = ask(
        model,
        [
            ("picked", {"n": np.array([9]), "on": on}),
            ("mixed", {"x": x, "text": text}),
            ("picked", {"n": np.array([8]), "on": on}),
        ],
    )
    assert refused.code == 3
    assert "numbers are below 9" in refused.message
    assert wide["times"].shape == (1, 3)  # Python's session would refuse it
    assert not isinstance(right, Refusal)


def test_a_model_without_a_signature_is_one_sentence(model):
    with pytest.raises(ExportError, match="has no signature generate, restore"):
        ask(model, [("restore", {}), ("generate", {})])


def test_what_is_no_saved_model_is_one_sentence(model, tmp_path):
    with pytest.raises(ExportError, match="the SavedModel cannot be read: "):
        ask(pathlib.Path(tmp_path), [])
    damaged = tmp_path / "damaged"
    shutil.copytree(model, damaged)
    (damaged / "variables" / "variables.index").write_bytes(b"")
    with pytest.raises(ExportError, match="the SavedModel cannot be used: "):
        ask(damaged, [])
