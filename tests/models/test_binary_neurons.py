import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from msw2.config import SMOKE
from msw2.models.binary_neurons import BinaryNeurons, straight_through
from msw2.models.sandwich import build_sandwich

X = np.array([-2.0, -0.3, 0.0, 0.4, 3.0], np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


@pytest.mark.parametrize("slope", [1.0, 1.331])
def test_straight_through_by_hand(slope):
    # sigmoid: 0.119, 0.426, 0.5, 0.599, 0.953
    v = np.array([0.11, 0.43, 0.5, 0.7, 0.95], np.float32)
    x, upstream = tf.constant(X), np.array([1.0, -2.0, 3.0, 0.5, 4.0], np.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        made = straight_through(x, tf.constant(v), tf.constant(slope))
        total = tf.reduce_sum(made * upstream)
    assert made.numpy().tolist() == [1, 0, 1, 0, 1]
    s = sigmoid(slope * X)
    np.testing.assert_allclose(tape.gradient(total, x), upstream * slope * s * (1 - s), rtol=1e-5)


def test_deterministic_neurons_are_on_from_a_half():
    neurons = BinaryNeurons(False, 0)
    for training in (False, True):
        made = neurons(X.reshape(1, 1, 5), training=training)
        assert np.ravel(made).tolist() == [0, 0, 1, 1, 1]
        assert made.dtype == "float32"


def test_stochastic_neurons_are_on_where_the_draw_is_below_the_sigmoid(monkeypatch):
    neurons, v = BinaryNeurons(True, 0), np.array([[[0.1, 0.5, 0.49, 0.6, 0.2]]], np.float32)
    neurons.build((None, 1, 5))
    monkeypatch.setattr(keras.random, "uniform", lambda shape, seed: tf.constant(v))
    assert np.ravel(neurons(X.reshape(1, 1, 5), training=True)).tolist() == [1, 0, 1, 0, 1]


def test_in_training_every_draw_is_another_and_as_often_on_as_the_sigmoid_says():
    neurons, x = BinaryNeurons(True, 5), np.full((40, 20, 30), 0.4, np.float32)
    first, second = (np.asarray(neurons(x, training=True)) for _ in range(2))
    assert not np.array_equal(first, second)
    assert first.mean() == pytest.approx(sigmoid(0.4), abs=0.01)  # deviation 0.003
    assert not np.array_equal(first[0], first[1])


def test_afterwards_a_bar_gives_the_same_in_any_batch():
    neurons, rng = BinaryNeurons(True, 5), np.random.default_rng(0)
    x = rng.normal(size=(6, 20, 30)).astype(np.float32)
    whole = np.asarray(neurons(x))
    assert np.array_equal(neurons(x[[4, 1]]), whole[[4, 1]])
    assert np.array_equal(neurons(x[2:3]), whole[2:3])
    assert np.array_equal(BinaryNeurons(True, 5)(x), whole)
    assert not np.array_equal(BinaryNeurons(True, 6)(x), whole)
    even = np.asarray(neurons(np.full((2, 20, 30), 0.4, np.float32)))
    assert np.array_equal(even[0], even[1])
    assert even[0].mean() == pytest.approx(sigmoid(0.4), abs=0.05)


def test_what_comes_out_does_not_depend_on_the_slope():
    neurons, x = BinaryNeurons(True, 5), np.random.default_rng(0).normal(size=(2, 20, 30)).astype(np.float32)
    before = np.asarray(neurons(x))
    neurons.slope.assign(50.0)
    assert np.array_equal(neurons(x), before)


def test_the_slope_is_saved_and_never_trained(tmp_path):
    bar = keras.Input((2, 3))
    model = keras.Model(bar, BinaryNeurons(True, 1, name="neurons")(bar))
    model.trainable = True
    assert model.trainable_weights == []
    model.get_layer("neurons").slope.assign(1.21)
    model.save_weights(tmp_path / "a.weights.h5")
    model.get_layer("neurons").slope.assign(9.0)
    model.load_weights(tmp_path / "a.weights.h5")
    assert float(model.get_layer("neurons").slope) == pytest.approx(1.21)


def test_neurons_are_rebuilt_from_their_config():
    neurons = BinaryNeurons(True, 7, name="n")
    again, x = BinaryNeurons.from_config(neurons.get_config()), np.zeros((1, 20, 30), np.float32)
    assert again.name == "n"
    assert np.array_equal(again(x), neurons(x))


def test_tracks_draw_differently():
    config = dataclasses.replace(
        SMOKE,
        steps=4,
        pitches=6,
        beat_resolution=1,
        bvae_hidden=2,
        refine_output="stochastic",
        refine_threshold="half",
    )
    sandwich = build_sandwich(config)
    refiners = [sandwich.get_layer(f"{track}_refiner") for track in ("drums", "bass")]
    drawn = [refiner.get_layer("neurons").thresholds for refiner in refiners]
    assert not np.allclose(*drawn)
