"""The network of the diffusion prior: who sees whom, in which order its weights are, that it can be saved."""

import keras
import numpy as np
import pytest

from msw2.models.attention import REACH, BarAttention, Distances, TrackAttention
from msw2.models.copies import Copies
from msw2.models.denoiser import build_denoiser, weight_shapes
from msw2.models.per_track import PerTrack
from msw2.models.precision import building_in

SONGS, UNITS, TRACKS, CODE, CELLS, WIDTH = 2, 6, 3, 4, 7, 128
SIZES = {"tracks": TRACKS, "code": CODE, "cells": CELLS}


def moved(network, seed=0, scale=0.05):
    """Gives a network random weights, so that nothing in it is 0."""
    rng = np.random.default_rng(seed)
    network.set_weights([weight + rng.normal(0, scale, weight.shape) for weight in network.get_weights()])
    return network


@pytest.fixture(scope="module")
def network():
    """Two attentions, one of each kind."""
    return moved(build_denoiser(**SIZES, width=WIDTH, layers=2))


@pytest.fixture(scope="module")
def bars_alone():
    """One attention, along the bars."""
    return moved(build_denoiser(**SIZES, width=WIDTH, layers=1))


def inputs(**changes):
    rng = np.random.default_rng(1)
    whole = {
        "codes": rng.normal(size=(SONGS, UNITS, TRACKS, CODE)),
        "draft": rng.normal(size=(SONGS, UNITS, TRACKS, CELLS)),
        "log_sigma": rng.normal(size=(SONGS, UNITS)),
        "given": rng.random((SONGS, UNITS, TRACKS)) < 0.3,
        "place": rng.random((SONGS, UNITS, 2)),
    }
    numbers = np.tile(np.arange(UNITS, dtype=np.int32), (SONGS, 1))
    whole = {name: array.astype(np.float32) for name, array in whole.items()}
    return whole | {"position": numbers, "segment": np.zeros_like(numbers)} | changes


def made(network, **changes):
    return np.asarray(network(inputs(**changes)))


def changed(network, name, where, **changes):
    """Returns which of [song, unit, track] a change of an input at one place moves."""
    before = inputs(**changes)
    other = before[name].copy()
    other[where] += 1.5
    difference = np.asarray(network(before)) - np.asarray(network(before | {name: other}))
    return np.abs(difference).max(axis=-1) > 1e-6


def test_it_begins_with_the_draft_and_a_little_of_other_units_drafts():
    fresh = build_denoiser(**SIZES, width=WIDTH, layers=1)
    assert np.array_equal(fresh.get_layer("copies").gain.bias, [0.25] * 4)
    assert not np.array_equal(made(fresh), inputs()["draft"])
    fresh.get_layer("copies").gain.set_weights([np.zeros((WIDTH, 4)), np.zeros(4)])
    found = made(fresh)
    assert found.shape == (SONGS, UNITS, TRACKS, CELLS)
    assert found.dtype == np.float32
    assert np.array_equal(found, inputs()["draft"])


def test_units_of_other_segments_have_no_influence(network):
    segment = np.tile(np.int32([5, 5, -1, -1, 5, -1]), (SONGS, 1))
    found = changed(network, "codes", (0, 2, 1), segment=segment)
    expected = np.zeros((SONGS, UNITS, TRACKS), bool)
    expected[0, [2, 3, 5]] = True
    assert np.array_equal(found, expected)


def test_along_the_bars_a_track_sees_itself_alone(bars_alone):
    found = changed(bars_alone, "codes", (1, 3, 2))
    expected = np.zeros((SONGS, UNITS, TRACKS), bool)
    expected[1, :, 2] = True
    assert np.array_equal(found, expected)


def test_of_two_attentions_every_track_sees_all_bars_of_every_track(network):
    for name, where in (("codes", (0, 1, 2)), ("draft", (0, 1, 2, 4)), ("given", (0, 4, 0))):
        found = changed(network, name, where)
        assert found[0].all(), name
        assert not found[1].any(), name


def test_noise_and_place_are_of_their_unit(bars_alone):
    for name, where in (("log_sigma", (0, 5)), ("place", (0, 5, 0)), ("place", (0, 5, 1))):
        assert changed(bars_alone, name, where)[0].all()
    apart = np.tile(np.arange(UNITS, dtype=np.int32), (SONGS, 1))
    found = changed(bars_alone, "log_sigma", (0, 5), segment=apart)
    assert found[0, 5].all()
    assert found.sum() == TRACKS


def test_what_is_given_of_one_track_is_told_to_the_others_of_the_unit(bars_alone):
    apart = np.tile(np.arange(UNITS, dtype=np.int32), (SONGS, 1))
    found = changed(bars_alone, "given", (1, 2, 0), segment=apart)
    assert found[1, 2].all()
    assert found.sum() == TRACKS


def test_only_distances_count_and_those_beyond_the_reach_are_one(network):
    numbers = inputs()["position"]
    before = made(network)
    np.testing.assert_allclose(made(network, position=numbers + 1000), before, atol=1e-5)
    gap = numbers + 3 * (numbers > 2)
    assert np.abs(made(network, position=gap) - before).max() > 1e-3
    far, farther = (numbers + more * (numbers > 2) for more in (REACH, REACH + 90))
    np.testing.assert_allclose(made(network, position=farther), made(network, position=far), atol=1e-5)


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def heads(layer, tokens):
    """Queries, keys and values of an attention layer, float64 [song, unit, track, head, number]."""
    kernel = np.asarray(layer.project.kernel, np.float64)
    parts = np.split(tokens @ kernel, 3, axis=-1)
    return [part.reshape(*tokens.shape[:3], -1, 64) for part in parts]


def out(layer, seen):
    return seen.reshape(*seen.shape[:3], -1) @ np.asarray(layer.out.kernel, np.float64) + layer.out.bias


@pytest.fixture(scope="module")
def tokens():
    return np.random.default_rng(5).normal(size=(SONGS, UNITS, TRACKS, WIDTH))


def test_attention_along_the_bars_against_numpy(tokens):
    layer = BarAttention()
    rng = np.random.default_rng(2)
    position = np.sort(rng.integers(0, 90, (SONGS, UNITS))).astype(np.int32)
    segment = rng.integers(0, 2, (SONGS, UNITS)).astype(np.int32)
    read = [tokens.astype(np.float32), position, segment]
    layer(read)
    layer.distances.logits.assign(rng.normal(size=layer.distances.logits.shape))
    queries, keys, values = heads(layer, tokens)
    seen = np.zeros_like(queries)
    for song, unit, track, head in np.ndindex(queries.shape[:4]):
        logits = keys[song, :, track, head] @ queries[song, unit, track, head] / 8  # the root of 64
        away = np.clip(position[song] - position[song, unit], -64, 64)
        logits += np.asarray(layer.distances.logits)[head, 64 + away]
        logits[segment[song] != segment[song, unit]] = -np.inf
        seen[song, unit, track, head] = softmax(logits) @ values[song, :, track, head]
    np.testing.assert_allclose(layer(read), out(layer, seen), atol=2e-4)


def test_attention_across_the_tracks_against_numpy(tokens):
    layer = TrackAttention()
    found = layer(tokens.astype(np.float32))
    queries, keys, values = heads(layer, tokens)
    weights = softmax(np.einsum("suthn,supHn->suthHp", queries, keys)[..., range(2), range(2), :] / 8)
    # [song, unit, track, head, other track]
    np.testing.assert_allclose(found, out(layer, np.einsum("suthp,suphn->suthn", weights, values)), atol=2e-4)


def test_at_first_heads_look_at_every_first_second_fourth_and_eighth_bar():
    layer = Distances(5)
    layer.build(None)
    away = np.abs(np.arange(-64, 65))
    for head, every in enumerate((1, 2, 4, 8, 1)):
        expected = np.where((away > 0) & (away % every == 0), 0.0, -3.0)
        assert np.array_equal(layer.logits[head], expected.astype(np.float32))


def test_copies_against_numpy(tokens):
    layer, rng = Copies(2), np.random.default_rng(6)
    position = np.sort(rng.choice(90, (SONGS, UNITS), replace=False)).astype(np.int32)
    segment = rng.integers(0, 2, (SONGS, UNITS)).astype(np.int32)
    draft = rng.normal(size=(SONGS, UNITS, TRACKS, CELLS)).astype(np.float32)
    read = [tokens.astype(np.float32), draft, position, segment]
    layer(read)
    layer.distances.logits.assign(rng.normal(size=(2, 129)))
    kernel, bias = rng.normal(0, 0.1, (WIDTH, 2)), rng.normal(size=2)
    layer.gain.set_weights([kernel, bias])
    parts = np.split(tokens @ np.asarray(layer.project.kernel, np.float64), 2, axis=-1)
    queries, keys = (part.reshape(SONGS, UNITS, TRACKS, 2, 64) for part in parts)
    expected = np.zeros(draft.shape)
    for song, unit, track, head in np.ndindex(SONGS, UNITS, TRACKS, 2):
        logits = keys[song, :, track, head] @ queries[song, unit, track, head] / 8
        away = np.clip(position[song] - position[song, unit], -64, 64)
        logits += np.asarray(layer.distances.logits)[head, 64 + away]
        logits[segment[song] != segment[song, unit]] = -np.inf
        logits[unit] = -np.inf
        weights = softmax(np.append(logits, 0.0))[:-1]  # a head may look at nothing
        gain = tokens[song, unit, track] @ kernel[:, head] + bias[head]
        expected[song, unit, track] += gain * (weights @ (draft[song, :, track] + 3))
    np.testing.assert_allclose(layer(read), expected, atol=2e-4)


@pytest.mark.parametrize("activation", [None, "relu"])
def test_per_track_against_numpy(activation):
    layer = PerTrack(6, activation=activation)
    x = np.random.default_rng(3).normal(size=(2, 4, TRACKS, 5)).astype(np.float32)
    layer(x)
    rng = np.random.default_rng(4)
    kernel, bias = rng.normal(size=(TRACKS, 5, 6)), rng.normal(size=(TRACKS, 6))
    layer.set_weights([kernel, bias])
    expected = np.stack([x[:, :, track] @ kernel[track] + bias[track] for track in range(TRACKS)], axis=2)
    expected = np.maximum(expected, 0) if activation else expected
    found = np.asarray(layer(x))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    kernel[1] += 1
    layer.set_weights([kernel, bias])
    assert np.flatnonzero((np.asarray(layer(x)) != found).any(axis=(0, 1, 3))).tolist() == [1]


def test_per_track_begins_within_glorots_bounds_and_each_track_with_its_own():
    layer = PerTrack(60)
    layer.build((None, None, TRACKS, 40))
    kernel = np.asarray(layer.kernel)
    assert 0.95 * 0.06**0.5 < np.abs(kernel).max() <= 0.06**0.5
    assert not np.array_equal(kernel[0], kernel[1])
    assert not np.asarray(layer.bias).any()


def test_weights_are_in_the_order_that_files_have():
    network = build_denoiser(**SIZES, width=64, layers=2)
    block = "attention_{0}_scaled/gamma attention_{0}_scaled/beta attention_{0}/project/kernel "
    block += "attention_{0}/out/kernel attention_{0}/out/bias {1}perceptron_{0}_scaled/gamma "
    block += "perceptron_{0}_scaled/beta perceptron_{0}_hidden/kernel perceptron_{0}_hidden/bias "
    block += "perceptron_{0}/kernel perceptron_{0}/bias "
    names = "known_hidden/kernel known_hidden/bias from_codes/kernel from_codes/bias from_draft/kernel "
    names += "from_draft/bias from_known/kernel from_known/bias "
    names += block.format(0, "attention_0/distances/logits ") + block.format(1, "")
    names += "scaled/gamma scaled/beta correction/kernel correction/bias "
    names += "copies/project/kernel copies/gain/kernel copies/gain/bias copies/distances/logits"
    assert [weight.path for weight in network.weights] == names.split()
    shapes = weight_shapes(**SIZES, width=64, layers=2)
    assert [tuple(weight.shape) for weight in network.weights] == shapes
    # What is known of a token: 32 waves of its noise, 2 places, 3 given, 3 tracks, and whether it is given.
    known = 41 * 64 + 64 + 64 * 64 + 64
    read = 3 * (4 * 64 + 64) + 3 * (7 * 64 + 64)
    attention = 2 * 64 + 64 * 192 + 64 * 64 + 64
    perceptron = 2 * 64 + 3 * (64 * 256 + 256) + 3 * (256 * 64 + 64)
    written = 2 * 64 + 3 * (64 * 7 + 7)
    copied = 64 * 2 * 4 * 64 + 64 * 4 + 4 + 4 * 129
    whole = known + read + 2 * (attention + perceptron) + 129 + written + copied
    assert network.count_params() == whole


def test_tuneds_network_has_28_million_weights():
    shapes = weight_shapes(tracks=5, code=256, cells=48 * 84, width=256, layers=6)
    assert len(shapes) == 85
    assert sum(int(np.prod(shape)) for shape in shapes) == 28_232_148


def test_the_seed_makes_the_weights():
    weights = [build_denoiser(**SIZES, width=64, layers=1, seed=seed).get_weights() for seed in (1, 1, 2)]
    assert all(np.array_equal(a, b) for a, b in zip(weights[0], weights[1], strict=True))
    assert not np.array_equal(weights[0][0], weights[2][0])


def test_keras_saves_and_loads_it(network, tmp_path):
    network.save(tmp_path / "network.keras")
    again = keras.models.load_model(tmp_path / "network.keras")
    assert np.array_equal(made(again), made(network))


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_in_half_precision_it_is_nearly_the_same_and_segments_hold(network, precision):
    with building_in(precision):
        half = build_denoiser(**SIZES, width=WIDTH, layers=2)
    half.set_weights(network.get_weights())
    found = made(half)
    assert found.dtype == np.float32
    correction = made(network) - inputs()["draft"]
    assert np.abs(found - made(network)).max() < 0.1 * np.abs(correction).max()
    segment = np.tile(np.int32([0, 0, 1, 1, 1, 1]), (SONGS, 1))
    assert not changed(half, "codes", (0, 2, 1), segment=segment)[0, :2].any()
