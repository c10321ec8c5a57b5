"""The threshold of a refiner: what its weights become."""

import dataclasses
import math

import numpy as np
import pytest

from msw2.config import SMOKE
from msw2.models import refine
from msw2.models.refine import build_refiner, set_threshold

CONFIG = dataclasses.replace(SMOKE, bars=2, steps=8, pitches=6, lowest_pitch=40, beat_resolution=2)


@pytest.fixture(params=["notes", "bars"])
def refiner(request, monkeypatch):
    """A refiner whose probabilities are all over 0..1."""
    monkeypatch.setattr(refine, "UNITS", 1)
    built = build_refiner(dataclasses.replace(CONFIG, refine=request.param, refine_residual=False), "bass")
    rng = np.random.default_rng(0)
    kernel, *others = built.get_layer("output").weights
    kernel.assign(rng.normal(0, 5, kernel.shape) if request.param == "notes" else [1.5])
    others[0].assign(rng.normal(0, 0.5, others[0].shape))
    return built


def signed_units():
    return np.random.default_rng(1).uniform(-1, 1, (3, 8, 6)).astype(np.float32)


def test_the_odds_are_multiplied_and_nothing_but_one_weight_moves(refiner):
    before, weights = np.asarray(refiner(signed_units()), np.float64), refiner.get_weights()
    assert before.min() < 0.2
    assert before.max() > 0.5
    set_threshold(refiner, 0.2)  # odds 1 : 4
    np.testing.assert_allclose(refiner(signed_units()), 4 * before / (4 * before + 1 - before), atol=1e-6)
    after = refiner.get_weights()
    (moved,) = (i for i, weight in enumerate(weights) if not np.array_equal(weight, after[i]))
    output = refiner.get_layer("output")
    assert refiner.weights[moved] is (output.beta if hasattr(output, "beta") else output.bias)
    np.testing.assert_allclose(
        after[moved] - weights[moved], np.full_like(weights[moved], math.log(4)), atol=1e-6
    )


def test_a_probability_of_the_threshold_becomes_a_half(refiner):
    before = np.asarray(refiner(signed_units()), np.float64)
    threshold = before[2, 5, 1]
    set_threshold(refiner, threshold)
    after = np.asarray(refiner(signed_units()))
    assert after[2, 5, 1] == pytest.approx(0.5, abs=1e-6)
    other = np.abs(before - threshold) > 1e-5
    assert np.array_equal((after >= 0.5)[other], (before >= threshold)[other])
    assert other.sum() > 140  # of 144 cells


def test_a_half_changes_nothing(refiner):
    weights = refiner.get_weights()
    set_threshold(refiner, 0.5)
    for before, after in zip(weights, refiner.get_weights(), strict=True):
        assert np.array_equal(before, after)
