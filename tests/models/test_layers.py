import keras
import numpy as np
import pytest
import tensorflow as tf

from msw2.models.layers import (
    Opinion,
    Sampling,
    SelectTrack,
    StackTracks,
    Standardise,
    ToLogits,
    ToPhrases,
    ToUnits,
)


@pytest.fixture
def given_epsilon(monkeypatch):
    """Makes keras.random.normal return 2, -3, 2, -3, ... times the deviation that it is asked for."""

    def normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
        unit = np.resize([2.0, -3.0], tuple(shape)).astype(np.float32)
        return mean + stddev * tf.constant(unit)

    monkeypatch.setattr(keras.random, "normal", normal)


MOMENTS = np.array([[1.0, -2.0, 0.5, 4.0], [0.0, 3.0, -1.0, 2.0]], np.float32)  # mean, mean, s, s


def test_sampling_with_s_as_a_log_variance(given_epsilon):
    # mean + exp(s / 2) * 0.1 * (2, -3)
    expected = [
        [1.0 + 0.2 * np.exp(0.25), -2.0 - 0.3 * np.exp(2.0)],
        [0.0 + 0.2 * np.exp(-0.5), 3.0 - 0.3 * np.exp(1.0)],
    ]
    made = Sampling("log_variance", 0.1, seed=0)(MOMENTS, training=True)
    np.testing.assert_allclose(made, expected, rtol=1e-6)


def test_sampling_with_s_as_a_multiplier(given_epsilon):
    expected = [[1.0 + 0.2 * 0.5, -2.0 - 0.3 * 4.0], [0.0 - 0.2, 3.0 - 0.3 * 2.0]]
    made = Sampling("multiplier", 0.1, seed=0)(MOMENTS, training=True)
    np.testing.assert_allclose(made, expected, rtol=1e-6)


@pytest.mark.parametrize(("sigma", "deviation"), [("log_variance", 0.25 * np.exp(0.5)), ("multiplier", 0.25)])
def test_samples_have_the_mean_and_deviation_asked_for(sigma, deviation):
    moments = np.tile([[5.0, -7.0, 1.0, 1.0]], (20_000, 1)).astype(np.float32)
    sample = np.asarray(Sampling(sigma, 0.25, seed=1)(moments, training=True))
    np.testing.assert_allclose(sample.mean(axis=0), [5.0, -7.0], atol=5 * deviation / 20_000**0.5)
    np.testing.assert_allclose(sample.std(axis=0), [deviation] * 2, rtol=0.03)
    assert abs(np.corrcoef(sample.T)[0, 1]) < 0.03


def test_sampling_is_fixed_by_its_seed_and_goes_on_from_call_to_call():
    moments = np.zeros((3, 8), np.float32)
    one, same, other = (Sampling("log_variance", 1.0, seed=seed) for seed in (4, 4, 5))
    first, second = (np.asarray(one(moments, training=True)) for _ in range(2))
    assert np.array_equal(first, same(moments, training=True))
    assert np.array_equal(second, same(moments, training=True))
    assert not np.allclose(first, second)
    assert not np.allclose(first, other(moments, training=True))


def test_without_epsilon_a_sample_is_the_mean():
    assert np.array_equal(Sampling("log_variance", 0.0, seed=0)(MOMENTS, training=True), MOMENTS[:, :2])


def test_in_inference_a_sample_is_the_mean_and_draws_nothing():
    layer, other = (Sampling("log_variance", 1.0, seed=4) for _ in range(2))
    for given in ({}, {"training": False}):
        assert np.array_equal(layer(MOMENTS, **given), MOMENTS[:, :2])
    drawn = other(MOMENTS, training=True)
    assert np.array_equal(layer(MOMENTS, training=False, always=True), drawn)
    assert not np.array_equal(drawn, MOMENTS[:, :2])


def test_phrases_are_cut_into_units_and_put_together_again():
    cells = np.arange(2 * 4 * 3 * 2 * 5).reshape(2, 4, 3, 2, 5) % 7 == 0  # [phrase, bar, step, pitch, track]
    for steps, shape in ((3, (8, 3, 2, 5)), (12, (2, 12, 2, 5)), (6, (4, 6, 2, 5))):
        units = ToUnits(steps)(cells)
        assert units.dtype == "float32"
        assert units.shape == shape
        assert np.array_equal(np.ravel(units), np.where(np.ravel(cells), 1.0, -1.0))
        assert np.array_equal(ToPhrases((4, 3, 2, 5))(units) > 0, cells)
    assert np.array_equal(ToUnits(3)(cells)[5], np.where(cells[1, 1], 1.0, -1.0))


def test_a_track_is_taken_and_tracks_are_stacked():
    tracks = np.arange(2 * 5 * 6, dtype=np.float32).reshape(2, 5, 6)
    assert np.array_equal(SelectTrack(3, 1)(tracks), tracks[:, 3])
    assert np.array_equal(SelectTrack(3, 1, size=2)(tracks), tracks[:, 3, :2])
    assert np.array_equal(SelectTrack(4, -1)(tracks), tracks[..., 4])
    one, two = tracks[:, 0], tracks[:, 1]
    assert np.array_equal(StackTracks(1)([one, two]), tracks[:, :2])
    assert np.array_equal(StackTracks(-1)([one, two]), np.moveaxis(tracks[:, :2], 1, -1))
    assert np.array_equal(StackTracks(1, size=4)([one, two]), tracks[:, :2, :4])


def test_an_opinion_is_twice_the_probability_less_one():
    # logits of p = 3/4, 1/10 and 1/2
    logits = np.array([[np.log(3), -np.log(9), 0.0]], np.float32)
    np.testing.assert_allclose(Opinion(True)(logits), [[0.5, -0.8, 0.0]], atol=1e-6)
    signed = np.array([[0.5, -0.8, 0.0]], np.float32)
    assert np.array_equal(Opinion(False)(signed), signed)


def test_the_layers_between_the_parts_are_float32_whatever_the_policy():
    layers = ToUnits(3), ToPhrases((1,)), SelectTrack(0, 1), StackTracks(1), Opinion(True), ToLogits()
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        again = [type(layer).from_config(layer.get_config()) for layer in layers]
        built = [Sampling("multiplier", 1.0, 0), Standardise(), ToUnits(3), Opinion(True), SelectTrack(0, 1)]
    finally:
        keras.config.set_dtype_policy(before)
    assert {layer.compute_dtype for layer in (*layers, *again, *built)} == {"float32"}


def test_standardise_changes_nothing_until_told_and_then_scales_there_and_back():
    moments = np.array([[[1.0, 10.0, -3.0], [2.0, 20.0, 8.0]]], np.float32)  # [1, track 2, feature 3]
    there, back = Standardise(), Standardise(inverse=True)
    assert np.array_equal(there(moments), moments)
    assert np.array_equal(back(moments), moments)
    mean, deviation = [[1.0, 4.0, -1.0], [0.0, 20.0, 6.0]], [[1.0, 3.0, 0.5], [4.0, 7.0, 2.0]]
    for layer in (there, back):
        layer.set_statistics(mean, deviation)
    scaled = there(moments)
    np.testing.assert_allclose(scaled, [[[0.0, 2.0, -4.0], [0.5, 0.0, 1.0]]], atol=1e-6)
    np.testing.assert_allclose(back(scaled), moments, atol=1e-5)


def test_statistics_are_saved_but_never_trained():
    layer = Standardise()
    layer.build((None, 2, 3))
    assert [w.name for w in layer.weights] == ["mean", "deviation"]
    inputs = keras.Input((2, 3))
    model = keras.Model(inputs, layer(inputs))
    model.trainable = True  # as `set_stage` does with a part that is trained
    assert model.trainable_weights == []
    assert len(model.non_trainable_weights) == 2


@pytest.mark.parametrize(
    "layer",
    [
        Sampling("multiplier", 0.3, seed=9, name="a"),
        Standardise(inverse=True, name="c"),
        ToUnits(4, name="d"),
        ToPhrases((2, 3), name="e"),
        SelectTrack(1, -1, size=2, name="f"),
        StackTracks(1, size=2, name="g"),
        Opinion(True, name="h"),
        ToLogits(name="i"),
    ],
)
def test_layers_are_rebuilt_from_their_config(layer):
    again = type(layer).from_config(layer.get_config())
    shapes = {"a": (2, 6), "c": (2, 3, 4), "d": (2, 2, 8, 3, 5), "e": (4, 3), "f": (2, 3, 4)}
    shape = shapes.get(layer.name, (2, 3))
    inputs = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    assert again.get_config() == layer.get_config()
    assert again.name == layer.name
    if layer.name == "c":
        layer(inputs), again(inputs)
        for each in (layer, again):
            each.set_statistics(inputs[0], np.abs(inputs[1]) + 1)
    options = {"training": True} if layer.name == "a" else {}
    inputs = [inputs, 2 * inputs] if layer.name == "g" else inputs
    assert np.array_equal(layer(inputs, **options), again(inputs, **options))
