"""The layer against `keras.layers.LSTM`: the same weights, names, results and gradients, however it is computed."""

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf

from msw2.kernels import compiled, tensorflow_ops
from msw2.kernels.lstm import LSTM, choose, hard_sigmoid

BATCH, STEPS, FEATURES, UNITS = 3, 7, 5, 4
RECURRENT_ACTIVATIONS = {
    "sigmoid": "sigmoid",
    "hard_sigmoid": lambda x: keras.ops.minimum(keras.ops.maximum(x / 5 + 0.5, 0), 1),
}
NAMES = ("output", "inputs", "kernel", "recurrent", "bias")
SIX = [[1, 0.5], [2, 0], [0, -1], [0.1, 0], [0, 3], [1, 1]]  # steps of two features
HAS_GPU = bool(tf.config.list_physical_devices("GPU"))


@pytest.fixture
def is_compiled():
    """The compiled functions are there and taken."""
    if not compiled.library() or HAS_GPU:
        pytest.skip("the compiled functions are for CPUs, where a C compiler was")


@pytest.fixture(params=["compiled", "not compiled", "portable"])
def portable(request, monkeypatch):
    """The value of `portable` for each way to compute."""
    if request.param == "not compiled":
        monkeypatch.setattr(compiled, "library", lambda: None)
    elif request.param == "compiled":
        request.getfixturevalue("is_compiled")
    return request.param == "portable"


def random_weights(rng, features=FEATURES, units=UNITS):
    # Wide enough that gates saturate and that the four gates differ from one another.
    shapes = [(features, 4 * units), (units, 4 * units), (4 * units,)]
    return [rng.normal(0, 0.8, shape).astype(np.float32) for shape in shapes]


def random_inputs(seed, *shape):
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


def pair(gates, portable=False, **kwargs):
    """Our layer and Keras's, with the same weights."""
    background = {"background": kwargs.pop("background")} if "background" in kwargs else {}
    ours = LSTM(UNITS, gates=gates, portable=portable, **background, **kwargs)
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
        product = tf.reduce_sum(tf.cast(output, tf.float32) * upstream)
    return [output, *tape.gradient(product, [inputs, *[w.value for w in layer.weights]])]


def assert_near(found, expected, atol=1e-5):
    for name, ours, theirs in zip(NAMES, found, expected, strict=True):
        assert np.abs(theirs).max() > 0.05, name
        np.testing.assert_allclose(ours, theirs, atol=atol, err_msg=name)


@pytest.mark.parametrize(("return_sequences", "go_backwards"), [(False, True), (True, False)])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("gates", ["sigmoid", "hard_sigmoid"])
def test_output_and_all_gradients_are_those_of_keras(
    portable, *, gates, training, return_sequences, go_backwards
):
    ours, keras_own = pair(gates, portable, return_sequences=return_sequences, go_backwards=go_backwards)
    inputs = random_inputs(2, BATCH, STEPS, FEATURES)
    shape = (BATCH, STEPS, UNITS) if return_sequences else (BATCH, UNITS)
    upstream = random_inputs(3, *shape)
    found, expected = (results(layer, inputs, upstream, training) for layer in (ours, keras_own))
    assert found[0].shape == shape
    assert_near(found, expected)


@pytest.mark.parametrize("gates", ["sigmoid", "hard_sigmoid"])
@pytest.mark.parametrize("training", [False, True])
def test_two_steps_by_hand(portable, gates, training):
    # One unit, one feature: all gates in numbers. Order of the gates: input, forget, cell, output.
    layer = LSTM(1, gates=gates, portable=portable, return_sequences=True)
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


def test_the_hard_sigmoid_has_slope_a_fifth():
    x = np.array([-3.0, -2.5, -2.0, 0.0, 1.0, 2.4, 2.5, 9.0], np.float32)
    expected = [0.0, 0.0, 0.1, 0.5, 0.7, 0.98, 1.0, 1.0]
    np.testing.assert_allclose(hard_sigmoid(x), expected, atol=1e-6)


@pytest.mark.parametrize("gates", RECURRENT_ACTIVATIONS)
def test_weights_have_the_names_shapes_order_and_start_of_keras(gates):
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


def model_of(layer, *shape):
    inputs = keras.Input(shape)
    return keras.Model(inputs, layer(inputs))


@pytest.mark.parametrize("repeat", [None, 6])
def test_weight_files_go_both_ways_between_ours_and_keras(tmp_path, repeat):
    shape = (3,) if repeat else (STEPS, FEATURES)
    inputs = keras.Input(shape)
    sequences = keras.layers.RepeatVector(6, name="repeat")(inputs) if repeat else inputs
    keras_own = keras.Model(inputs, keras.layers.LSTM(UNITS, name="lstm")(sequences))
    ours = model_of(LSTM(UNITS, repeat=repeat, name="lstm"), *shape)
    examples = random_inputs(4, BATCH, *shape)
    path = tmp_path / "a.weights.h5"
    for source, target in ((keras_own, ours), (ours, keras_own)):
        source.set_weights([random_inputs(i, *w.shape) for i, w in enumerate(target.get_weights(), 9)])
        target.set_weights([0 * w for w in target.get_weights()])
        source.save_weights(path)
        target.load_weights(path)
        np.testing.assert_allclose(source(examples), target(examples), atol=1e-6)
        assert np.abs(target(examples)).max() > 0.05


def test_a_saved_model_file_is_loaded_by_the_registered_name(tmp_path):
    layer = LSTM(UNITS, repeat=2, step_features=[[1.0, 0.0], [0.0, 1.0]], gates="hard_sigmoid", name="lstm")
    model = model_of(layer, 3)
    model.save(tmp_path / "a.keras")
    again = keras.models.load_model(tmp_path / "a.keras")
    assert type(again.get_layer("lstm")) is LSTM
    vectors = random_inputs(5, BATCH, 3)
    assert np.array_equal(model(vectors), again(vectors))


def operations(layer, training, *shape):
    """The names of the operations that a layer is computed by."""
    function = tf.function(lambda x: layer(x, training=training))
    graph = function.get_concrete_function(tf.TensorSpec(shape or (2, STEPS, FEATURES))).graph.as_graph_def()
    nodes = [*graph.node, *(node for inner in graph.library.function for node in inner.node_def)]
    return {node.op for node in nodes}


def taken(layer, training, *shape):
    """Which implementation a graph holds."""
    found = operations(layer, training, *shape)
    if any(name.startswith("PyFunc") for name in found):
        assert "BlockLSTM" not in found
        return "compiled"
    return "block" if "BlockLSTM" in found else "keras"


@pytest.mark.parametrize(
    ("arguments", "in_training", "in_inference"),
    [
        ({}, "compiled", "compiled"),
        ({"gates": "hard_sigmoid"}, "compiled", "compiled"),
        ({"background": -1.0}, "compiled", "compiled"),
        ({"dtype": "mixed_bfloat16"}, "compiled", "compiled"),
        ({"dtype": "float64"}, "keras", "keras"),
        ({"dtype": "mixed_float16"}, "keras", "keras"),
        ({"portable": True}, "keras", "block"),
        ({"portable": True, "gates": "hard_sigmoid"}, "keras", "keras"),
        ({"portable": True, "dtype": "mixed_bfloat16"}, "keras", "keras"),
        ({"activation": "relu"}, "keras", "keras"),
        ({"use_bias": False}, "keras", "keras"),
        ({"dropout": 0.5}, "keras", "keras"),
        ({"recurrent_dropout": 0.5}, "keras", "keras"),
        ({"return_state": True}, "keras", "keras"),
    ],
    ids=str,
)
@pytest.mark.usefixtures("is_compiled")
def test_which_implementation_a_graph_holds(arguments, in_training, in_inference):
    layer = LSTM(UNITS, **arguments)
    layer.build((2, STEPS, FEATURES))
    for training, expected in ((True, in_training), (False, in_inference)):
        assert layer.implementation(training) == expected
        assert taken(layer, training) == expected


@pytest.mark.usefixtures("is_compiled")
def test_a_repeated_vector_is_compiled_as_well():
    for portable, expected in ((False, "compiled"), (True, "block")):
        assert taken(LSTM(UNITS, repeat=6, portable=portable), False, 2, 3) == expected


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("on_cpu", [True, False])
@pytest.mark.parametrize("portable", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_the_choice_by_device_and_by_what_is_compiled(monkeypatch, *, there, on_cpu, portable, training):
    monkeypatch.setattr(compiled, "library", lambda: object() if there else None)
    monkeypatch.setattr(tensorflow_ops, "on_cpu", lambda: on_cpu)
    if there and on_cpu and not portable:
        expected = "compiled"
    else:
        expected = "block" if (portable or on_cpu) and not training else "keras"
    assert choose(gates="sigmoid", policy="float32", portable=portable, training=training) == expected


def test_another_backend_computes_in_its_own_way(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    assert choose(gates="sigmoid", policy="float32", portable=False, training=True) == "keras"


@pytest.mark.usefixtures("is_compiled")
def test_a_log_line_says_which(caplog):
    with caplog.at_level(logging.INFO, "msw2.kernels"):
        LSTM(UNITS, portable=True, name="one").build((None, STEPS, FEATURES))
        LSTM(UNITS, name="other").build((None, STEPS, FEATURES))
    assert [record.getMessage() for record in caplog.records] == [
        "one: keras in training, block in inference",
        "other: compiled in training, compiled in inference",
    ]


@pytest.mark.parametrize("training", [False, True])
def test_any_number_of_steps_and_any_batch(portable, training):
    layer = LSTM(UNITS, portable=portable, return_sequences=True)
    inputs = random_inputs(5, 4, 9, FEATURES)
    whole = layer(inputs, training=training)
    assert whole.shape == (4, 9, UNITS)
    np.testing.assert_allclose(layer(inputs[1:2, :6], training=training), whole[1:2, :6], atol=1e-6)
    np.testing.assert_allclose(layer(inputs, training=not training), whole, atol=1e-6)


@pytest.mark.parametrize("background", [None, -1.0])
def test_a_number_of_steps_that_is_not_known_when_the_graph_is_made(background):
    ours, keras_own = pair("sigmoid", return_sequences=True, background=background)
    call = tf.function(
        lambda x: results(ours, x, 1.0, training=True),
        input_signature=[tf.TensorSpec([None, None, FEATURES])],
    )
    for steps in (2, 5):
        inputs = random_inputs(steps, 3, steps, FEATURES)
        assert_near(call(inputs), results(keras_own, inputs, 1.0, training=True))


def test_the_gradient_inside_a_graph_is_that_outside_one():
    ours, keras_own = pair("sigmoid", return_sequences=True)
    inputs, upstream = random_inputs(8, BATCH, STEPS, FEATURES), random_inputs(9, BATCH, STEPS, UNITS)
    found = tf.function(lambda x: results(ours, x, upstream, training=True))(inputs)
    assert_near(found, results(keras_own, inputs, upstream, training=True))


def test_a_mask_and_an_initial_state_are_heeded():
    ours, keras_own = pair("sigmoid", return_sequences=True)
    inputs = random_inputs(8, BATCH, STEPS, FEATURES)
    mask = np.arange(STEPS) < np.array([[2], [7], [5]])
    state = [random_inputs(seed, BATCH, UNITS) for seed in (1, 2)]
    for arguments in ({"mask": mask}, {"initial_state": state}):
        found = ours(inputs, **arguments)
        np.testing.assert_allclose(found, keras_own(inputs, **arguments), atol=1e-5)
        assert np.abs(found - ours(inputs)).max() > 0.05


def test_states_are_returned_and_kept_between_batches():
    for arguments in ({"return_state": True}, {"stateful": True}):
        layers = LSTM(UNITS, **arguments), keras.layers.LSTM(UNITS, **arguments)
        for layer in layers:
            layer.build((BATCH, STEPS, FEATURES))
            weights = random_weights(np.random.default_rng(1))
            for variable, value in zip(layer.trainable_weights, weights, strict=True):
                variable.assign(value)
        for seed in (1, 2):
            inputs = random_inputs(seed, BATCH, STEPS, FEATURES)
            found, expected = (tf.nest.flatten(layer(inputs)) for layer in layers)
            assert len(found) == len(expected) == (3 if "return_state" in arguments else 1)
            for ours, theirs in zip(found, expected, strict=True):
                np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.usefixtures("is_compiled")
def test_mixed_bfloat16_rounds_products_alone(monkeypatch, training):
    ours, keras_own = pair("sigmoid", return_sequences=True)
    rounded = LSTM(UNITS, return_sequences=True, dtype="mixed_bfloat16")
    rounded.build((None, STEPS, FEATURES))
    rounded.set_weights(ours.get_weights())
    asked, forward = [], compiled.forward
    monkeypatch.setattr(
        compiled, "forward", lambda *args, **how: asked.append(how["bfloat16"]) or forward(*args, **how)
    )
    inputs, upstream = random_inputs(6, BATCH, STEPS, FEATURES), random_inputs(7, BATCH, STEPS, UNITS)
    found = results(rounded, inputs, upstream, training)
    assert asked == [True]
    assert {each.dtype for each in found} == {tf.float32}
    expected = results(keras_own, inputs, upstream, training)
    if compiled.has_bfloat16():
        assert 1e-5 < np.abs(found[0] - expected[0]).max() < 0.02
        assert_near(found, expected, atol=0.3)
    else:  # to the last bit: neither inputs nor weights were rounded on the way
        for one, other in zip(found, results(ours, inputs, upstream, training), strict=True):
            assert np.array_equal(one, other)


@pytest.mark.usefixtures("is_compiled")
def test_a_model_under_mixed_bfloat16_gives_the_lstm_what_it_was_given():
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    try:
        model = model_of(LSTM(UNITS, name="lstm"), STEPS, FEATURES)
        again = keras.Model.from_config(model.get_config())
    finally:
        keras.mixed_precision.set_dtype_policy(before)
    plain = model_of(LSTM(UNITS, name="lstm"), STEPS, FEATURES)
    for each in (again, plain):
        each.set_weights(model.get_weights())
    inputs = random_inputs(6, BATCH, STEPS, FEATURES)
    for each in (model, again):
        output = each(inputs)
        assert output.dtype == tf.float32
        assert each.output.dtype == "float32"
        error = np.abs(output - plain(inputs)).max()
        assert error < 0.02 if compiled.has_bfloat16() else error == 0
        assert each.get_layer("lstm").get_config()["dtype"]["config"]["name"] == "mixed_bfloat16"


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("return_sequences", [False, True])
def test_half_precision_of_keras_is_near_full_precision(policy, return_sequences):
    ours, keras_own = pair("sigmoid", return_sequences=return_sequences)
    half = LSTM(UNITS, portable=True, return_sequences=return_sequences, dtype=policy)
    half.build((None, STEPS, FEATURES))
    half.set_weights(ours.get_weights())
    inputs = random_inputs(6, BATCH, STEPS, FEATURES)
    output = half(inputs)
    assert output.dtype == policy.removeprefix("mixed_")
    assert half.weights[0].dtype == "float32"
    np.testing.assert_allclose(tf.cast(output, tf.float32), keras_own(inputs), atol=0.05)


@pytest.mark.parametrize(
    "arguments",
    [
        {"gates": "hard_sigmoid", "portable": True, "return_sequences": True, "go_backwards": True},
        {"repeat": 6, "step_features": np.arange(12).reshape(6, 2) / 9},
        {"repeat": 6},
        {"background": -1.0, "dtype": "mixed_bfloat16", "kernel_initializer": "zeros"},
    ],
    ids=str,
)
def test_a_layer_is_rebuilt_from_its_config(arguments):
    layer = LSTM(UNITS, name="lstm", **arguments)
    again = LSTM.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    for name in ("gates", "portable", "repeat", "background", "return_sequences", "go_backwards"):
        assert getattr(again, name) == getattr(layer, name)
    shape = (BATCH, 3) if layer.repeat else (BATCH, STEPS, 3)
    inputs = random_inputs(7, *shape)
    layer(inputs)
    again(inputs)
    layer.set_weights([random_inputs(i, *w.shape) for i, w in enumerate(layer.get_weights())])
    again.set_weights(layer.get_weights())
    assert np.array_equal(again(inputs), layer(inputs))
    assert np.abs(layer(inputs)).max() > 0.05


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("gates", ["sigmoid", "hard_sigmoid"])
@pytest.mark.parametrize(("features", "go_backwards"), [(None, False), (SIX, False), (SIX, True)])
def test_a_repeated_vector_is_read_at_every_step_with_the_features_of_the_step(
    portable, *, features, gates, go_backwards, training
):
    more = 2 if features else 0
    how = {"return_sequences": True, "go_backwards": go_backwards}
    repeated = LSTM(UNITS, repeat=6, step_features=features, gates=gates, portable=portable, **how)
    repeated.build((None, 3))
    plain = keras.layers.LSTM(UNITS, recurrent_activation=RECURRENT_ACTIVATIONS[gates], **how)
    plain.build((None, 6, 3 + more))
    for layer in (repeated, plain):
        layer.set_weights(random_weights(np.random.default_rng(5), 3 + more))
    vectors, upstream = random_inputs(6, 2, 3), random_inputs(7, 2, 6, UNITS)

    def over_all_steps(inputs, training):
        rows = [tf.concat([inputs, tf.constant([row] * 2, tf.float32)], 1) for row in features or [[]] * 6]
        return plain(tf.stack(rows, axis=1), training=training)

    over_all_steps.weights = plain.weights
    found = results(repeated, vectors, upstream, training)
    assert_near(found, results(over_all_steps, vectors, upstream, training))
    assert repeated.compute_output_shape((None, 3)) == (None, 6, UNITS)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("gates", ["sigmoid", "hard_sigmoid"])
def test_a_background_changes_no_result(portable, gates, training):
    ours, keras_own = pair(gates, portable, background=-1.0, return_sequences=True)
    rng = np.random.default_rng(2)
    signed = np.where(rng.random((BATCH, STEPS, FEATURES)) < 0.3, 1, -1).astype(np.float32)
    signed[1] = -1  # nothing but background
    upstream = random_inputs(3, BATCH, STEPS, UNITS)
    for inputs in (signed, random_inputs(4, *signed.shape)):
        found, expected = (results(layer, inputs, upstream, training) for layer in (ours, keras_own))
        assert_near(found, expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gates": "linear"}, "gates 'linear' is not one of sigmoid, hard_sigmoid"),
        ({"repeat": 0}, "repeat is 0, not a number of steps from 1"),
        ({"step_features": [[1.0]]}, "step_features need repeat, the number of steps"),
        ({"repeat": 3, "step_features": [[1.0]]}, "step_features have shape (1, 1), not (3, any)"),
        ({"repeat": 3, "background": 0.0}, "background is for sequences, not for a vector that is repeated"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(arguments, message):
    with pytest.raises(ValueError) as refused:
        LSTM(UNITS, **arguments)
    assert str(refused.value) == message
