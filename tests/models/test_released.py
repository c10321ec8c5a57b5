"""RELEASED against Keras 2.1.6's maths, written out in NumPy and float64."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from msw2.config import RELEASED
from msw2.models import bvae, mfg_vae
from msw2.models.layers import Sampling
from msw2.models.refine import build_refiner
from msw2.models.sandwich import part_seed
from msw2.training.optimizers import build_optimizer

SMALL = dataclasses.replace(
    RELEASED, steps=4, pitches=5, lowest_pitch=40, beat_resolution=1, bvae_hidden=3, bvae_latent=2
)


def hard_sigmoid(x):
    return np.clip(0.2 * x + 0.5, 0, 1)


def lstm(x, kernel, recurrent, bias):
    """All states, [batch, step, unit]; gates i, f, c, o."""
    units = len(recurrent)
    h = c = np.zeros((len(x), units))
    states = []
    for step in range(x.shape[1]):
        z = x[:, step] @ kernel + h @ recurrent + bias
        i, f, o = (hard_sigmoid(z[:, k * units : (k + 1) * units]) for k in (0, 1, 3))
        c = f * c + i * np.tanh(z[:, 2 * units : 3 * units])
        h = o * np.tanh(c)
        states.append(h)
    return np.stack(states, axis=1)


def vae(weights, bar, epsilon):
    """mean, s and the output of a released VAE. Weights: LSTM, mean, s; LSTM, LSTM."""
    *encoder, w_mean, b_mean, w_s, b_s = weights[:7]
    state = lstm(bar, *encoder)[:, -1]
    mean, s = state @ w_mean + b_mean, state @ w_s + b_s
    z = mean + s * epsilon
    repeated = np.repeat(z[:, None], bar.shape[1], axis=1)
    return mean, s, lstm(lstm(repeated, *weights[7:10]), *weights[10:])


def loss(weights, bar, epsilon):
    mean, s, output = vae(weights, bar, epsilon)
    return np.mean((output - bar) ** 2) - 0.5 * np.mean(1 + s - mean**2 - np.exp(s))


def finite_differences(weights, bar, epsilon, step=1e-6):
    gradients = [np.zeros_like(w) for w in weights]
    for weight, gradient in zip(weights, gradients, strict=True):
        for index in np.ndindex(weight.shape):
            here = weight[index]
            weight[index] = here + step
            above = loss(weights, bar, epsilon)
            weight[index] = here - step
            gradient[index] = (above - loss(weights, bar, epsilon)) / (2 * step)
            weight[index] = here
    return gradients


def variables_of(encoder, decoder):
    """The weights in the oracle's order, found by the names of the layers."""
    layers = [encoder.get_layer(name) for name in ("lstm", "mean", "s")]
    layers += [decoder.get_layer(name) for name in ("lstm", "output")]
    return [weight for layer in layers for weight in layer.weights]


def float64(variables):
    return [np.asarray(v.numpy(), np.float64) for v in variables]


def build_bvae(config):
    keras.utils.set_random_seed(part_seed(config, "bass_encoder"))
    encoder = bvae.build_encoder(config, "bass")
    keras.utils.set_random_seed(part_seed(config, "bass_decoder"))
    decoder = bvae.build_decoder(config, "bass")
    return bvae.build_bvae(config, encoder, decoder, seed=0)


def given(monkeypatch, unit):
    """Makes every draw of the samplers `unit` times their deviation."""

    def normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
        return mean + stddev * tf.constant(unit, tf.float32)

    monkeypatch.setattr(keras.random, "normal", normal)


def random_bars(rng, config, bars):
    return np.where(rng.random((bars, config.steps, config.pitches)) < 0.3, 1.0, -1.0)


def widen(rng, *models):
    """Weights far from the start: gates beyond their linear part, biases that are not zero."""
    for model in models:
        model.set_weights([np.float32(w + rng.normal(0, 0.5, w.shape)) for w in model.get_weights()])


def test_parameter_counts():
    encoder, decoder = bvae.build_encoder(RELEASED, "bass"), bvae.build_decoder(RELEASED, "bass")
    assert encoder.count_params() + decoder.count_params() == 1_120_656
    fusion = mfg_vae.build_encoder(RELEASED).count_params() + mfg_vae.build_decoder(RELEASED).count_params()
    assert fusion == 1_756_288  # strategy 3
    assert build_refiner(RELEASED, "bass").count_params() == 524_884
    # 7 units of 4 + 2,368 + 256 + 2,305, and the last batch normalisation
    in_bars = build_refiner(dataclasses.replace(RELEASED, refine="bars"), "bass")
    assert in_bars.count_params() == 34_535
    assert sum(int(np.prod(w.shape)) for w in in_bars.trainable_weights) == 33_623
    nothing = build_refiner(dataclasses.replace(RELEASED, refine="none"), "bass")
    assert nothing.count_params() == 0


def test_a_bvae_of_full_size_computes_what_keras_2_did(monkeypatch):
    rng = np.random.default_rng(0)
    model = build_bvae(RELEASED)
    bar, unit = random_bars(rng, RELEASED, 2), rng.normal(0, 1, (2, 256))
    given(monkeypatch, unit)
    found = model(bar.astype(np.float32))
    weights = float64(variables_of(model.encoder, model.decoder))
    mean, s, output = vae(weights, bar, 0.01 * unit)
    assert np.abs(mean).max() > 0.05
    np.testing.assert_allclose(found["moments"], np.concatenate([mean, s], axis=1), atol=1e-5)
    np.testing.assert_allclose(found["output"], output, atol=1e-5)


def test_the_mfg_vae_of_full_size_computes_what_keras_2_did(monkeypatch):
    rng = np.random.default_rng(1)
    sampling = Sampling(RELEASED.sigma, RELEASED.epsilon_std, 0)
    encoder, decoder = mfg_vae.build_encoder(RELEASED), mfg_vae.build_decoder(RELEASED)
    model = mfg_vae.build_mfg_vae(RELEASED, encoder, sampling, decoder)
    band, unit = rng.normal(0, 1, (3, 5, 512)), rng.normal(0, 1, (3, 64))
    given(monkeypatch, unit)
    found = model(band.astype(np.float32))
    mean, s, output = vae(float64(variables_of(model.encoder, model.decoder)), band, 0.01 * unit)
    np.testing.assert_allclose(found["moments"], np.concatenate([mean, s], axis=1), atol=1e-5)
    np.testing.assert_allclose(found["output"], output, atol=1e-5)
    assert np.abs(output).max() < 1  # the output of an LSTM


def test_a_refiner_of_full_size_is_a_perceptron_for_each_step():
    rng = np.random.default_rng(2)
    model = build_refiner(RELEASED, "piano")
    bar = rng.uniform(-1, 1, (2, 48, 84))
    x = bar
    *hidden, (w, b) = np.array(float64(model.weights), dtype=object).reshape(-1, 2)
    assert [len(bias) for _, bias in hidden] == [512, 512, 256, 256]
    for kernel, bias in hidden:
        x = np.maximum(x @ kernel + bias, 0)
    np.testing.assert_allclose(model(bar.astype(np.float32)), 1 / (1 + np.exp(-(x @ w + b))), atol=1e-5)


@pytest.fixture(scope="module")
def small():
    """A small BVAE with wide weights, bars, epsilon (units), and the oracle's loss and gradients."""
    rng = np.random.default_rng(3)
    model = build_bvae(SMALL)
    widen(rng, model.encoder, model.decoder)
    bar, unit = random_bars(rng, SMALL, 4), rng.normal(0, 100, (4, 2))  # so that 0.01 of it counts
    weights = float64(variables_of(model.encoder, model.decoder))
    return model, bar, unit, weights, finite_differences(weights, bar, 0.01 * unit)


def test_epsilon_counts_in_the_oracle(small):
    _, bar, unit, weights, _ = small
    assert abs(loss(weights, bar, 0.01 * unit) - loss(weights, bar, 0 * unit)) > 1e-3


def test_loss_and_gradients(small, monkeypatch):
    model, bar, unit, weights, expected = small
    given(monkeypatch, unit)
    bars = tf.constant(bar, tf.float32)
    with tf.GradientTape() as tape:
        value = model.compute_loss(bars, bars, model(bars, training=True))
    assert float(value) == pytest.approx(loss(weights, bar, 0.01 * unit), abs=1e-5)
    variables = variables_of(model.encoder, model.decoder)
    for variable, found, oracle in zip(
        variables, tape.gradient(value, [v.value for v in variables]), expected, strict=True
    ):
        np.testing.assert_allclose(found, oracle, atol=1e-5, err_msg=variable.path)


def test_two_steps_of_rmsprop(small, monkeypatch):
    """The epsilon outside the root, the running mean from zero, and one step's effect on the next."""
    model, bar, unit, start, first = small
    given(monkeypatch, unit)
    bars = tf.constant(bar, tf.float32)
    before = [v.numpy() for v in variables_of(model.encoder, model.decoder)]
    model.compile(optimizer=build_optimizer(SMALL, 100), run_eagerly=True)
    try:
        weights, squares = [w.copy() for w in start], [np.zeros_like(w) for w in start]
        for step in range(2):
            model.reset_metrics()  # an earlier Keras goes on with the mean
            value = model.train_on_batch(bars, bars)
            assert float(np.ravel(value)[0]) == pytest.approx(loss(weights, bar, 0.01 * unit), abs=1e-5)
            gradients = finite_differences(weights, bar, 0.01 * unit) if step else first
            squares = [0.9 * v + 0.1 * g**2 for v, g in zip(squares, gradients, strict=True)]
            weights = [
                w - 0.001 * g / (np.sqrt(v) + 1e-7)
                for w, g, v in zip(weights, gradients, squares, strict=True)
            ]
            variables = variables_of(model.encoder, model.decoder)
            for variable, oracle in zip(variables, weights, strict=True):
                np.testing.assert_allclose(variable.numpy(), oracle, atol=1e-5, err_msg=variable.path)
        assert np.abs(weights[0] - start[0]).max() > 3e-3
    finally:
        for variable, value in zip(variables_of(model.encoder, model.decoder), before, strict=True):
            variable.assign(value)


def test_the_mean_is_taken_over_batch_and_latent_and_the_terms_add_up(small, monkeypatch):
    model, bar, unit, weights, _ = small
    given(monkeypatch, unit)
    bars = tf.constant(bar, tf.float32)
    model.compile(optimizer=build_optimizer(SMALL, 100), run_eagerly=True)
    logs = model.evaluate(bars, bars, batch_size=4, verbose=0, return_dict=True)
    mean, s, output = vae(weights, bar, 0.01 * unit)
    assert logs["nll"] == pytest.approx(((output - bar) ** 2).mean(), abs=1e-5)
    assert logs["kl"] == pytest.approx((-0.5 * (1 + s - mean**2 - np.exp(s))).mean(), abs=1e-5)
    assert logs["loss"] == pytest.approx(logs["nll"] + logs["kl"], abs=1e-6)
