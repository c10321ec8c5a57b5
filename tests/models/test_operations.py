import keras
import numpy as np
import pytest
import tensorflow as tf

from msw2.models import native
from msw2.models.operations import fitting
from msw2.models.perceptron import Perceptron
from msw2.models.recurrent import LSTM, PianorollLSTM, RepeatedLSTM


@pytest.mark.parametrize("kind", ["lstm", "pianoroll", "repeated", "perceptron"])
@pytest.mark.usefixtures("tiles")
def test_what_is_held_out_is_measured_as_in_training_and_nothing_else_is(kind):
    """A SavedModel has no place for a call of Python."""
    layer, shape = {
        "lstm": (LSTM(4), (2, 3, 5)),
        "pianoroll": (PianorollLSTM(4), (2, 3, 5)),
        "repeated": (RepeatedLSTM(4, steps=3), (2, 5)),
        "perceptron": (Perceptron([keras.layers.Dense(4)]), (2, 3, 5)),
    }[kind]
    layer(np.zeros(shape, "float32"))

    def calls_python(training):
        function = tf.function(lambda x: layer(x, training=training))
        graph = function.get_concrete_function(tf.TensorSpec(shape)).graph.as_graph_def()
        return any(node.op.startswith("PyFunc") for node in graph.node)

    assert calls_python(True) and not calls_python(False)
    with fitting():
        assert calls_python(False)
    assert not calls_python(False)


def test_without_a_compiler_what_is_held_out_is_measured_as_in_inference(monkeypatch):
    monkeypatch.setattr(native, "library", lambda: None)
    layer, inputs = LSTM(4), tf.random.stateless_normal((2, 3, 5), [0, 1])
    layer(inputs)
    with fitting():
        graph = tf.function(layer).get_concrete_function(inputs).graph.as_graph_def()
    assert "BlockLSTM" in {node.op for node in graph.node}
