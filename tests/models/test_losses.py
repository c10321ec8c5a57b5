import math

import numpy as np
import pytest
import tensorflow as tf

from msw2.models import losses


def test_gaussian_nll_is_the_mean_squared_error_over_everything():
    target = np.array([[[1.0, -1.0], [-1.0, -1.0], [1.0, 1.0]]])
    output = np.array([[[0.5, -1.0], [0.0, -0.5], [1.0, -0.5]]])
    # 0.25 + 0 + 1 + 0.25 + 0 + 2.25 = 3.75 over six cells
    assert float(losses.gaussian_nll(target, output)) == pytest.approx(0.625)


def test_bernoulli_nll_is_summed_over_cells_and_averaged_over_bars():
    # Bar 0: logit ln 3 is p = 3/4. Sounding costs ln 4/3, silent ln 4. Bar 1: four cells of p = 1/2.
    logits = np.array([[[math.log(3), math.log(3)], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    target = np.array([[[1.0, -1.0], [1.0, -1.0]], [[1.0, 1.0], [-1.0, 1.0]]])
    bar_0 = math.log(4 / 3) + math.log(4) + 2 * math.log(2)
    bar_1 = 4 * math.log(2)
    assert float(losses.bernoulli_nll(target, logits)) == pytest.approx((bar_0 + bar_1) / 2, abs=1e-6)


def test_bernoulli_nll_is_exact_for_large_logits():
    target = np.array([[[1.0, -1.0, -1.0]]])
    assert float(losses.bernoulli_nll(target, np.array([[[1000.0, -1000.0, 50.0]]]))) == pytest.approx(50.0)


def test_kl_divergence_reads_s_as_a_log_variance_and_averages_over_batch_and_units():
    # -0.5 (1 + s - m^2 - e^s): unit by unit, by hand
    moments = np.array([[0.0, 3.0, 0.0, 0.0], [1.0, 0.0, math.log(2), math.log(0.5)]])
    units = [0.0, 4.5, 0.5 * (1 + 2 - 1 - math.log(2)), 0.5 * (0.5 - 1 + math.log(2))]
    assert float(losses.kl_divergence(moments)) == pytest.approx(sum(units) / 4, abs=1e-6)


def test_kl_divergence_is_that_of_gaussians():
    # Against the integral of q ln(q / p), by a sum over a fine grid.
    mean, s = 0.7, -0.9
    x = np.linspace(-12, 12, 200_001)
    q = np.exp(-((x - mean) ** 2) / (2 * math.exp(s))) / math.sqrt(2 * math.pi * math.exp(s))
    p = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    kl = np.sum(q * (np.log(q + 1e-300) - np.log(p + 1e-300))) * (x[1] - x[0])
    assert float(losses.kl_divergence(np.array([[mean, s]]))) == pytest.approx(kl, abs=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_losses_compute_in_float32(dtype):
    # 0.1 squared, a thousand times: in half precision the sum would stall well before 10.
    ones = tf.ones((1, 1000, 1), dtype)
    loss = losses.gaussian_nll(tf.zeros((1, 1000, 1), dtype), 0.1 * ones)
    assert loss.dtype == tf.float32
    assert float(loss) == pytest.approx(float(tf.cast(0.1 * ones, tf.float32)[0, 0, 0]) ** 2, rel=1e-5)
    nll = losses.bernoulli_nll(-ones, tf.zeros((1, 1000, 1), dtype))
    assert nll.dtype == tf.float32
    assert float(nll) == pytest.approx(1000 * math.log(2), rel=1e-5)
    assert losses.kl_divergence(tf.zeros((1, 6), dtype)).dtype == tf.float32


def test_the_refiners_loss_is_the_mean_cross_entropy_of_what_sounds():
    target, probability = np.array([[[1.0, -1.0]]]), np.array([[[0.8, 0.4]]])
    expected = -(math.log(0.8) + math.log(0.6)) / 2
    assert float(losses.refine_loss(1.0)(target, probability)) == pytest.approx(expected, rel=1e-5)
    expected = -(3 * math.log(0.8) + math.log(0.6)) / 2
    assert float(losses.refine_loss(3.0)(target, probability)) == pytest.approx(expected, rel=1e-5)

    bar = np.array([[[1.0, -1.0]]])
    for output in ("released", "deterministic", "stochastic"):
        expected = (3 * 0.2**2 + 0.4**2) / 2
        assert float(losses.refine_loss(3.0, output)(bar, probability)) == pytest.approx(expected, rel=1e-5)


def test_the_accuracy_is_the_share_of_cells_that_are_right_also_with_an_uneven_last_batch():
    accuracy = losses.refine_accuracy()
    bars = np.array([[[1.0, -1.0], [-1.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]], [[-1.0] * 2] * 2], np.float32)
    made = np.array([[[0.5, 0.49], [0.5, 0.6]], [[0.4, 0.4], [0.4, 0.9]], [[0.1] * 2] * 2], np.float32)
    accuracy.update_state(bars[:2], made[:2])
    accuracy.update_state(bars[2:], made[2:])
    assert float(accuracy.result()) == pytest.approx((0.75 + 0.25 + 1) / 3)
