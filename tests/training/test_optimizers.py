import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from msw2.config import PAPER
from msw2.training.optimizers import Adam, ReleasedRMSprop, build_optimizer


def apply(optimizer, start, gradients):
    variable = keras.Variable(np.array(start, np.float32))
    optimizer.build([variable])
    found = []
    for gradient in gradients:
        optimizer.apply_gradients([(keras.ops.convert_to_tensor(np.array(gradient, np.float32)), variable)])
        found.append(variable.numpy())
    return found


def test_released_rmsprop_by_hand():
    # v = 0.1 * 4 = 0.4, then 0.36 + 0.1 * 9 = 1.26; w -= 0.1 * g / sqrt(v)
    first = 1 - 0.1 * 2 / 0.4**0.5
    second = first + 0.1 * 3 / 1.26**0.5
    found = apply(ReleasedRMSprop(0.1), [1.0], [[2.0], [-3.0]])
    np.testing.assert_allclose(np.ravel(found), [first, second], rtol=1e-6)


def test_the_epsilon_is_outside_the_root():
    # g = 1e-6: sqrt(v) = 3.162e-7, so the step is 0.1 * 1e-6 / 4.162e-7; inside: 0.1 * 1e-6 / 3.162e-4.
    found = apply(ReleasedRMSprop(0.1), [0.0, 0.0], [[1e-6, 0.0]])[0]
    np.testing.assert_allclose(found, [-0.1 / (10**-0.5 + 0.1), 0.0], rtol=1e-4)
    inside = apply(keras.optimizers.RMSprop(0.1), [0.0], [[1e-6]])[0]
    assert abs(inside[0]) < 1e-3  # Keras 3's own differs by a factor of 700


def test_adam_is_keras_own():
    # An independent oracle over steps that grow, shrink and change sign, with clipping and a schedule, in a graph.
    rng = np.random.default_rng(0)
    start = [rng.normal(size=(3, 4)).astype("float32"), rng.normal(size=5).astype("float32")]
    gradients = [
        [10.0 ** -(i % 5) * rng.normal(size=w.shape).astype("float32") for w in start] for i in range(20)
    ]

    def train(kind):
        schedule = keras.optimizers.schedules.CosineDecay(0.1, 20, alpha=0.05)
        optimizer, weights = kind(schedule, global_clipnorm=2.0), [keras.Variable(w) for w in start]
        optimizer.build(weights)
        step = tf.function(lambda *given: optimizer.apply_gradients(list(zip(given, weights, strict=True))))
        for given in gradients:
            step(*map(tf.constant, given))
        assert int(optimizer.iterations) == 20
        return [w.numpy() for w in weights]

    found = [train(kind) for kind in (Adam, keras.optimizers.Adam)]
    for ours, theirs, first in zip(*found, start, strict=True):
        np.testing.assert_allclose(ours - first, theirs - first, rtol=1e-4, atol=1e-6)  # 1 - 0.999 in float32
        assert np.abs(ours - first).max() > 0.5


def test_rmsprop_forgets_a_gradient_at_once():
    # After a large gradient a small one alone moves the weight: v = 0.9 (0.1 * 1e4) + 0.1 * 1e-2
    found = np.ravel(apply(ReleasedRMSprop(0.1), [0.0], [[100.0], [0.1]]))
    assert found[1] - found[0] == pytest.approx(-0.1 * 0.1 / 900.001**0.5, rel=1e-3)


def test_each_variable_has_its_own_running_mean():
    one, two = keras.Variable(np.zeros(2, np.float32)), keras.Variable(np.zeros((1, 3), np.float32))
    optimizer = ReleasedRMSprop(1e-3, rho=0.5)
    optimizer.build([one, two])
    optimizer.apply_gradients([(keras.ops.ones(2) * 4, one), (keras.ops.ones((1, 3)) * 0.5, two)])
    assert [square.numpy().tolist() for square in optimizer._squares] == [[8, 8], [[0.125] * 3]]
    assert one.numpy().tolist() == pytest.approx([-1e-3 * 4 / 8**0.5] * 2)
    assert two.numpy().tolist()[0] == pytest.approx([-1e-3 * 0.5 / 0.125**0.5] * 3)


def test_the_presets_optimizers():
    rmsprop = build_optimizer(dataclasses.replace(PAPER, learning_rate=0.25, clip_norm=0.0), 100)
    assert type(rmsprop) is ReleasedRMSprop
    assert (float(rmsprop.learning_rate), rmsprop.rho, rmsprop.global_clipnorm) == (0.25, 0.9, None)
    adam = build_optimizer(dataclasses.replace(PAPER, optimizer="adam", clip_norm=0.5), 100)
    assert type(adam) is Adam
    assert float(adam.learning_rate) == pytest.approx(1e-3)
    assert adam.global_clipnorm == 0.5
    assert float(build_optimizer(PAPER, 100, learning_rate=0.125).learning_rate) == 0.125


def test_the_cosine_schedule_ends_at_a_twentieth():
    optimizer = build_optimizer(dataclasses.replace(PAPER, schedule="cosine", learning_rate=0.4), 8)
    variable, rates = keras.Variable(0.0), []
    optimizer.build([variable])
    for _ in range(10):
        rates.append(float(optimizer.learning_rate))
        optimizer.apply_gradients([(keras.ops.convert_to_tensor(1.0), variable)])
    # 0.05 + 0.95 (1 + cos(pi t / 8)) / 2 of 0.4, and no further after the last step
    assert rates[0] == pytest.approx(0.4)
    assert rates[4] == pytest.approx(0.4 * 0.525)
    assert rates[8] == rates[9] == pytest.approx(0.02)


def test_gradients_are_clipped_together():
    # (3, 4) has norm 5: clipped at 1 it is (0.6, 0.8); v = 0.1 g^2, so the step is the same, but v is not.
    one, two = keras.Variable(np.zeros(1, np.float32)), keras.Variable(np.zeros(1, np.float32))
    optimizer = build_optimizer(dataclasses.replace(PAPER, clip_norm=1.0), 100)
    optimizer.build([one, two])
    optimizer.apply_gradients([(keras.ops.ones(1) * 3, one), (keras.ops.ones(1) * 4, two)])
    squares = [float(square.numpy()[0]) for square in optimizer._squares]
    np.testing.assert_allclose(squares, [0.036, 0.064], rtol=1e-5)


def test_released_rmsprop_is_rebuilt_from_its_config():
    again = ReleasedRMSprop.from_config(ReleasedRMSprop(0.5, rho=0.8, global_clipnorm=2.0).get_config())
    assert (float(again.learning_rate), again.rho, again.global_clipnorm) == (0.5, 0.8, 2.0)
