"""Stage 2 with the strategies that are no VRAE, and without fusion."""

import dataclasses
import shutil

import numpy as np
import pytest
import tensorflow as tf

from msw2.inference.sampling import PhraseFunctions, Sampler
from msw2.models import fusion_mlp
from msw2.models.prior_file import load_prior
from msw2.models.sandwich import FUSION_PARTS, PARTS, build_sandwich, decoding_view
from msw2.training import stage2
from msw2.training.runs import Run


@pytest.fixture(scope="module")
def begin(tmp_path_factory, config, fresh, give):
    """Returns a function (**changes) -> a run of BVAEs and refiners as they start, without a stage 2."""
    first = Run.create(tmp_path_factory.mktemp("runs") / "first", config)
    give(first, fresh(config), *(name for name in PARTS if name not in FUSION_PARTS))

    def begin(**changes):
        run = Run.create(tmp_path_factory.mktemp("runs") / "run", dataclasses.replace(config, **changes))
        shutil.copytree(first.path / "weights", run.path / "weights")
        return run

    return begin


def own_key_moments(sandwich, config, store):
    """float32 [phrase, unit, track, moment]."""
    moments, units = stage2.encode_moments(sandwich, config, store, "train", copies=1)
    assert len(moments) == units
    return moments.read(np.arange(units)).reshape(-1, config.units, *moments.shape[1:])


@pytest.mark.parametrize(
    ("fusion", "output", "target", "width"),
    [("concatenate", "relu", "moments", 6), ("project", "linear", "means", 3)],
)
def test_a_perceptron_is_trained_and_loaded(  # noqa: PLR0917 - fixtures
    monkeypatch, begin, store, fusion, output, target, width, fresh, history
):
    monkeypatch.setattr(fusion_mlp, "CONCATENATED", (32, 16))
    monkeypatch.setattr(fusion_mlp, "PROJECTED", (16, 8))
    run = begin(fusion=fusion, mfg_output=output, mfg_target=target, mfg_epochs=6)
    assert stage2.train_fusion(run, store)
    losses = [float(row["loss"]) for row in history(run, "mfg_vae")]
    assert len(losses) == 6
    assert losses[-1] < 0.98 * losses[0]
    sandwich = fresh(run.config)
    before = {name: sandwich.get_layer(name).get_weights() for name in FUSION_PARTS}
    run.load_weights(sandwich, *PARTS)
    for name in FUSION_PARTS:
        for start, after in zip(before[name], sandwich.get_layer(name).get_weights(), strict=True):
            assert not np.array_equal(start, after)  # the scale of the moments too
    moments, prior = own_key_moments(sandwich, run.config, store), load_prior(run.prior)
    assert moments.shape == (10, 2, 5, width)
    fused = np.asarray(sandwich.get_layer("mfg_encoder")(moments.reshape(20, 5, width)))
    latents = fused[:, :4].reshape(10, 8)
    np.testing.assert_allclose(prior.points[0], latents[np.lexsort(latents.T[::-1])], atol=1e-4)
    assert stage2.train_fusion(run, store) is False


def test_stage_2_has_a_learning_rate_of_its_own(begin, store, monkeypatch, instead_of_fit):
    monkeypatch.setattr(fusion_mlp, "CONCATENATED", (32, 16))
    rates = []
    instead_of_fit(lambda model, feed, **kwargs: rates.append(float(model.optimizer.learning_rate)))
    run = begin(fusion="concatenate", learning_rate=0.5, mfg_learning_rate=0.125, schedule="constant")
    assert stage2.train_fusion(run, store)
    assert rates == [0.125]


@pytest.fixture(scope="module")
def unfused(begin, store):
    run = begin(fusion="none", standardise=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage2, "fit", None)  # there is nothing to fit
        assert stage2.train_fusion(run, store)
    return run


def test_without_fusion_what_is_written_is_what_later_steps_look_for(unfused, store):
    assert unfused.has("mfg_encoder", "mfg_decoder")
    assert unfused.prior.exists()
    assert not unfused.history("mfg_vae").exists()
    assert not unfused.checkpoint("mfg_vae").exists()
    assert stage2.train_fusion(unfused, store) is False


def test_without_fusion_the_prior_has_each_tracks_own_latents(unfused, store):
    sandwich, prior = unfused.load_sandwich()
    moments = own_key_moments(sandwich, unfused.config, store)
    assert moments.shape == (10, 2, 5, 6)  # all of them, though the target is the means
    means = moments[..., :3]  # [phrase, bar, track, latent]
    assert (prior.units, prior.latent) == (2, 15)
    assert prior.points.shape == (5, 10, 6)
    for track in range(5):
        for point in means[:, :, track].reshape(10, 6):
            assert np.abs(prior.points[track] - point).max(axis=1).min() < 1e-5


def test_without_fusion_phrases_are_generated_encoded_and_restored(unfused):
    sandwich, prior = unfused.load_sandwich()
    functions = PhraseFunctions(sandwich, unfused.config, prior)
    assert functions.latent_shape == (2, 15)
    phrases = np.random.default_rng(0).random((3, 2, 8, 6, 5)) < 0.3
    latent = functions.encode(tf.constant(phrases))
    assert latent.shape == (3, 2, 15)
    sampler = Sampler(sandwich, unfused.config, prior)
    assert np.array_equal(functions.decode(latent), sampler.restore(phrases))
    generated = sampler.generate(5, seed=3, temperature=1.0)
    assert generated.shape == (5, 2, 8, 6, 5)
    assert np.array_equal(generated[2:3], sampler.generate(1, seed=5, temperature=1.0))


def test_without_fusion_other_latents_of_a_track_change_what_is_generated_of_that_track_alone(unfused):
    sandwich, prior = unfused.load_sandwich()
    points = prior.points.copy()
    points[1] *= -20
    other = dataclasses.replace(prior, points=points)
    seeds, temperatures = tf.range(8, dtype=tf.int64), tf.ones(8)
    decode = decoding_view(sandwich)
    made = [
        np.asarray(decode(tf.reshape(each.sample(seeds, temperatures), [-1, 15]))["pianoroll"])
        for each in (prior, other)
    ]
    moved = np.abs(made[0] - made[1]).max(axis=(0, 1, 2, 3))
    assert np.flatnonzero(moved > 1e-5).tolist() == [1]


def test_without_fusion_the_papers_prior_is_a_gaussian_for_every_track(begin, store):
    run = begin(fusion="none", prior="gaussian", prior_std=0.1)
    assert stage2.train_fusion(run, store)
    prior = load_prior(run.prior)
    assert (prior.units, prior.latent, prior.noise, prior.spread) == (2, 15, 0.1, 0.0)
    assert not prior.points.any()


@pytest.mark.parametrize("fusion", ["vrae", "none"])
def test_where_only_the_prior_is_missing_nothing_else_is_made_again(  # noqa: PLR0917 - fixtures
    monkeypatch, begin, store, fusion, nothing_is_fitted, give
):
    run, copies = begin(fusion=fusion, prior="parzen"), []
    sandwich = build_sandwich(dataclasses.replace(run.config, seed=9))  # no run of this seed starts so
    encode_moments = stage2.encode_moments

    def look(*args, **kwargs):
        copies.append(kwargs["copies"])
        return encode_moments(*args, **kwargs)

    give(run, sandwich, *FUSION_PARTS)
    run.history("mfg_vae").parent.mkdir()
    run.history("mfg_vae").write_text("taken over")
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in run.path.rglob("*.*")}
    nothing_is_fitted()
    monkeypatch.setattr(stage2, "encode_moments", look)
    assert stage2.train_fusion(run, store)
    assert copies == [1]  # other keys would be for a training
    assert all((path.read_bytes(), path.stat().st_mtime_ns) == was for path, was in before.items())
    assert {path.name for path in run.path.rglob("*.*") if path not in before} == {"data.json", "prior.npz"}
    if fusion == "vrae":
        run.load_weights(sandwich, *(name for name in PARTS if name not in FUSION_PARTS))
        moments = own_key_moments(sandwich, run.config, store)
        fused = np.asarray(sandwich.get_layer("mfg_encoder")(moments.reshape(20, 5, 3)))
        latents = fused[:, :4].reshape(10, 8)
        points = load_prior(run.prior).points[0]
        np.testing.assert_allclose(points, latents[np.lexsort(latents.T[::-1])], atol=1e-4)
    assert stage2.train_fusion(run, store) is False
