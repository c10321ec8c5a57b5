import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from msw2.config import SMOKE
from msw2.models import native
from msw2.models.recurrent import LSTM, PianorollLSTM, RepeatedLSTM, released_hard_sigmoid
from msw2.models.sandwich import build_parts

BATCH, STEPS, FEATURES, UNITS = 3, 7, 5, 4
RECURRENT_ACTIVATIONS = {
    "sigmoid": "sigmoid",
    "hard_sigmoid": lambda x: keras.ops.minimum(keras.ops.maximum(x / 5 + 0.5, 0), 1),
}


@pytest.fixture(params=["three of bfloat16", "float32", "without a compiler"])
def way(request, monkeypatch):
    """All ways of training: the compiled recurrence with two kinds of products, and without a C compiler."""
    if request.param == "without a compiler":
        monkeypatch.setattr(native, "library", lambda: None)
    elif not native.library():
        pytest.skip("no C compiler was there at installation")
    elif native.use_tiles(products := 3 * (request.param != "float32")) != products:
        pytest.skip("this CPU does not multiply so")
    monkeypatch.setattr("msw2.models.operations.WORTH", 0)  # or nothing but states is in tiles
    yield request.param
    native.use_tiles(3)


@pytest.fixture
def exact():
    """Products of float32 alone, which are those of Keras to its rounding."""
    native.use_tiles(0)
    yield
    native.use_tiles(3)


def random_weights(rng, features=FEATURES, units=UNITS):
    # Wide enough that gates saturate and that the four gates differ from one another.
    shapes = [(features, 4 * units), (units, 4 * units), (4 * units,)]
    return [rng.normal(0, 0.8, shape).astype(np.float32) for shape in shapes]


def pair(gates, fused, kind=LSTM, **kwargs):
    """Our layer and Keras's, with the same weights."""
    ours = kind(UNITS, gates=gates, fused=fused, **kwargs)
    keras_own = keras.layers.LSTM(UNITS, recurrent_activation=RECURRENT_ACTIVATIONS[gates], **kwargs)
    for layer in (ours, keras_own):
        layer.build((None, STEPS, FEATURES))
        layer.set_weights(random_weights(np.random.default_rng(1)))
    return ours, keras_own


def results(layer, inputs, upstream, training):
    """The output, and the gradients of its product with `upstream` by the inputs and each weight."""
    inputs = tf.convert_to_tensor(inputs)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        output = layer(inputs, training=training)
        product = tf.reduce_sum(output * upstream)
    return [output, *tape.gradient(product, [inputs, *[w.value for w in layer.weights]])]


@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    ("gates", "fused"),
    [("sigmoid", True), ("sigmoid", False), ("hard_sigmoid", True), ("hard_sigmoid", None)],
)
def test_output_and_all_gradients_are_those_of_keras(
    way, *, gates, fused, training, return_sequences, go_backwards
):
    ours, keras_own = pair(gates, fused, return_sequences=return_sequences, go_backwards=go_backwards)
    rng = np.random.default_rng(2)
    inputs = rng.normal(0, 1, (BATCH, STEPS, FEATURES)).astype(np.float32)
    shape = (BATCH, STEPS, UNITS) if return_sequences else (BATCH, UNITS)
    upstream = rng.normal(0, 1, shape).astype(np.float32)
    found, expected = (results(layer, inputs, upstream, training) for layer in (ours, keras_own))
    assert found[0].shape == shape
    for name, ours_value, keras_value in zip(
        ("output", "inputs", "kernel", "recurrent", "bias"), found, expected, strict=True
    ):
        assert np.abs(keras_value).max() > 0.05, name
        error = 3e-5 if way == "three of bfloat16" else 1e-5
        np.testing.assert_allclose(ours_value, keras_value, atol=error, err_msg=name)


@pytest.mark.parametrize("gates", ["sigmoid", "hard_sigmoid"])
@pytest.mark.parametrize(("fused", "training"), [(True, True), (True, False), (False, False)])
@pytest.mark.usefixtures("way")
def test_two_steps_by_hand(gates, fused, training):
    # One unit, one feature: all gates in numbers. Order of the gates: input, forget, cell, output.
    layer = LSTM(1, gates=gates, fused=fused, return_sequences=True)
    layer.build((None, 2, 1))
    layer.set_weights(
        [
            np.array([[1.0, 2.0, -1.0, 0.5]]),
            np.array([[0.3, -0.7, 0.9, 4.0]]),
            np.array([0.1, 1.0, 0.2, -0.4]),
        ]
    )
    gate = {
        "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
        "hard_sigmoid": lambda x: min(max(0.2 * x + 0.5, 0.0), 1.0),
    }[gates]
    h = c = 0.0
    expected = []
    for x in (0.6, -1.1):
        i, f = gate(x + 0.3 * h + 0.1), gate(2 * x - 0.7 * h + 1.0)
        candidate, o = np.tanh(-x + 0.9 * h + 0.2), gate(0.5 * x + 4 * h - 0.4)
        c = f * c + i * candidate
        h = o * np.tanh(c)
        expected.append(h)
    found = layer(np.array([[[0.6], [-1.1]]], np.float32), training=training)[0, :, 0]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_released_hard_sigmoid_has_slope_a_fifth():
    x = np.array([-3.0, -2.5, -2.0, 0.0, 1.0, 2.4, 2.5, 9.0], np.float32)
    expected = [0.0, 0.0, 0.1, 0.5, 0.7, 0.98, 1.0, 1.0]
    np.testing.assert_allclose(released_hard_sigmoid(x), expected, atol=1e-6)


def test_weights_have_the_names_shapes_order_and_start_of_keras():
    for gates in RECURRENT_ACTIVATIONS:
        keras.utils.set_random_seed(3)
        ours = LSTM(UNITS, gates=gates, name="lstm")
        ours.build((None, STEPS, FEATURES))
        keras.utils.set_random_seed(3)
        keras_own = keras.layers.LSTM(UNITS, name="lstm")
        keras_own.build((None, STEPS, FEATURES))
        assert [w.path for w in ours.weights] == [w.path for w in keras_own.weights]
        assert [tuple(w.shape) for w in ours.weights] == [(5, 16), (4, 16), (16,)]
        for mine, theirs in zip(ours.get_weights(), keras_own.get_weights(), strict=True):
            assert np.array_equal(mine, theirs)
        assert ours.get_weights()[2].tolist() == [0.0] * 4 + [1.0] * 4 + [0.0] * 8  # forget bias 1


def test_a_weight_file_of_keras_fits_and_gives_the_same(tmp_path):
    def model(layer):
        inputs = keras.Input((STEPS, FEATURES))
        return keras.Model(inputs, layer(inputs))

    keras_own = model(keras.layers.LSTM(UNITS, return_sequences=True, name="lstm"))
    ours = model(LSTM(UNITS, return_sequences=True, fused=True, name="lstm"))
    inputs = np.random.default_rng(4).normal(0, 1, (BATCH, STEPS, FEATURES)).astype(np.float32)
    assert np.abs(ours(inputs) - keras_own(inputs)).max() > 1e-2
    keras_own.save_weights(tmp_path / "keras.weights.h5")
    ours.load_weights(tmp_path / "keras.weights.h5")
    np.testing.assert_allclose(ours(inputs), keras_own(inputs), atol=1e-6)


def operations(layer, steps=STEPS):
    function = tf.function(layer).get_concrete_function(tf.TensorSpec((2, steps, FEATURES)))
    graph = function.graph.as_graph_def()
    nodes = [*graph.node, *(node for inner in graph.library.function for node in inner.node_def)]
    return {node.op for node in nodes}


@pytest.mark.parametrize(
    ("gates", "fused", "used"),
    [("sigmoid", True, True), ("sigmoid", False, False), ("hard_sigmoid", True, False)],
)
def test_the_fused_operation_is_used_where_it_may_be_and_computes_the_same(gates, fused, used):
    assert ("BlockLSTM" in operations(LSTM(UNITS, gates=gates, fused=fused))) == used


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="on a GPU Keras has cuDNN")
def test_the_fused_operation_is_the_default_on_a_cpu():
    assert "BlockLSTM" in operations(LSTM(UNITS))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.usefixtures("exact")
def test_any_number_of_steps_and_any_batch(training):
    layer = LSTM(UNITS, fused=True, return_sequences=True)
    inputs = np.random.default_rng(5).normal(0, 1, (4, 9, FEATURES)).astype(np.float32)
    whole = layer(inputs, training=training)
    assert whole.shape == (4, 9, UNITS)
    np.testing.assert_allclose(layer(inputs[1:2, :6], training=training), whole[1:2, :6], atol=1e-6)
    np.testing.assert_allclose(layer(inputs, training=not training), whole, atol=1e-6)


def test_a_number_of_steps_that_is_not_known_when_the_graph_is_made():
    ours, keras_own = pair("sigmoid", True, return_sequences=True)
    call = tf.function(
        lambda x: ours(x, training=True), input_signature=[tf.TensorSpec([None, None, FEATURES])]
    )
    for steps in (2, 5):
        inputs = np.random.default_rng(steps).normal(0, 1, (3, steps, FEATURES)).astype(np.float32)
        np.testing.assert_allclose(call(inputs), keras_own(inputs), atol=1e-5)


@pytest.mark.usefixtures("exact")
def test_the_gradient_inside_a_graph_is_that_outside_one():
    ours, keras_own = pair("sigmoid", True, return_sequences=True)
    rng = np.random.default_rng(8)
    inputs = rng.normal(0, 1, (BATCH, STEPS, FEATURES)).astype(np.float32)
    upstream = rng.normal(0, 1, (BATCH, STEPS, UNITS)).astype(np.float32)
    found = tf.function(lambda x: results(ours, x, upstream, training=True))(inputs)
    for a, b in zip(found, results(keras_own, inputs, upstream, training=True), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("return_sequences", [False, True])
def test_half_precision_is_near_full_precision(policy, return_sequences):
    ours, keras_own = pair("sigmoid", True, return_sequences=return_sequences)
    half = LSTM(UNITS, fused=True, return_sequences=return_sequences, dtype=policy)
    half.build((None, STEPS, FEATURES))
    half.set_weights(ours.get_weights())
    inputs = np.random.default_rng(6).normal(0, 1, (BATCH, STEPS, FEATURES)).astype(np.float32)
    output = half(inputs)
    assert output.dtype == policy.removeprefix("mixed_")
    assert half.weights[0].dtype == "float32"
    np.testing.assert_allclose(tf.cast(output, tf.float32), keras_own(inputs), atol=0.05)


def test_a_layer_is_rebuilt_from_its_config():
    layer = LSTM(UNITS, gates="hard_sigmoid", fused=False, return_sequences=True, go_backwards=True)
    again = LSTM.from_config(layer.get_config())
    assert (again.units, again.gates, again.fused) == (UNITS, "hard_sigmoid", False)
    assert (again.return_sequences, again.go_backwards) == (True, True)
    inputs = np.random.default_rng(7).normal(0, 1, (BATCH, STEPS, FEATURES)).astype(np.float32)
    layer(inputs), again(inputs)
    again.set_weights(layer.get_weights())
    np.testing.assert_allclose(again(inputs), layer(inputs), atol=1e-6)


def repeated_by_hand(vectors):
    """Over 6 steps of 2 to a beat: feature | step in beat (2) | beat (3)."""
    position = tf.constant(
        [
            [1, 0, 1, 0, 0],
            [0, 1, 1, 0, 0],
            [1, 0, 0, 1, 0],
            [0, 1, 0, 1, 0],
            [1, 0, 0, 0, 1],
            [0, 1, 0, 0, 1],
        ],
        tf.float32,
    )
    return tf.stack([tf.concat([vectors, tf.repeat(row[None], 2, 0)], 1) for row in position], axis=1)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("gates", "fused"), [("sigmoid", True), ("sigmoid", False), ("hard_sigmoid", True)])
@pytest.mark.parametrize("beat_resolution", [2, None])
@pytest.mark.usefixtures("way")
def test_a_repeated_lstm_is_an_lstm_over_the_repeated_vector_and_its_positions(
    beat_resolution, gates, fused, training
):
    features = 3 + 5 if beat_resolution else 3
    repeated = RepeatedLSTM(
        UNITS, steps=6, beat_resolution=beat_resolution, gates=gates, fused=fused, return_sequences=True
    )
    repeated.build((None, 3))
    plain = keras.layers.LSTM(UNITS, recurrent_activation=RECURRENT_ACTIVATIONS[gates], return_sequences=True)
    plain.build((None, 6, features))
    for layer in (repeated, plain):
        layer.set_weights(random_weights(np.random.default_rng(5), features))
    rng = np.random.default_rng(6)
    vectors = rng.normal(0, 1, (2, 3)).astype(np.float32)
    upstream = rng.normal(0, 1, (2, 6, UNITS)).astype(np.float32)

    def over_all_steps(inputs, training):
        sequences = repeated_by_hand(inputs) if beat_resolution else tf.repeat(inputs[:, None], 6, axis=1)
        return plain(sequences, training=training)

    over_all_steps.weights = plain.weights
    found = results(repeated, vectors, upstream, training)
    expected = results(over_all_steps, vectors, upstream, training)
    for name, ours_value, keras_value in zip(
        ("output", "vectors", "kernel", "recurrent", "bias"), found, expected, strict=True
    ):
        assert np.abs(keras_value).max() > 0.05, name
        np.testing.assert_allclose(ours_value, keras_value, atol=1e-5, err_msg=name)


def test_a_weight_file_of_keras_fits_a_repeated_lstm(tmp_path):
    latent = keras.Input((3,))
    plain = keras.layers.LSTM(UNITS, name="lstm")(keras.layers.RepeatVector(6, name="repeat")(latent))
    plain = keras.Model(latent, plain)
    ours = keras.Model(latent, RepeatedLSTM(UNITS, steps=6, name="lstm")(latent))
    plain.save_weights(tmp_path / "keras.weights.h5")
    ours.load_weights(tmp_path / "keras.weights.h5")
    vectors = np.array([[0.5, -1.0, 2.0]], np.float32)
    np.testing.assert_allclose(ours(vectors), plain(vectors), atol=1e-6)
    assert [w.path for w in ours.weights] == [w.path for w in plain.weights]


def test_a_repeated_lstm_is_rebuilt_from_its_config():
    layer = RepeatedLSTM(UNITS, steps=6, beat_resolution=2, gates="hard_sigmoid", return_sequences=True)
    again = RepeatedLSTM.from_config(layer.get_config())
    for one in (layer, again):
        one.build((None, 3))
        one.set_weights(random_weights(np.random.default_rng(7), 8))
    vectors = np.array([[0.5, -1.0, 2.0]], np.float32)
    assert layer(vectors).shape == (1, 6, UNITS)
    assert np.array_equal(layer(vectors), again(vectors))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("gates", ["sigmoid", "hard_sigmoid"])
@pytest.mark.usefixtures("way")
def test_an_lstm_over_a_pianoroll_is_an_lstm(gates, training):
    ours, keras_own = pair(gates, True, kind=PianorollLSTM, return_sequences=True)
    rng = np.random.default_rng(2)
    signed = np.where(rng.random((BATCH, STEPS, FEATURES)) < 0.3, 1, -1).astype(np.float32)
    signed[1] = -1  # a silent bar
    upstream = rng.normal(0, 1, (BATCH, STEPS, UNITS)).astype(np.float32)
    for inputs in (signed, rng.normal(0, 1, signed.shape).astype(np.float32)):  # right for what is none, too
        found, expected = (results(layer, inputs, upstream, training) for layer in (ours, keras_own))
        for ours_value, keras_value in zip(found, expected, strict=True):
            assert np.abs(keras_value).max() > 0.05
            np.testing.assert_allclose(ours_value, keras_value, atol=1e-5)


def test_the_pianoroll_of_a_bvae_is_read_as_one(monkeypatch):
    if not native.library():
        pytest.skip("no C compiler was there at installation")
    shapes, project = [], native.project
    monkeypatch.setattr(native, "project", lambda *given: shapes.append(given[0].shape) or project(*given))
    parts = build_parts(dataclasses.replace(SMOKE, bars=1, steps=4, beat_resolution=1, pitches=12), ["bass"])
    for kind, shape in (("encoder", (2, 4, 12)), ("decoder", (2, 8))):
        parts.models[f"bass_{kind}"](np.ones(shape, np.float32), training=True)
    assert shapes == [(4, 2, 12)]
