import dataclasses
import math

import keras
import numpy as np
import pytest

from msw2.config import SMOKE
from msw2.models import bvae, mfg_vae
from msw2.models.sandwich import Sandwich, build_parts, fusion_vae, track_vae
from msw2.music.tracks import TRACK_NAMES

# A different size on every axis.
BARS, STEPS, PITCHES, LATENT, MFG_LATENT = 2, 8, 6, 3, 7
TUNED_LIKE = dataclasses.replace(
    SMOKE,
    steps=STEPS,
    pitches=PITCHES,
    lowest_pitch=40,
    beat_resolution=2,
    bvae_hidden=4,
    bvae_latent=LATENT,
    mfg_hidden=9,
    mfg_latent=MFG_LATENT,
    likelihood="bernoulli",
    position=True,
    encoder_states="all",
    standardise=True,
    mfg_output="linear",
    sigma="log_variance",
    epsilon_std=1.0,
    gates="sigmoid",
)
PAPER_LIKE = dataclasses.replace(
    TUNED_LIKE,
    likelihood="gaussian",
    position=False,
    encoder_states="last",
    standardise=False,
    mfg_output="tanh",
)


def random_bars(seed=0, bars=BARS):
    rng = np.random.default_rng(seed)
    return np.where(rng.random((bars, STEPS, PITCHES, 5)) < 0.3, 1.0, -1.0).astype(np.float32)


def make(config, tracks=TRACK_NAMES):
    """Parts with random biases: those of zero, at the start, would hide what is not added."""
    parts = build_parts(config, tracks)
    rng = np.random.default_rng(3)
    for model in parts.models.values():
        for weight in model.weights:
            if weight.name in ("bias", "mean"):
                weight.assign(weight + rng.normal(0, 0.5, weight.shape))
    return parts


@pytest.fixture(scope="module", params=["tuned", "paper"])
def parts(request):
    return make({"tuned": TUNED_LIKE, "paper": PAPER_LIKE}[request.param])


@pytest.fixture(scope="module")
def sandwich(parts):
    return Sandwich(parts)


def changed_tracks(before, after, axis):
    axis %= before.ndim
    other = tuple(i for i in range(before.ndim) if i != axis)
    return np.flatnonzero(np.abs(np.asarray(before) - np.asarray(after)).max(axis=other) > 1e-6).tolist()


def test_shapes(sandwich):
    bars = random_bars()
    assert sandwich.moments(bars).shape == (BARS, 5, 2 * LATENT)
    latent = sandwich.encode(bars)
    assert latent.shape == (BARS, MFG_LATENT)
    for refined in (False, True):
        for probability in (
            sandwich.decode(latent, refined=refined),
            sandwich.restore(bars, refined=refined),
        ):
            assert probability.shape == (BARS, STEPS, PITCHES, 5)
            assert probability.dtype == "float32"
            assert np.min(probability) >= 0
            assert np.max(probability) <= 1


@pytest.mark.parametrize("track", range(5))
def test_a_tracks_bars_go_to_that_tracks_encoder(sandwich, track):
    bars = random_bars()
    moments = np.asarray(sandwich.moments(bars))
    encoder = sandwich.parts.models[f"{TRACK_NAMES[track]}_encoder"]
    np.testing.assert_allclose(moments[:, track], encoder(bars[..., track]), atol=1e-6)
    bars[..., track] *= -1
    assert changed_tracks(moments, sandwich.moments(bars), 1) == [track]


@pytest.mark.parametrize("refined", [False, True])
@pytest.mark.parametrize("track", range(5))
def test_a_tracks_moments_go_to_that_tracks_decoder_and_only_the_mean_counts(sandwich, track, refined):
    moments = np.random.default_rng(1).normal(0, 1, (BARS, 5, 2 * LATENT)).astype(np.float32)
    before = np.asarray(sandwich.decode_moments(moments, refined=refined))
    spread = moments.copy()
    spread[..., LATENT:] += 5
    assert np.array_equal(sandwich.decode_moments(spread, refined=refined), before)
    moments[:, track, LATENT - 1] += 3
    assert changed_tracks(before, sandwich.decode_moments(moments, refined=refined), -1) == [track]


def test_the_refiner_has_the_last_word_and_without_it_the_bvae(sandwich):
    models, config = sandwich.parts.models, sandwich.config
    moments = np.random.default_rng(2).normal(0, 1, (BARS, 5, 2 * LATENT)).astype(np.float32)
    refined = np.asarray(sandwich.decode_moments(moments))
    raw = np.asarray(sandwich.decode_moments(moments, refined=False))
    for index, track in enumerate(TRACK_NAMES):
        output = np.asarray(models[f"{track}_decoder"](moments[:, index, :LATENT]), np.float64)
        probability = 1 / (1 + np.exp(-output)) if config.likelihood == "bernoulli" else (output + 1) / 2
        np.testing.assert_allclose(raw[..., index], probability, atol=1e-6)
        refiner = models[f"{track}_refiner"]
        signed = (2 * probability - 1).astype(np.float32)
        np.testing.assert_allclose(refined[..., index], refiner(signed), atol=1e-5)


def test_encode_is_the_mean_of_the_mfg_vae_and_restore_its_decoding(sandwich):
    bars = random_bars()
    moments = sandwich.parts.models["mfg_encoder"](sandwich.moments(bars))
    assert moments.shape == (BARS, 2 * MFG_LATENT)
    latent = np.asarray(moments)[:, :MFG_LATENT]
    np.testing.assert_allclose(sandwich.encode(bars), latent, atol=1e-6)
    for refined in (False, True):
        decoded = sandwich.decode(latent, refined=refined)
        np.testing.assert_allclose(sandwich.restore(bars, refined=refined), decoded, atol=1e-5)
        band = sandwich.parts.models["mfg_decoder"](latent)
        np.testing.assert_allclose(sandwich.decode_moments(band, refined=refined), decoded, atol=1e-5)


def test_bars_do_not_look_at_one_another(sandwich):
    bars = random_bars(bars=3)
    whole = np.asarray(sandwich.restore(bars))
    for index in range(3):
        np.testing.assert_allclose(sandwich.restore(bars[index : index + 1])[0], whole[index], atol=1e-5)


def test_every_track_reaches_every_other_through_the_fusion(sandwich):
    bars = random_bars()
    before = sandwich.restore(bars, refined=False)
    bars[..., 3] *= -1
    assert changed_tracks(before, sandwich.restore(bars, refined=False), -1) == [0, 1, 2, 3, 4]


def test_the_whole_is_without_chance(sandwich):
    bars = random_bars()
    assert np.array_equal(sandwich.restore(bars), sandwich.restore(bars))


def test_views_share_their_weights():
    parts = build_parts(TUNED_LIKE)
    sandwich, view, fusion = Sandwich(parts), track_vae(parts, "bass"), fusion_vae(parts)
    assert view.encoder is parts.models["bass_encoder"]
    assert view.decoder is parts.models["bass_decoder"]
    bars, latent = random_bars(), np.ones((BARS, MFG_LATENT), np.float32)
    moments = np.asarray(sandwich.moments(bars))
    view.get_layer("bass_encoder").get_layer("mean").bias.assign([1.0, 2.0, 3.0])
    moved = np.asarray(sandwich.moments(bars)) - moments
    np.testing.assert_allclose(moved[0, 3], [1, 2, 3, 0, 0, 0], atol=1e-6)
    assert not moved[:, [0, 1, 2, 4]].any()
    before = np.asarray(sandwich.decode(latent, refined=False))
    fusion.get_layer("mfg_decoder").get_layer("output").bias.assign(np.full(2 * LATENT, 2.0))
    assert not np.allclose(sandwich.decode(latent, refined=False), before)


def test_a_part_starts_the_same_alone_and_among_the_others_but_unlike_any_other():
    alone, all_five = build_parts(TUNED_LIKE, ["bass"]), build_parts(TUNED_LIKE)
    assert set(alone.models) == {"bass_encoder", "bass_decoder", "bass_refiner"}
    assert len(all_five.models) == 17
    for name, model in alone.models.items():
        assert model.name == name
        for a, b in zip(model.get_weights(), all_five.models[name].get_weights(), strict=True):
            assert np.array_equal(a, b)
    kernels = [all_five.models[f"{track}_encoder"].get_weights()[0] for track in TRACK_NAMES]
    other_seed = build_parts(dataclasses.replace(TUNED_LIKE, seed=1), ["bass"]).models["bass_encoder"]
    kernels.append(other_seed.get_weights()[0])
    for index, kernel in enumerate(kernels):
        assert not any(np.allclose(kernel, other) for other in kernels[:index])


def test_an_unknown_track_is_refused():
    with pytest.raises(ValueError, match=r"^track 'drum' is not one of drums, piano, guitar, bass, strings$"):
        build_parts(TUNED_LIKE, ["drum"])


def test_set_output_bias_is_the_log_odds_of_each_pitch():
    decoder = bvae.build_decoder(TUNED_LIKE, "piano")
    bvae.set_output_bias(decoder, np.array([0.5, 0.75, 0.1, 0.0, 1.0, 0.02]))
    expected = [0, math.log(3), -math.log(9), -math.log(99_999), math.log(99_999), -math.log(49)]
    bias = decoder.get_layer("output").bias.numpy()
    np.testing.assert_allclose(bias[[0, 1, 2, 5]], np.array(expected)[[0, 1, 2, 5]], atol=1e-5)
    np.testing.assert_allclose(bias[[3, 4]], np.array(expected)[[3, 4]], rtol=1e-3)
    # and it is what the logits start at: with nothing from the states, exactly
    decoder.get_layer("output").kernel.assign(np.zeros((4, PITCHES)))
    np.testing.assert_allclose(decoder(np.ones((1, LATENT)))[0, 5], bias, atol=1e-6)


def test_the_loss_of_a_bvae_is_the_likelihood_plus_the_weighted_kl():
    for config, weight in ((TUNED_LIKE, 0.3), (PAPER_LIKE, 2.0)):
        parts = make(dataclasses.replace(config, epsilon_std=0.0, bvae_kl=weight), ["bass"])
        bar = random_bars()[..., 3]
        view = track_vae(parts, "bass")
        moments = np.asarray(parts.models["bass_encoder"](bar), np.float64)
        mean, s = moments[:, :LATENT], moments[:, LATENT:]
        output = np.asarray(parts.models["bass_decoder"](mean), np.float64)
        if config is TUNED_LIKE:
            cells = np.where(bar > 0, np.log1p(np.exp(-output)), np.log1p(np.exp(output)))
            nll = cells.sum(axis=(1, 2)).mean()
        else:
            nll = ((output - bar) ** 2).mean()
        kl = np.mean(0.5 * (mean**2 + np.exp(s) - 1 - s))
        found = view.compute_loss(bar, bar, view(bar))
        assert float(found) == pytest.approx(nll + weight * kl, rel=1e-5)


def test_the_printed_terms_add_up_to_the_loss_with_an_uneven_last_batch():
    parts = make(dataclasses.replace(TUNED_LIKE, epsilon_std=0.0, bvae_kl=0.5), ["bass"])
    view, bar = track_vae(parts, "bass"), random_bars(bars=5)[..., 3]
    view.compile(run_eagerly=True)
    logs = view.evaluate(bar, bar, batch_size=4, verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(logs["nll"] + 0.5 * logs["kl"], rel=1e-5)
    whole = view.evaluate(bar, bar, batch_size=5, verbose=0, return_dict=True)
    assert logs == pytest.approx(whole, rel=1e-5)


def test_the_fusion_is_judged_on_scaled_moments_and_returns_them_unscaled():
    parts = make(dataclasses.replace(TUNED_LIKE, epsilon_std=0.0, mfg_kl=0.0, mfg_target="moments"))
    view = fusion_vae(parts)
    rng = np.random.default_rng(5)
    mean, deviation = rng.normal(0, 3, (5, 2 * LATENT)), rng.uniform(0.1, 4, (5, 2 * LATENT))
    mfg_vae.set_statistics(view.encoder, view.decoder, mean, deviation)
    band = (rng.normal(0, 1, (BARS, 5, 2 * LATENT)) * deviation + mean).astype(np.float32)
    output = view(band)["output"]
    expected = np.mean(((np.asarray(output) - band) / deviation) ** 2)
    assert float(view.compute_loss(band, band, view(band))) == pytest.approx(expected, rel=1e-4)
    # The decoder's last Dense works on the scaled side: its bias moves the output by that many deviations.
    bias = view.decoder.get_layer("output").bias
    bias.assign(bias.numpy() + np.arange(2 * LATENT))
    moved = np.asarray(view(band)["output"]) - np.asarray(output)
    np.testing.assert_allclose(moved[0], deviation * np.arange(2 * LATENT), atol=1e-4)


@pytest.fixture
def set_policy():
    before = keras.mixed_precision.dtype_policy()
    yield keras.mixed_precision.set_dtype_policy
    keras.mixed_precision.set_dtype_policy(before)


@pytest.mark.parametrize(("half", "config"), [("float16", PAPER_LIKE), ("bfloat16", TUNED_LIKE)])
def test_under_a_half_precision_policy_moments_logits_and_losses_are_float32(set_policy, half, config):
    config = dataclasses.replace(config, steps=4, beat_resolution=1)  # the generic LSTM takes its time
    full, bars = Sandwich(make(config)), random_bars()[:, :4]
    set_policy(f"mixed_{half}")
    parts = make(config)
    sandwich = Sandwich(parts)
    moments = sandwich.moments(bars)
    for view, batch in ((track_vae(parts, "bass"), bars[..., 3]), (fusion_vae(parts), moments)):
        outputs = view(batch, training=True)
        assert outputs["moments"].dtype == "float32"
        assert outputs["output"].dtype == "float32"
        assert view.compute_loss(batch, batch, outputs).dtype == "float32"
    latent, probability = sandwich.encode(bars), sandwich.restore(bars)
    assert latent.dtype == probability.dtype == "float32"
    for model in parts.models.values():
        assert {weight.dtype for weight in model.weights} == {"float32"}
    # The policy is at work: the recurrences, and the refiner's layers, are computed in half precision,
    lstm = (
        parts.models["bass_encoder"].get_layer("lstm").get_config()
    )  # bfloat16 may be a matter of its own C
    assert lstm["dtype"]["config"]["name"] == f"mixed_{half}"
    assert parts.models["bass_refiner"].get_layer("dense_0").compute_dtype == half
    # and what comes out is near to what full precision gives.
    np.testing.assert_allclose(moments, full.moments(bars), atol=0.05)
    np.testing.assert_allclose(latent, full.encode(bars), atol=0.05)
    np.testing.assert_allclose(probability, full.restore(bars), atol=0.05)
