"""The networks that ours is compared with are the same networks."""

import dataclasses
import importlib

import keras
import numpy as np
import pytest

from msw2.benchmarks import stock, training
from msw2.config import DEMO, PAPER, RELEASED, TUNED
from msw2.models.layers import Sampling
from msw2.models.sandwich import PARTS, build_sandwich, bvae_view

SMALL = {"steps": 4, "beat_resolution": 1, "pitches": 5, "bvae_hidden": 6, "bvae_latent": 3}
SMALL |= {"mfg_hidden": 5, "mfg_latent": 4, "epsilon_std": 1e-7, "lowest_pitch": 40}
# What else a decoder can be, and all moments on one scale.
REPEATING = dataclasses.replace(
    DEMO, decoding="latent", position=True, mfg_output="linear", mfg_target="moments"
)
PRESETS = {"paper": PAPER, "released": RELEASED, "tuned": TUNED, "repeating": REPEATING}
CONFIGS = {name: dataclasses.replace(config, **SMALL) for name, config in PRESETS.items()}
# Weights so large that a gate of another slope, or another order of the gates, shows.
WIDE = 0.8


def same_weights(ours, other):
    rng = np.random.default_rng(0)
    weights = [rng.normal(0, WIDE, weight.shape) for weight in ours.get_weights()]
    ours.set_weights(weights)
    other.set_weights(weights)


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def loss(model, rows):
    model.run_eagerly = True  # a graph takes seconds to build
    return model.evaluate(rows, rows, verbose=0, return_dict=True)["loss"]


def bars(config, count=16):
    return np.where(np.random.default_rng(1).random((count, config.steps, config.pitches)) < 0.3, 1.0, -1.0)


@pytest.mark.parametrize("name", CONFIGS)
def test_stage_1_has_our_parameters_and_our_loss(name):
    config = CONFIGS[name]
    sandwich = build_sandwich(config)
    ours = bvae_view(sandwich, config, "bass")
    ours.compile(optimizer="sgd", jit_compile=False)
    encoder, decoder = stock.build_encoder(config), stock.build_decoder(config)
    model = stock.bvae(config, encoder, decoder)
    same_weights(sandwich.get_layer("bass_encoder"), encoder)
    same_weights(sandwich.get_layer("bass_decoder"), decoder)
    assert trainable(model) == trainable(ours) > 0
    rows = bars(config)
    np.testing.assert_allclose(
        encoder(rows), sandwich.get_layer("bass_encoder")(rows), atol=1e-5, err_msg="moments"
    )
    assert loss(model, rows) == pytest.approx(loss(ours, rows), rel=1e-5)
    layers = [layer for part in (encoder, decoder) for layer in part.layers]
    assert {type(layer).__module__.split(".")[0] for layer in layers} - {"keras"} <= {"msw2"}
    assert {type(layer).__name__ for layer in layers if type(layer).__module__.startswith("msw2")} == (
        {"Position"} if config.position else set()
    )


@pytest.mark.parametrize(("name", "width"), [("released", 6), ("tuned", 3), ("repeating", 6)])
def test_stage_2_has_our_parameters_and_our_loss(name, width):
    config = CONFIGS[name]
    ours = training.our_mfg_vae(config)
    encoder, decoder = stock.build_mfg_encoder(config), stock.build_mfg_decoder(config)
    model = stock.mfg_vae(config, encoder, decoder)
    for own, other in ((ours.encoder, encoder), (ours.decoder, decoder)):
        rng = np.random.default_rng(0)
        for mine, its in zip(own.trainable_weights, other.trainable_weights, strict=True):
            assert mine.shape == its.shape
            mine.assign(rng.normal(0, WIDE, mine.shape))
            its.assign(mine.numpy())
    assert trainable(model) == trainable(ours)
    rows = np.random.default_rng(2).normal(0, 1, (16, 5, width)).astype(np.float32)
    assert loss(model, rows) == pytest.approx(loss(ours, rows), rel=1e-5)


def test_a_fusion_without_a_recurrence_is_refused():
    for fusion in ("concatenate", "project", "none"):
        with pytest.raises(ValueError, match=rf"^the stock MFG-VAE is of fusion vrae, not {fusion}$"):
            stock.build_sandwich(dataclasses.replace(CONFIGS["tuned"], fusion=fusion, prior="mixture"))


def test_the_refiner_alone_is_trained_and_has_our_loss():
    config = CONFIGS["tuned"]
    ours = training.our_refiner(config, "bass")
    encoder, decoder = stock.build_encoder(config), stock.build_decoder(config)
    network = build_sandwich(config).get_layer("bass_refiner")
    model = stock.refiner(config, encoder, decoder, network)
    own = {kind: ours.get_layer(f"bass_{kind}") for kind in ("encoder", "decoder", "refiner")}
    for kind, other in (("encoder", encoder), ("decoder", decoder), ("refiner", network)):
        other.set_weights(own[kind].get_weights())
    assert trainable(model) == trainable(ours) == trainable(network)
    rows = bars(config)
    assert loss(model, rows) == pytest.approx(loss(ours, rows), rel=1e-5)


def test_a_sandwich_of_stock_parts_has_our_parameters():
    config = CONFIGS["tuned"]
    ours, other = build_sandwich(config), stock.build_sandwich(config)
    for name in PARTS:
        assert trainable(other.get_layer(name)) == trainable(ours.get_layer(name)), name
    phrases = np.zeros((2, config.bars, config.steps, config.pitches, 5), bool)
    assert other(phrases)["pianoroll"].shape == phrases.shape


def test_pytorch_has_our_parameters_and_our_loss():
    torch = pytest.importorskip("torch")
    pytorch = importlib.import_module("msw2.benchmarks.pytorch")
    config = CONFIGS["paper"]
    encoder, decoder = stock.build_encoder(config), stock.build_decoder(config)
    keras_model, model = stock.bvae(config, encoder, decoder), pytorch.BVAE(config)
    rng = np.random.default_rng(0)
    for part in (encoder, decoder):
        part.set_weights([rng.normal(0, WIDE, weight.shape) for weight in part.get_weights()])
    weights = [torch.tensor(weight) for weight in (*encoder.get_weights(), *decoder.get_weights())]
    lstm, mean, s, hidden, output = weights[:3], weights[3:5], weights[5:7], weights[7:10], weights[10:]
    with torch.no_grad():
        for layer, (kernel, recurrent, bias) in (
            (model.encoder, lstm),
            (model.decoder, hidden),
            (model.output, output),
        ):
            layer.weight_ih_l0.copy_(kernel.T)  # both have the gates in the order i-f-c-o
            layer.weight_hh_l0.copy_(recurrent.T)
            layer.bias_ih_l0.copy_(bias)
        for layer, (kernel, bias) in ((model.mean, mean), (model.s, s)):
            layer.weight.copy_(kernel.T)
            layer.bias.copy_(bias)
        rows = bars(config).astype(np.float32)
        found = float(model(torch.from_numpy(rows)))
    assert sum(each.numel() for each in model.parameters() if each.requires_grad) == trainable(keras_model)
    assert found == pytest.approx(loss(keras_model, rows), rel=1e-5)


@pytest.mark.parametrize("name", ["paper", "released"])
def test_the_latent_vector_is_drawn_as_ours_is(name, monkeypatch):
    config = dataclasses.replace(CONFIGS[name], epsilon_std=0.5)
    monkeypatch.setattr("keras.random.normal", lambda shape, stddev, seed: stddev * keras.ops.ones(shape))
    moments = np.random.default_rng(3).normal(0, 1, (4, 6)).astype(np.float32)
    latent = np.asarray(stock.Latent(config, 1.0)(moments))
    np.testing.assert_allclose(latent, Sampling(config.sigma, 0.5, 0)(moments, training=True), rtol=1e-6)
    assert np.abs(latent - moments[:, :3]).min() > 1e-3


def test_pytorch_draws_the_latent_vector_as_ours_is(monkeypatch):
    torch = pytest.importorskip("torch")
    config = dataclasses.replace(CONFIGS["paper"], epsilon_std=0.5)
    model = importlib.import_module("msw2.benchmarks.pytorch").BVAE(config)
    monkeypatch.setattr(torch, "randn_like", torch.ones_like)
    monkeypatch.setattr(model, "decode", lambda latent: drawn.append(latent) or model.output(states)[0])
    drawn, states = [], torch.zeros(16, config.steps, config.bvae_hidden)
    rows = torch.from_numpy(bars(config).astype(np.float32))
    model(rows)
    mean, s = model.moments(rows)
    torch.testing.assert_close(drawn[0], mean + 0.5 * torch.exp(0.5 * s))


def test_pytorch_refuses_maths_that_it_does_not_have():
    pytest.importorskip("torch")
    pytorch = importlib.import_module("msw2.benchmarks.pytorch")
    for changes, named in (
        ({"position": True, "gates": "hard_sigmoid"}, "gates 'hard_sigmoid', position True"),
        (
            {"likelihood": "bernoulli", "decoding": "draft", "mfg_output": "linear"},
            "likelihood 'bernoulli', decoding 'draft'",
        ),
        ({"encoder_states": "all", "sigma": "multiplier"}, "encoder_states 'all', sigma 'multiplier'"),
    ):
        with pytest.raises(ValueError, match=rf"^the PyTorch network has PAPER's maths, not {named}$"):
            pytorch.BVAE(dataclasses.replace(CONFIGS["paper"], **changes))
