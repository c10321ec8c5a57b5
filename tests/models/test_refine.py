import dataclasses

import numpy as np
import pytest

from msw2.config import SMOKE
from msw2.models.layers import ToLogits
from msw2.models.refine import build_refiner

CONFIG = dataclasses.replace(SMOKE, steps=8, beat_resolution=2, pitches=5, refine_residual=True)


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
