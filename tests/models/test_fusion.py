"""The fusion strategies that are no VRAE, against NumPy and on their own terms."""

import dataclasses

import keras
import numpy as np
import pytest

from msw2.config import RELEASED, SMOKE
from msw2.models import fusion_mlp, mfg_vae
from msw2.models.layers import Sampling
from msw2.models.precision import building_in
from msw2.models.sandwich import build_sandwich, encoding_view
from msw2.music.tracks import TRACK_NAMES

# A different size on every axis.
BARS, LATENT, MFG_LATENT = 2, 3, 7
PERCEPTRONS = ("concatenate", "project")
CONFIG = dataclasses.replace(
    SMOKE,
    steps=4,
    pitches=6,
    lowest_pitch=40,
    beat_resolution=1,
    bvae_hidden=4,
    bvae_latent=LATENT,
    mfg_latent=MFG_LATENT,
    mfg_output="linear",
    mfg_target="moments",
    standardise=False,
    epsilon_std=0.0,
)
# All three without meaning.
NONE = dataclasses.replace(CONFIG, fusion="none", standardise=True, mfg_output="tanh", mfg_target="means")
# How many numbers of a track each target has, by hand: three means, or three means and then three s.
WIDTHS = {"moments": 6, "means": 3}


@pytest.fixture
def small(monkeypatch):
    """Layers of a few units: of the released sizes, these take seconds to fill."""
    monkeypatch.setattr(fusion_mlp, "CONCATENATED", (11, 8))
    monkeypatch.setattr(fusion_mlp, "PROJECTED", (9, 5))
    monkeypatch.setattr(fusion_mlp, "SPACE", 4)
    monkeypatch.setattr(fusion_mlp, "JOINT", (13,))


def build(fusion, **changes):
    """Encoder and decoder with random biases: those of zero, at the start, would hide what is not added."""
    config = dataclasses.replace(CONFIG, fusion=fusion, **changes)
    keras.utils.set_random_seed(1)
    models = mfg_vae.build_encoder(config), mfg_vae.build_decoder(config)
    rng = np.random.default_rng(2)
    for model in models:
        for weight in model.weights:
            if weight.name == "bias":
                weight.assign(rng.normal(0, 0.3, weight.shape))
    return models


def random_moments(bars=BARS, width=2 * LATENT):
    return np.random.default_rng(0).normal(0, 1, (bars, 5, width)).astype(np.float32)


def random_latents(rows=4):
    return np.random.default_rng(3).normal(0, 1, (rows, MFG_LATENT)).astype(np.float32)


class Oracle:
    """Dense layers of a model by name, in float64."""

    def __init__(self, model):
        self._model = model

    def __call__(self, x, name, relu=True):
        kernel, bias = (np.asarray(w, np.float64) for w in self._model.get_layer(name).get_weights())
        return np.maximum(x @ kernel + bias, 0) if relu else x @ kernel + bias


def oracle_moments(dense, features):
    return np.concatenate([dense(features, "mean", relu=False), dense(features, "s", relu=False)], axis=1)


@pytest.mark.parametrize(
    ("fusion", "encoder", "decoder"),
    [("vrae", 344_704, 1_411_584), ("concatenate", 13_278_080, 13_264_128), ("project", 525_760, 520_000)],
)
def test_parameter_counts_of_the_released_sizes(fusion, encoder, decoder):
    config = dataclasses.replace(RELEASED, fusion=fusion)
    found = mfg_vae.build_encoder(config).count_params(), mfg_vae.build_decoder(config).count_params()
    assert found == (encoder, decoder)
    assert sum(found) == {"vrae": 1_756_288, "concatenate": 26_542_208, "project": 1_045_760}[fusion]


@pytest.mark.parametrize(
    ("fusion", "encoder", "decoder"), [("vrae", 213_632, 493_056), ("project", 361_920, 354_880)]
)
def test_parameter_counts_of_the_released_sizes_on_means_alone(fusion, encoder, decoder):
    # By hand, of 256 means a track for 512 moments. vrae: LSTMs 4 * 128 * (256 + 128 + 1), 4 * 128 * (64 + 128 + 1) and
    # 4 * 256 * (128 + 256 + 1), moments 2 * 64 * (128 + 1); project: five times 256 * 128 and 256 * (128 + 1) fewer.
    config = dataclasses.replace(RELEASED, fusion=fusion, mfg_target="means")
    found = mfg_vae.build_encoder(config).count_params(), mfg_vae.build_decoder(config).count_params()
    assert found == (encoder, decoder)


@pytest.mark.parametrize("target", WIDTHS)
@pytest.mark.parametrize("fusion", ["vrae", *PERCEPTRONS])
def test_a_fusion_reads_and_makes_as_many_numbers_a_track_as_its_target_has(small, fusion, target):
    width = WIDTHS[target]
    for standardise in (False, True):
        encoder, decoder = build(fusion, mfg_target=target, standardise=standardise)
        assert encoder.input_shape == decoder.output_shape == (None, 5, width)
        assert encoder.output_shape == (None, 2 * MFG_LATENT)
        assert encoder(random_moments(width=width)).shape == (BARS, 2 * MFG_LATENT)
        assert decoder(random_latents()).shape == (4, 5, width)
    assert encoder.get_layer("standardise").mean.shape == (5, width)
    assert decoder.get_layer("unstandardise").mean.shape == (5, width)


def test_released_sizes():
    assert fusion_mlp.CONCATENATED == (2048, 2048, 1024, 1024, 512, 256)
    assert (*fusion_mlp.PROJECTED, fusion_mlp.SPACE) == (128, 128, 64, 64, 32, 32)


@pytest.mark.parametrize("target", WIDTHS)
def test_concatenate_is_a_perceptron_over_all_moments_and_its_mirror(small, target):
    encoder, decoder = build("concatenate", mfg_target=target)
    width = WIDTHS[target]
    band, latent = random_moments(width=width), random_latents()
    dense = Oracle(encoder)
    features = dense(dense(band.reshape(BARS, -1), "dense_0"), "dense_1")
    assert features.shape == (BARS, 8)
    np.testing.assert_allclose(encoder(band), oracle_moments(dense, features), atol=1e-5)
    dense = Oracle(decoder)
    features = dense(dense(latent, "dense_0"), "dense_1")
    assert features.shape == (4, 11)
    made = dense(features, "output", relu=False).reshape(4, 5, width)
    np.testing.assert_allclose(decoder(latent), made, atol=1e-5)


@pytest.mark.parametrize("target", WIDTHS)
def test_project_is_a_perceptron_a_track_then_one_over_the_projections_and_its_mirror(small, target):
    encoder, decoder = build("project", mfg_target=target)
    band, latent = random_moments(width=WIDTHS[target]), random_latents()
    dense, projections = Oracle(encoder), []
    for index, track in enumerate(TRACK_NAMES):
        features = dense(dense(band[:, index], f"{track}_dense_0"), f"{track}_dense_1")
        assert features.shape == (BARS, 5)
        projections.append(dense(features, f"{track}_projection", relu=False))
    features = dense(np.concatenate(projections, axis=1), "joint_0")
    assert features.shape == (BARS, 13)
    np.testing.assert_allclose(encoder(band), oracle_moments(dense, features), atol=1e-5)
    dense, made = Oracle(decoder), []
    projections = dense(dense(latent, "joint_0"), "projections", relu=False).reshape(4, 5, 4)
    for index, track in enumerate(TRACK_NAMES):
        features = dense(dense(projections[:, index], f"{track}_dense_0"), f"{track}_dense_1")
        assert features.shape == (4, 9)
        made.append(dense(features, f"{track}_output", relu=False))
    np.testing.assert_allclose(decoder(latent), np.stack(made, axis=1), atol=1e-5)


def test_a_track_reaches_the_latent_only_through_its_own_projection():
    encoder, _ = build("project")
    band = random_moments()
    for index, track in enumerate(TRACK_NAMES):
        before, kept = np.asarray(encoder(band)), encoder.get_weights()
        other = band.copy()
        other[:, index] += 3
        assert np.abs(np.asarray(encoder(other)) - before).max() > 1e-3
        kernel, bias = encoder.get_layer(f"{track}_projection").get_weights()
        encoder.get_layer(f"{track}_projection").set_weights([np.zeros_like(kernel), bias])
        cut = np.asarray(encoder(band))
        assert np.array_equal(encoder(other), cut)
        encoder.set_weights(kept)


def test_a_track_is_made_by_its_own_layers_alone():
    _, decoder = build("project")
    before = np.asarray(decoder(random_latents()))
    for layer in ("guitar_dense_0", "guitar_output"):
        kernel, bias = decoder.get_layer(layer).get_weights()
        decoder.get_layer(layer).set_weights([-kernel, bias])
    after = np.asarray(decoder(random_latents()))
    assert np.flatnonzero(np.abs(after - before).max(axis=(0, 2))).tolist() == [2]


@pytest.mark.parametrize("fusion", PERCEPTRONS)
def test_what_the_decoder_ends_in(small, fusion):
    outputs = {}
    for name in ("linear", "tanh", "relu"):
        _, decoder = build(fusion, mfg_output=name)
        outputs[name] = np.asarray(decoder(2 * random_latents(40)))
        assert outputs[name].shape == (40, 5, 2 * LATENT)
    linear = outputs["linear"]
    assert linear.min() < -0.3
    assert linear.max() > 0.3
    np.testing.assert_allclose(outputs["tanh"], np.tanh(linear), atol=1e-6)
    np.testing.assert_allclose(outputs["relu"], np.maximum(linear, 0), atol=1e-6)
    assert outputs["relu"].min() == 0  # no negative means, as released


@pytest.mark.parametrize("fusion", PERCEPTRONS)
def test_moments_are_scaled_for_the_network_and_back(small, fusion):
    band, latent = random_moments(), random_latents()
    plain_encoder, plain_decoder = build(fusion)
    encoder, decoder = build(fusion, standardise=True)
    encoder.set_weights([*np_statistics(0, 1), *plain_encoder.get_weights()])
    decoder.set_weights([*plain_decoder.get_weights(), *np_statistics(0, 1)])
    rng = np.random.default_rng(4)
    mean, deviation = rng.normal(0, 1, (5, 2 * LATENT)), rng.uniform(0.5, 2, (5, 2 * LATENT))
    mfg_vae.set_statistics(encoder, decoder, mean, deviation)
    scaled = ((band - mean) / deviation).astype(np.float32)
    np.testing.assert_allclose(encoder(band), plain_encoder(scaled), atol=1e-5)
    np.testing.assert_allclose(decoder(latent), plain_decoder(latent) * deviation + mean, atol=1e-5)


def np_statistics(mean, deviation):
    return np.full((5, 2 * LATENT), mean), np.full((5, 2 * LATENT), deviation)


@pytest.mark.parametrize("target", WIDTHS)
@pytest.mark.parametrize("fusion", ["vrae", *PERCEPTRONS])
def test_the_loss_is_the_error_of_all_that_is_made_plus_the_weighted_kl(small, fusion, target):
    config = dataclasses.replace(CONFIG, fusion=fusion, mfg_kl=0.3, mfg_target=target)
    sampling = Sampling(config.sigma, config.epsilon_std, 0)
    vae = mfg_vae.build_mfg_vae(
        config, mfg_vae.build_encoder(config), sampling, mfg_vae.build_decoder(config)
    )
    band = random_moments(width=WIDTHS[target])
    moments = np.asarray(vae.encoder(band), np.float64)
    mean, s = moments[:, :MFG_LATENT], moments[:, MFG_LATENT:]
    nll = ((np.asarray(vae.decoder(mean)) - band) ** 2).mean()
    kl = np.mean(0.5 * (mean**2 + np.exp(s) - 1 - s))
    assert float(vae.compute_loss(band, band, vae(band))) == pytest.approx(nll + 0.3 * kl, rel=1e-4)


def test_without_fusion_the_latent_is_the_means_side_by_side():
    encoder, decoder = mfg_vae.build_encoder(NONE), mfg_vae.build_decoder(NONE)
    assert encoder.weights == decoder.weights == []
    band = random_moments()
    moments = np.asarray(encoder(band))
    assert moments.shape == (BARS, 2 * 5 * LATENT)
    latent = moments[:, : 5 * LATENT]
    for track in range(5):
        for part, first in ((moments[:, : 5 * LATENT], 0), (moments[:, 5 * LATENT :], LATENT)):
            own = part[:, LATENT * track : LATENT * (track + 1)]
            assert np.array_equal(own, band[:, track, first : first + LATENT])
    made = np.asarray(decoder(latent))
    assert made.shape == band.shape
    assert np.array_equal(made[..., :LATENT], band[..., :LATENT])  # to the last bit
    assert not made[..., LATENT:].any()


@pytest.fixture(scope="module")
def unfused():
    return build_sandwich(NONE)


def random_phrases():
    return np.random.default_rng(0).random((2, 4, 4, 6, 5)) < 0.3


def test_without_fusion_restoring_is_each_bvaes_own(unfused):
    phrases = random_phrases()
    made = unfused(phrases)
    assert made["latent"].shape == (2, 4, 15)
    direct = keras.Model(unfused.get_layer("restored_moments").output, unfused.output["pianoroll"])
    assert np.array_equal(made["pianoroll"], direct(encoding_view(unfused)(phrases)))


def test_without_fusion_no_track_reaches_another(unfused):
    phrases = random_phrases()
    before = np.asarray(unfused(phrases)["pianoroll"])
    phrases[..., 3] ^= True
    after = np.asarray(unfused(phrases)["pianoroll"])
    assert np.flatnonzero(np.abs(after - before).max(axis=(0, 1, 2, 3)) > 1e-6).tolist() == [3]


@pytest.fixture
def half_precision():
    with building_in("mixed_float16"):
        yield


@pytest.mark.parametrize("fusion", [*PERCEPTRONS, "none"])
def test_under_a_half_precision_policy_moments_are_float32(small, half_precision, fusion):
    config = dataclasses.replace(CONFIG, fusion=fusion)
    encoder, decoder = mfg_vae.build_encoder(config), mfg_vae.build_decoder(config)
    moments = encoder(random_moments())
    made = decoder(moments[:, : config.fusion_latent])
    assert moments.dtype == made.dtype == "float32"
    if fusion == "none":
        assert np.array_equal(made[..., :LATENT], random_moments()[..., :LATENT])
    else:
        first = "dense_0" if fusion == "concatenate" else "bass_dense_0"
        assert encoder.get_layer(first).compute_dtype == "float16"
