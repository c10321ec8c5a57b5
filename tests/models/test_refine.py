import dataclasses

import keras
import numpy as np
import pytest

from msw2.config import SMOKE
from msw2.models.layers import ToLogits
from msw2.models.refine import build_refiner

CONFIG = dataclasses.replace(
    SMOKE, steps=8, beat_resolution=2, pitches=5, refine_residual=True, refine_threshold="half"
)


def test_logits_of_signed_probabilities_by_hand():
    # 2p - 1 for p = 0.5, 0.75, 0.1: logits 0, log 3, -log 9; certainty is cut off at 1 - 1e-6, p = 1 - 5e-7.
    signed = np.array([0.0, 0.5, -0.8, 1.0, -1.0], np.float32)
    edge = np.log((2 - 1e-6) / 1e-6)
    expected = [0.0, np.log(3), -np.log(9), edge, -edge]
    np.testing.assert_allclose(ToLogits()(signed), expected, rtol=0.01, atol=1e-6)


def test_a_residual_refiner_begins_with_what_it_is_given():
    signed = np.random.default_rng(0).uniform(-0.99, 0.99, (3, 8, 5)).astype(np.float32)
    refiner = build_refiner(CONFIG, "bass")
    np.testing.assert_allclose(refiner(signed), (signed + 1) / 2, atol=1e-5)
    weights = refiner.get_layer("output").get_weights()
    refiner.get_layer("output").set_weights([weights[0], np.array([0, 0, 9, 0, -9], np.float32)])
    moved = np.asarray(refiner(signed * 0))
    np.testing.assert_allclose(moved[0, 0], [0.5, 0.5, 0.99988, 0.5, 0.00012], atol=1e-5)


def test_without_the_residual_it_begins_with_nothing_in_particular():
    refiner = build_refiner(dataclasses.replace(CONFIG, refine_residual=False), "bass")
    signed = np.full((1, 8, 5), 0.99, np.float32)
    assert np.asarray(refiner(signed)).max() < 0.9
    assert refiner.count_params() == build_refiner(CONFIG, "bass").count_params()


@pytest.mark.parametrize("residual", [True, False])
def test_each_step_is_refined_by_itself(residual):
    refiner = build_refiner(dataclasses.replace(CONFIG, refine_residual=residual), "piano")
    weights = [np.random.default_rng(1).normal(0, 0.1, w.shape) for w in refiner.get_weights()]
    refiner.set_weights(weights)
    signed = np.random.default_rng(2).uniform(-1, 1, (1, 8, 5)).astype(np.float32)
    changed = signed.copy()
    changed[0, 3] *= -1
    difference = np.abs(np.asarray(refiner(signed)) - np.asarray(refiner(changed))).max(axis=-1)[0]
    assert difference[3] > 1e-3
    assert np.delete(difference, 3).max() < 1e-6


NETWORKS = ("notes", "bars")
OUTPUTS = ("sigmoid", "released", "deterministic", "stochastic")


def varied(network, output, residual=False):
    """A refiner whose weights are not those it starts with."""
    fields = {"refine": network, "refine_output": output, "refine_residual": residual}
    keras.utils.set_random_seed(7)
    refiner, rng = build_refiner(dataclasses.replace(CONFIG, **fields), "bass"), np.random.default_rng(4)
    for weight in refiner.trainable_weights:
        weight.assign(weight + rng.normal(0, 0.03, weight.shape))
    return refiner


def random_signed(bars=6):
    return np.random.default_rng(0).uniform(-0.99, 0.99, (bars, 8, 5)).astype(np.float32)


@pytest.mark.parametrize("output", ["sigmoid", "deterministic"])
@pytest.mark.parametrize("network", NETWORKS)
def test_every_residual_network_begins_with_nothing(network, output):
    config = dataclasses.replace(CONFIG, refine=network, refine_output=output)
    signed = random_signed()
    expected = (signed + 1) / 2 if output == "sigmoid" else signed >= 0
    refiner = build_refiner(config, "bass")
    for training in (False, True):
        np.testing.assert_allclose(refiner(signed, training=training), expected, atol=1e-5)


@pytest.mark.parametrize("network", NETWORKS)
def test_the_released_output_is_never_below_a_half_so_every_cell_is_on(network):
    released, logits = varied(network, "released"), varied(network, "sigmoid")
    made = np.asarray(released(random_signed()))
    assert made.min() == 0.5
    assert made.max() > 0.51
    assert (made >= 0.5).all()
    # hard_sigmoid(ReLU(x)) of the same network's logits
    logits.set_weights(released.get_weights())
    p = np.float64(logits(random_signed()))
    expected = np.clip(0.2 * np.maximum(np.log(p / (1 - p)), 0) + 0.5, 0, 1)
    np.testing.assert_allclose(made, expected, atol=1e-4)


@pytest.mark.parametrize("network", NETWORKS)
def test_in_bars_and_in_notes_the_sigmoid_is_on_both_sides_of_a_half(network):
    made = np.asarray(varied(network, "sigmoid")(random_signed()))
    assert made.min() < 0.48
    assert made.max() > 0.52


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("network", NETWORKS)
def test_a_bar_is_refined_the_same_in_any_batch(network, output):
    refiner, signed = varied(network, output), random_signed()
    whole, again = np.asarray(refiner(signed)), np.asarray(refiner(signed[[4, 1, 1]]))
    np.testing.assert_allclose(again, whole[[4, 1, 1]], atol=1e-5)
    if output in ("deterministic", "stochastic"):
        assert set(np.unique(whole)) == {0, 1}
        assert np.array_equal(again, whole[[4, 1, 1]])


def test_in_bars_a_unit_sees_the_steps_and_pitches_around_a_cell():
    refiner, signed = varied("bars", "sigmoid"), random_signed(1)
    changed = signed.copy()
    changed[0, 3, 2] *= -1
    moved = np.abs(np.asarray(refiner(signed)) - np.asarray(refiner(changed)))[0]
    assert (moved > 1e-7).sum() > 20


@pytest.mark.parametrize("residual", [True, False])
def test_none_is_the_bvae_alone(residual):
    refiner = build_refiner(dataclasses.replace(CONFIG, refine="none", refine_residual=residual), "bass")
    signed = random_signed()
    assert refiner.weights == []
    assert np.array_equal(refiner(signed), 0.5 * (signed + 1.0))
