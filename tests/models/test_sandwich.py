"""The whole as one Functional model: its parts and how they are joined, its views, and its file."""

import dataclasses
import math
import shutil

import keras
import numpy as np
import pytest

from msw2.config import SMOKE
from msw2.models import bvae, mfg_vae
from msw2.models.precision import building_in
from msw2.models.sandwich import (
    FUSION_PARTS,
    PARTS,
    build_sandwich,
    bvae_view,
    decoding_view,
    encoding_view,
    fusion_view,
    latent_view,
    made_view,
    part_seed,
    refine_view,
)
from msw2.music.tracks import TRACK_NAMES

# A different size on every axis.
PHRASES, BARS, STEPS, PITCHES, LATENT, MFG_LATENT = 3, 2, 8, 6, 4, 7
UNITS = PHRASES * BARS
TUNED_LIKE = dataclasses.replace(
    SMOKE,
    bars=BARS,
    steps=STEPS,
    pitches=PITCHES,
    lowest_pitch=40,
    beat_resolution=2,
    bvae_hidden=9,
    bvae_latent=LATENT,
    mfg_hidden=11,
    mfg_latent=MFG_LATENT,
    likelihood="bernoulli",
    decoding="draft",
    encoder_states="all",
    mfg_target="means",
    standardise=True,
    mfg_output="linear",
    sigma="log_variance",
    epsilon_std=1.0,
    gates="sigmoid",
)
PAPER_LIKE = dataclasses.replace(
    TUNED_LIKE,
    likelihood="gaussian",
    decoding="latent",
    encoder_states="last",
    mfg_target="moments",
    standardise=False,
    mfg_output="tanh",
)
CONFIGS = {"tuned": TUNED_LIKE, "paper": PAPER_LIKE}


def random_phrases(seed=0, phrases=PHRASES):
    return np.random.default_rng(seed).random((phrases, BARS, STEPS, PITCHES, 5)) < 0.3


def random_bars(seed=0):
    """The bars of `random_phrases` as the BVAEs read them, float32 [unit, step, pitch, track] of -1 and +1."""
    return np.where(random_phrases(seed), 1.0, -1.0).astype(np.float32).reshape(-1, STEPS, PITCHES, 5)


def make(config):
    """A sandwich with random biases: those of zero, at the start, would hide what is not added."""
    sandwich = build_sandwich(config)
    rng = np.random.default_rng(3)
    for name in PARTS:
        for weight in sandwich.get_layer(name).weights:
            if weight.name in ("bias", "mean"):
                weight.assign(weight + rng.normal(0, 0.5, weight.shape))
    return sandwich


@pytest.fixture(scope="module", params=list(CONFIGS))
def config(request):
    return CONFIGS[request.param]


@pytest.fixture(scope="module")
def sandwich(config):
    return make(config)


@pytest.fixture(scope="module")
def width(config):
    """How many numbers of each track the MFG-VAE reads and makes."""
    return {"means": 4, "moments": 8}[config.mfg_target]


@pytest.fixture(scope="module")
def of_moments(sandwich):
    """The part below the MFG-VAE: from moments [unit, track, moment] to phrases."""
    made = {name: sandwich.output[name] for name in ("pianoroll", "unrefined")}
    return keras.Model(sandwich.get_layer("restored_moments").output, made)


def random_moments(width, seed=1):
    return np.random.default_rng(seed).normal(0, 1, (UNITS, 5, width)).astype(np.float32)


def changed_tracks(before, after, axis):
    axis %= before.ndim
    other = tuple(i for i in range(before.ndim) if i != axis)
    return np.flatnonzero(np.abs(np.asarray(before) - np.asarray(after)).max(axis=other) > 1e-6).tolist()


def test_names_shapes_and_dtypes(sandwich):
    assert type(sandwich).__name__ == "Functional"
    assert (sandwich.input.name, sandwich.input.dtype) == ("pianoroll", "bool")
    assert sandwich.input_shape == (None, BARS, STEPS, PITCHES, 5)
    shapes = {
        "pianoroll": (BARS, STEPS, PITCHES, 5),
        "unrefined": (BARS, STEPS, PITCHES, 5),
        "latent": (BARS, MFG_LATENT),
    }
    assert {name: made.shape for name, made in sandwich.output.items()} == {
        name: (None, *shape) for name, shape in shapes.items()
    }
    outputs = sandwich(random_phrases())
    assert outputs.keys() == shapes.keys()
    for name, shape in shapes.items():
        assert outputs[name].shape == (PHRASES, *shape)
        assert outputs[name].dtype == "float32"
        assert sandwich.output[name].dtype == "float32"
    for name in ("pianoroll", "unrefined"):
        assert 0 <= np.min(outputs[name]) < np.max(outputs[name]) <= 1
    assert np.min(outputs["latent"]) < 0


def test_its_parts_are_functional_models_with_the_papers_names(sandwich):
    kinds = [f"{track}_{kind}" for kind in ("encoder", "decoder", "refiner") for track in TRACK_NAMES]
    assert list(PARTS) == [*kinds, "mfg_encoder", "mfg_decoder"]
    for name in PARTS:
        part = sandwich.get_layer(name)
        assert type(part).__name__ == "Functional"
        assert part.name == name
    owned = {id(weight) for name in PARTS for weight in sandwich.get_layer(name).weights}
    assert {id(weight) for weight in sandwich.weights} == owned  # nothing beside them has weights


def test_the_summary_has_the_papers_parts(sandwich):
    lines = []
    sandwich.summary(line_length=120, print_fn=lines.append)
    text = "\n".join(lines)
    for name in (*PARTS, "pianoroll", "sampling", "unrefined", "latent"):
        assert f" {name} (" in text, name
    assert f"Total params: {sandwich.count_params():,}" in text


def test_it_is_drawn(sandwich, tmp_path):
    pytest.importorskip("pydot", reason="pydot, which keras.utils.plot_model draws with, is not installed")
    if not shutil.which("dot"):
        pytest.skip("Graphviz's dot, which draws for pydot, is not installed")
    keras.utils.plot_model(sandwich, tmp_path / "sandwich.svg", show_layer_names=True)
    drawn = (tmp_path / "sandwich.svg").read_text("utf-8")
    for name in PARTS:
        assert name in drawn


def test_it_is_rebuilt_from_its_config(sandwich):
    again = keras.Model.from_config(sandwich.get_config())
    assert again.get_config() == sandwich.get_config()
    again.set_weights(sandwich.get_weights())
    phrases = random_phrases()
    for name, made in sandwich(phrases).items():
        assert np.array_equal(again(phrases)[name], made), name


@pytest.mark.parametrize("portable", [False, True])
def test_one_file_has_all_of_it(tmp_path, portable):
    saved, phrases = build_sandwich(TUNED_LIKE, portable=portable), random_phrases()
    rng = np.random.default_rng(8)
    for weight in saved.weights:  # the scale of the moments too
        weight.assign(weight + rng.uniform(0.01, 0.1, weight.shape))
    saved.save(tmp_path / "sandwich.keras")
    loaded = keras.models.load_model(tmp_path / "sandwich.keras")
    for name in PARTS:
        parts = [each.get_layer(name) for each in (saved, loaded)]
        assert [w.path for w in parts[0].weights] == [w.path for w in parts[1].weights]
        for a, b in zip(*(part.get_weights() for part in parts), strict=True):
            assert np.array_equal(a, b), name
    outputs = loaded(phrases)
    for name, made in saved(phrases).items():
        assert np.array_equal(outputs[name], made), name
    latents = rng.normal(size=(UNITS, MFG_LATENT)).astype(np.float32)
    views = [decoding_view(each)(latents)["pianoroll"] for each in (saved, loaded)]
    assert np.array_equal(*views)


def test_a_loaded_file_samples_as_it_did(tmp_path):
    saved, phrases = build_sandwich(PAPER_LIKE), random_phrases()
    saved.save(tmp_path / "sandwich.keras")
    loaded = keras.models.load_model(tmp_path / "sandwich.keras")
    made = [each(phrases, training=True)["latent"] for each in (saved, loaded)]
    assert np.array_equal(*made)
    assert not np.array_equal(made[0], saved(phrases)["latent"])


def layers_of(model):
    return {id(layer) for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)}


def test_views_are_cut_from_the_same_layers(sandwich):
    views = encoding_view(sandwich), latent_view(sandwich), decoding_view(sandwich)
    for view in views:
        for layer in view.layers:
            if not isinstance(layer, keras.layers.InputLayer):
                assert layer is sandwich.get_layer(layer.name)
    encoding, latent, decoding = ({layer.name for layer in view.layers} for view in views)
    assert {name for name in encoding if name in PARTS} == {f"{track}_encoder" for track in TRACK_NAMES}
    assert latent & set(PARTS) == {*(f"{track}_encoder" for track in TRACK_NAMES), "mfg_encoder"}
    assert latent & decoding == {"sampling"} & decoding  # each layer is in one of the two
    assert layers_of(views[1]) | layers_of(views[2]) == layers_of(sandwich)


def test_the_views_one_after_another_are_the_whole_exactly(sandwich, width):
    phrases = random_phrases()
    whole, latent = sandwich(phrases), latent_view(sandwich)(phrases)
    assert latent.shape == (PHRASES, BARS, MFG_LATENT)
    assert np.array_equal(latent, whole["latent"])
    made = decoding_view(sandwich)(np.reshape(latent, (-1, MFG_LATENT)))
    assert made.keys() == {"pianoroll", "unrefined"}
    for name, values in made.items():
        assert np.array_equal(values, whole[name])
    moments = encoding_view(sandwich)(phrases)
    assert moments.shape == (UNITS, 5, width)
    fused = sandwich.get_layer("mfg_encoder")(moments)
    assert np.array_equal(fused[:, :MFG_LATENT], np.reshape(latent, (-1, MFG_LATENT)))


def test_the_views_of_the_stages_have_the_same_layers_too(sandwich, config):
    view = bvae_view(sandwich, config, "bass")
    assert view.encoder is sandwich.get_layer("bass_encoder")
    assert view.decoder is sandwich.get_layer("bass_decoder")
    view = fusion_view(sandwich, config)
    assert view.encoder is sandwich.get_layer("mfg_encoder")
    assert view.decoder is sandwich.get_layer("mfg_decoder")
    assert view.get_layer("sampling") is sandwich.get_layer("sampling")
    view = refine_view(sandwich, config, "guitar")
    for name in ("guitar_encoder", "guitar_decoder", "guitar_opinion", "guitar_refiner"):
        assert view.get_layer(name) is sandwich.get_layer(name)


def test_what_a_refiner_learns_from_is_sampled_and_else_what_the_whole_makes_of_a_unit(sandwich, config):
    bars = random_bars()[..., 2]
    made, refined = (view(sandwich, config, "guitar") for view in (made_view, refine_view))
    found = [np.asarray(made(bars)) for _ in range(2)]
    assert not np.array_equal(*found)
    for view in (made, refined):
        view.get_layer("sampling").epsilon_std = 0.0
    mean = sandwich.get_layer("guitar_encoder")(bars)[:, :LATENT]
    opinion = sandwich.get_layer("guitar_opinion")(sandwich.get_layer("guitar_decoder")(mean))
    np.testing.assert_allclose(made(bars), opinion, atol=1e-6)
    np.testing.assert_allclose(refined(bars), sandwich.get_layer("guitar_refiner")(opinion), atol=1e-6)


def test_the_views_of_the_stages_sample_in_validation_too(sandwich, config, width):
    # Keras hands `training=False` down to every layer of a view that it evaluates.
    bars, moments = random_bars()[..., 3], random_moments(width)
    views = [(bvae_view(sandwich, config, "bass"), bars), (fusion_view(sandwich, config), moments)]
    made = [(view, lambda outputs: outputs["output"], batch) for view, batch in views]
    made += [
        (view(sandwich, config, "bass"), lambda outputs: outputs, bars) for view in (made_view, refine_view)
    ]
    for view, output, batch in made:
        found = [np.asarray(output(view(batch, training=False))) for _ in range(2)]
        assert np.abs(found[0] - found[1]).max() > 1e-4, view.name


@pytest.mark.parametrize("track", range(5))
def test_a_tracks_bars_go_to_that_tracks_encoder(sandwich, track, width):
    encode, phrases = encoding_view(sandwich), random_phrases()
    moments = np.asarray(encode(phrases))
    encoder = sandwich.get_layer(f"{TRACK_NAMES[track]}_encoder")
    assert moments.shape == (UNITS, 5, width)
    expected = np.asarray(encoder(random_bars()[..., track]))[:, :width]  # the means come first
    np.testing.assert_allclose(moments[:, track], expected, atol=1e-6)
    phrases[..., track] ^= True
    assert changed_tracks(moments, encode(phrases), 1) == [track]


@pytest.mark.parametrize("track", range(5))
def test_what_a_bvae_says_of_s_reaches_the_latent_with_moments_alone(sandwich, config, track):
    encode, phrases = latent_view(sandwich), random_phrases()
    before = np.asarray(encode(phrases))
    encoder = sandwich.get_layer(f"{TRACK_NAMES[track]}_encoder")
    moved = {}
    for name in ("mean", "s"):
        bias = encoder.get_layer(name).bias
        kept = bias.numpy()
        bias.assign(kept + 3)
        moved[name] = np.abs(np.asarray(encode(phrases)) - before).min(axis=2).max()
        bias.assign(kept)
    assert moved["mean"] > 1e-4
    if config.mfg_target == "means":
        assert moved["s"] == 0
    else:
        assert moved["s"] > 1e-4


@pytest.mark.parametrize("refined", [False, True])
@pytest.mark.parametrize("track", range(5))
def test_a_tracks_moments_go_to_that_tracks_decoder_and_only_the_mean_counts(
    of_moments, track, refined, width
):
    moments, name = random_moments(width), "pianoroll" if refined else "unrefined"
    before = np.asarray(of_moments(moments)[name])
    spread = moments.copy()
    spread[..., LATENT:] += 5
    assert np.array_equal(of_moments(spread)[name], before)
    moments[:, track, LATENT - 1] += 3
    assert changed_tracks(before, of_moments(moments)[name], -1) == [track]


def test_the_refiner_has_the_last_word_and_without_it_the_bvae(sandwich, config, of_moments, width):
    moments = random_moments(width, seed=2)
    made = {
        name: np.reshape(cells, (UNITS, STEPS, PITCHES, 5)) for name, cells in of_moments(moments).items()
    }
    for index, track in enumerate(TRACK_NAMES):
        output = np.asarray(sandwich.get_layer(f"{track}_decoder")(moments[:, index, :LATENT]), np.float64)
        probability = 1 / (1 + np.exp(-output)) if config.likelihood == "bernoulli" else (output + 1) / 2
        np.testing.assert_allclose(made["unrefined"][..., index], probability, atol=1e-6)
        signed = (2 * probability - 1).astype(np.float32)
        refiner = sandwich.get_layer(f"{track}_refiner")
        np.testing.assert_allclose(made["pianoroll"][..., index], refiner(signed), atol=1e-5)


def test_the_latent_is_the_mean_of_the_mfg_vae_and_what_comes_out_its_decoding(sandwich, of_moments):
    phrases = random_phrases()
    moments = sandwich.get_layer("mfg_encoder")(encoding_view(sandwich)(phrases))
    assert moments.shape == (UNITS, 2 * MFG_LATENT)
    latent, whole = np.asarray(moments)[:, :MFG_LATENT], sandwich(phrases)
    np.testing.assert_allclose(np.reshape(whole["latent"], (UNITS, MFG_LATENT)), latent, atol=1e-6)
    decoded = of_moments(sandwich.get_layer("mfg_decoder")(latent))
    for name in ("pianoroll", "unrefined"):
        np.testing.assert_allclose(whole[name], decoded[name], atol=1e-5)


def test_phrases_and_bars_do_not_look_at_one_another(sandwich):
    phrases = random_phrases()
    whole = np.asarray(sandwich(phrases)["pianoroll"])
    for index in range(PHRASES):
        alone = sandwich(phrases[index : index + 1])["pianoroll"]
        np.testing.assert_allclose(alone[0], whole[index], atol=1e-5)
    phrases[1, 0] ^= True
    moved = np.abs(np.asarray(sandwich(phrases)["pianoroll"]) - whole).max(axis=(2, 3, 4))
    assert np.argwhere(moved > 1e-6).tolist() == [[1, 0]]


def test_every_track_reaches_every_other_through_the_fusion(sandwich):
    phrases = random_phrases()
    before = sandwich(phrases)["unrefined"]
    phrases[..., 3] ^= True
    assert changed_tracks(before, sandwich(phrases)["unrefined"], -1) == [0, 1, 2, 3, 4]


def test_the_whole_is_without_chance_and_samples_only_in_training(sandwich):
    phrases = random_phrases()
    once, again = sandwich(phrases), sandwich(phrases)
    for name, values in once.items():
        assert np.array_equal(values, again[name])
    trained = [np.asarray(sandwich(phrases, training=True)["latent"]) for _ in range(2)]
    assert not np.array_equal(*trained)
    assert np.abs(trained[0] - once["latent"]).max() > 0.01


def test_views_share_their_weights():
    sandwich = build_sandwich(TUNED_LIKE)
    view, fusion = bvae_view(sandwich, TUNED_LIKE, "bass"), fusion_view(sandwich, TUNED_LIKE)
    encode, decode = encoding_view(sandwich), decoding_view(sandwich)
    phrases, latent = random_phrases(), np.ones((BARS, MFG_LATENT), np.float32)
    moments = np.asarray(encode(phrases))
    view.get_layer("bass_encoder").get_layer("mean").bias.assign([1.0, 2.0, 3.0, -1.0])
    moved = np.asarray(encode(phrases)) - moments
    np.testing.assert_allclose(moved[0, 3], [1, 2, 3, -1], atol=1e-6)
    assert not moved[:, [0, 1, 2, 4]].any()
    before = np.asarray(decode(latent)["unrefined"])
    fusion.get_layer("mfg_decoder").get_layer("output").bias.assign(np.full(LATENT, 2.0))
    assert not np.allclose(decode(latent)["unrefined"], before)


def test_a_part_starts_the_same_whatever_is_beside_it_but_unlike_any_other():
    config = dataclasses.replace(TUNED_LIKE, bvae_latent=5, fusion="none")
    one, other = build_sandwich(TUNED_LIKE), build_sandwich(config)
    for name in (f"{track}_refiner" for track in TRACK_NAMES):
        for a, b in zip(one.get_layer(name).get_weights(), other.get_layer(name).get_weights(), strict=True):
            assert np.array_equal(a, b)
    keras.utils.set_random_seed(part_seed(TUNED_LIKE, "bass_encoder"))
    alone = bvae.build_encoder(TUNED_LIKE, "bass").get_weights()
    for a, b in zip(alone, one.get_layer("bass_encoder").get_weights(), strict=True):
        assert np.array_equal(a, b)
    kernels = [one.get_layer(f"{track}_encoder").get_weights()[0] for track in TRACK_NAMES]
    keras.utils.set_random_seed(part_seed(dataclasses.replace(TUNED_LIKE, seed=1), "bass_encoder"))
    kernels.append(bvae.build_encoder(TUNED_LIKE, "bass").get_weights()[0])
    for index, kernel in enumerate(kernels):
        assert not any(np.allclose(kernel, other) for other in kernels[:index])


def test_set_output_bias_is_the_log_odds_of_each_pitch():
    decoder = bvae.build_decoder(TUNED_LIKE, "piano")
    bvae.set_output_bias(decoder, np.array([0.5, 0.75, 0.1, 0.0, 1.0, 0.02]))
    expected = [0, math.log(3), -math.log(9), -math.log(99_999), math.log(99_999), -math.log(49)]
    bias = decoder.get_layer("output").bias.numpy()
    np.testing.assert_allclose(bias[[0, 1, 2, 5]], np.array(expected)[[0, 1, 2, 5]], atol=1e-5)
    np.testing.assert_allclose(bias[[3, 4]], np.array(expected)[[3, 4]], rtol=1e-3)
    # and it is what the logits start at: with nothing from the draft and the states, exactly
    decoder.get_layer("draft").kernel.assign(np.zeros((LATENT, STEPS * PITCHES)))
    decoder.get_layer("output").kernel.assign(np.zeros((9, PITCHES)))
    np.testing.assert_allclose(decoder(np.ones((1, LATENT)))[0, 5], bias, atol=1e-6)


def bass(config):
    """A BVAE with random biases, as stage 1 trains it, without the other parts."""
    keras.utils.set_random_seed(5)
    encoder, decoder = bvae.build_encoder(config, "bass"), bvae.build_decoder(config, "bass")
    rng = np.random.default_rng(3)
    for weight in (*encoder.weights, *decoder.weights):
        if weight.name == "bias":
            weight.assign(weight + rng.normal(0, 0.5, weight.shape))
    return bvae.build_bvae(config, encoder, decoder, seed=1)


def test_the_loss_of_a_bvae_is_the_likelihood_plus_the_weighted_kl():
    for config, weight in ((TUNED_LIKE, 0.3), (PAPER_LIKE, 2.0)):
        view = bass(dataclasses.replace(config, epsilon_std=0.0, bvae_kl=weight))
        bar = random_bars()[..., 3]
        moments = np.asarray(view.encoder(bar), np.float64)
        mean, s = moments[:, :LATENT], moments[:, LATENT:]
        output = np.asarray(view.decoder(mean), np.float64)
        if config is TUNED_LIKE:
            cells = np.where(bar > 0, np.log1p(np.exp(-output)), np.log1p(np.exp(output)))
            nll = cells.sum(axis=(1, 2)).mean()
        else:
            nll = ((output - bar) ** 2).mean()
        kl = np.mean(0.5 * (mean**2 + np.exp(s) - 1 - s))
        found = view.compute_loss(bar, bar, view(bar))
        assert float(found) == pytest.approx(nll + weight * kl, rel=1e-5)


def test_the_printed_terms_add_up_to_the_loss_with_an_uneven_last_batch():
    view, bar = bass(dataclasses.replace(TUNED_LIKE, epsilon_std=0.0, bvae_kl=0.5)), random_bars()[:5, ..., 3]
    view.compile(run_eagerly=True)
    logs = view.evaluate(bar, bar, batch_size=4, verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(logs["nll"] + 0.5 * logs["kl"], rel=1e-5)
    whole = view.evaluate(bar, bar, batch_size=5, verbose=0, return_dict=True)
    assert logs == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize(("target", "width"), [("means", LATENT), ("moments", 2 * LATENT)])
def test_the_fusion_is_judged_on_scaled_moments_and_returns_them_unscaled(target, width):
    config = dataclasses.replace(TUNED_LIKE, epsilon_std=0.0, mfg_kl=0.0, mfg_target=target)
    view = fusion_view(make(config), config)
    rng = np.random.default_rng(5)
    mean, deviation = rng.normal(0, 3, (5, width)), rng.uniform(0.1, 4, (5, width))
    mfg_vae.set_statistics(view.encoder, view.decoder, mean, deviation)
    band = (rng.normal(0, 1, (BARS, 5, width)) * deviation + mean).astype(np.float32)
    output = view(band)["output"]
    expected = np.mean(((np.asarray(output) - band) / deviation) ** 2)
    assert float(view.compute_loss(band, band, view(band))) == pytest.approx(expected, rel=1e-4)
    # The decoder's last Dense works on the scaled side: its bias moves the output by that many deviations.
    bias = view.decoder.get_layer("output").bias
    bias.assign(bias.numpy() + np.arange(width))
    moved = np.asarray(view(band)["output"]) - np.asarray(output)
    np.testing.assert_allclose(moved[0], deviation * np.arange(width), atol=1e-4)


@pytest.mark.parametrize(("half", "config"), [("float16", PAPER_LIKE), ("bfloat16", TUNED_LIKE)])
def test_in_half_precision_the_whole_is_float32_outside_and_near_to_what_full_precision_gives(half, config):
    config = dataclasses.replace(config, steps=4, beat_resolution=1)  # the generic LSTM takes its time
    full, phrases = make(config), random_phrases()[:, :, :4]
    sandwich = make(dataclasses.replace(config, precision=f"mixed_{half}"))
    # The policy is at work: the recurrences, and the refiner's layers, are computed in half precision,
    for name, layer in (("bass_encoder", "lstm"), ("mfg_decoder", "lstm"), ("bass_refiner", "dense_0")):
        assert sandwich.get_layer(name).get_layer(layer).get_config()["dtype"]["config"] == {
            "name": f"mixed_{half}"
        }
    assert {weight.dtype for weight in sandwich.weights} == {"float32"}
    # but not what joins the parts: a layer of it would round the means.
    for layer in sandwich.layers:
        if layer.name not in (*PARTS, "pianoroll"):
            assert layer.compute_dtype == "float32", layer.name
    # and what comes out is near.
    found, expected = (
        {**each(phrases), "moments": encoding_view(each)(phrases)} for each in (sandwich, full)
    )
    for name, values in found.items():
        assert values.dtype == "float32"
        np.testing.assert_allclose(values, expected[name], atol=0.05)


def test_building_leaves_the_process_its_policy():
    with building_in("mixed_bfloat16"):
        encoder = bvae.build_encoder(TUNED_LIKE, "bass")
        build_sandwich(TUNED_LIKE)
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    assert encoder.get_layer("lstm").get_config()["dtype"]["config"] == {"name": "mixed_bfloat16"}
    assert keras.config.dtype_policy().name == "float32"
    assert FUSION_PARTS == ("mfg_encoder", "mfg_decoder")
