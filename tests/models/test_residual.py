"""The residual unit against batch normalisation and convolution written out in NumPy, and against stock layers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from msw2.models.residual import ResidualUnit, fold, unfold

SHAPE = (3, 4, 15)  # pictures, steps, pitches


def convolution(x, kernel, bias):
    """[picture, step, pitch, channel], "same": of the 11 missing pitches 5 before, of the 2 missing steps 1."""
    padded = np.pad(x, ((0, 0), (1, 1), (5, 6), (0, 0)))
    made = np.zeros((*x.shape[:3], kernel.shape[-1])) + bias
    for step in range(3):
        for pitch in range(12):
            made += padded[:, step : step + x.shape[1], pitch : pitch + x.shape[2]] @ kernel[step, pitch]
    return made


def oracle(unit, x, training):
    """What comes out, and the mean and variance of both normalisations."""
    values = {w.path.split("/", 1)[-1] if "/" in w.path else w.path: w for w in unit.weights}
    names = {name.split("/")[-1] if "normalise" not in name else f"n_{name.split('/')[-1]}": np.float64(w)
             for name, w in values.items()}  # fmt: skip

    def normalise(x, prefix):
        mean, variance = names[f"{prefix}moving_mean"], names[f"{prefix}moving_variance"]
        if training:
            mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
        scaled = (x - mean) / np.sqrt(variance + 1e-3)
        return np.maximum(scaled * names[f"{prefix}gamma"] + names[f"{prefix}beta"], 0), mean, variance

    active, *first = normalise(x[..., None].astype(np.float64), "n_")
    hidden, *second = normalise(convolution(active, names["kernel_1"], names["bias_1"]), "")
    return x + convolution(hidden, names["kernel_2"], names["bias_2"])[..., 0], first, second


@pytest.fixture
def unit():
    unit, rng = ResidualUnit(name="unit"), np.random.default_rng(1)
    unit.build((None, *SHAPE[1:]))
    for weight in unit.weights:
        positive = "variance" in weight.name
        drawn = rng.uniform(0.3, 2, weight.shape) if positive else rng.normal(0, 0.4, weight.shape)
        weight.assign(weight + drawn if weight.name.startswith("kernel") else drawn)
    return unit


@pytest.fixture
def x():
    return np.random.default_rng(2).normal(0.5, 2, SHAPE).astype(np.float32)


def test_taps_and_their_sum_by_hand():
    x = np.zeros((1, 4, 15), np.float32)
    x[0, 2, 7] = 1
    taps = np.asarray(unfold(x))
    assert taps.shape == (3, 12, 1, 4, 15)
    # tap (0, 0) looks one step back and five pitches down, so (3, 12) sees what is at (2, 7)
    assert np.argwhere(taps[0, 0, 0]).tolist() == [[3, 12]]
    assert np.argwhere(taps[2, 11, 0]).tolist() == [[1, 1]]
    one = np.zeros((3, 12, 1, 4, 15), np.float32)
    one[0, 11, 0, 2, 7] = 1
    assert np.argwhere(np.asarray(fold(one))[0]).tolist() == [[3, 1]]


def test_the_gradient_of_one_is_the_transpose_of_the_other():
    rng = np.random.default_rng(0)
    for function, shape, other in (
        (unfold, (2, 4, 5), (3, 12, 2, 4, 5)),
        (fold, (3, 12, 2, 4, 5), (2, 4, 5)),
    ):
        x, direction = (tf.constant(rng.normal(size=shape), tf.float32) for _ in range(2))
        weight = tf.constant(rng.normal(size=other), tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(function(x) * weight)
        moved = tf.reduce_sum(function(direction) * weight)  # both are linear
        assert float(tf.reduce_sum(tape.gradient(total, x) * direction)) == pytest.approx(
            float(moved), rel=1e-4
        )


@pytest.mark.parametrize("training", [False, True])
def test_a_unit_is_what_it_says(unit, x, training):
    expected, _, _ = oracle(unit, x, training)
    np.testing.assert_allclose(unit(x, training=training), expected, atol=2e-3, rtol=1e-4)
    assert np.abs(expected - x).max() > 1


def test_training_moves_the_statistics_by_a_hundredth_and_a_frozen_unit_does_not(unit, x):
    _, first, second = oracle(unit, x, True)
    before = [np.float64(v) for v in (unit.moving_mean, unit.moving_variance)]
    unit.trainable = False
    np.testing.assert_allclose(unit(x, training=True), unit(x), atol=1e-6)
    for old, new in zip(before, (unit.moving_mean, unit.moving_variance), strict=True):
        assert np.array_equal(old, new)
    unit.trainable = True
    unit(x, training=True)
    np.testing.assert_allclose(unit.moving_mean, 0.99 * before[0] + 0.01 * second[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(unit.moving_variance, 0.99 * before[1] + 0.01 * second[1], rtol=1e-4)
    assert first[1] > 0


def test_gradients_are_those_of_stock_layers(unit, x):
    layers = keras.layers
    convolve = {"padding": "same", "kernel_initializer": "he_normal"}
    first, second = layers.BatchNormalization(), layers.BatchNormalization()
    there, back = layers.Conv2D(64, (3, 12), **convolve), layers.Conv2D(1, (3, 12), **convolve)
    x, weight = tf.constant(x[..., None]), np.random.default_rng(3).normal(size=SHAPE).astype(np.float32)

    def stock(x):
        hidden = there(keras.ops.relu(first(x, training=True)))
        return (x + back(keras.ops.relu(second(hidden, training=True))))[..., 0]

    stock(x)
    theirs = [first.gamma, first.beta, there.kernel, second.gamma, second.beta, back.kernel, back.bias]
    mine = [unit.normalise.gamma, unit.normalise.beta, unit.kernel_1, unit.gamma, unit.beta]
    mine += [unit.kernel_2, unit.bias_2]
    for own, other in zip(mine, theirs, strict=True):
        other.assign(own)
    gradients = []
    for function, variables in ((lambda x: unit(x[..., 0], training=True), mine), (stock, theirs)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(function(x) * weight)
        gradients.append(tape.gradient(total, [x, *(v.value for v in variables)]))
    for own, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-3, atol=2e-3 * np.abs(other).max())


def test_kernels_begin_as_he_has_them_and_decay():
    unit = ResidualUnit()
    unit.build((None, 4, 15))
    assert np.std(unit.kernel_1) == pytest.approx(np.sqrt(2 / 36), rel=0.06)
    assert np.std(unit.kernel_2) == pytest.approx(np.sqrt(2 / 2304), rel=0.06)
    expected = 1e-4 * sum(np.sum(np.square(kernel)) for kernel in (unit.kernel_1, unit.kernel_2))
    assert float(sum(unit.losses)) == pytest.approx(expected, rel=1e-4)
    assert len(unit.losses) == 2
