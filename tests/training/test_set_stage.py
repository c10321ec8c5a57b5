"""`set_stage`: which parts each stage trains, what it says, and that stage 2 on moments is stage 2 on the whole."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from msw2.models import refine
from msw2.models.sandwich import FUSION_PARTS, PARTS, build_sandwich, encoding_view, fusion_view
from msw2.training.stages import STAGES, set_stage, stage_parts

TRAINED = {
    ("stage1", "bass"): {"bass_encoder", "bass_decoder"},
    ("refine", "drums"): {"drums_refiner"},
    ("stage2", ""): {"mfg_encoder", "mfg_decoder"},
    ("finetune", ""): set(PARTS),
}
# By hand, of 2 bars of 8 steps and 6 pitches, LSTMs of 7, latents of 3 and 4, and all states into the moments:
# encoders 4 * 7 * (6 + 7 + 1) + 2 * 3 * (8 * 7 + 1), decoders 8 * 6 * (3 + 1) + 4 * 7 * (6 + 7 + 1) + 6 * (7 + 1),
# the MFG-VAE, of means, 4 * 7 * (3 + 7 + 1) + 2 * 4 * (5 * 7 + 1) and 5 * 3 * (4 + 1) + 4 * 7 * (3 + 7 + 1) +
# 3 * (7 + 1), each with a scale 2 * 5 * 3,
# refiners 6 * 512 + 512 + 512 * 513 + 256 * 513 + 256 * 257 + 6 * 257.
COUNTS = {"encoder": 734, "decoder": 632, "refiner": 464_902, "mfg_encoder": 626, "mfg_decoder": 437}
LINES = {
    ("stage1", "bass"): (
        "stage1 trains bass_encoder and bass_decoder (1,366 weights); frozen: 15 parts (2,331,037)"
    ),
    ("refine", "drums"): "refine trains drums_refiner (464,902 weights); frozen: 16 parts (1,867,501)",
    ("stage2", ""): "stage2 trains mfg_encoder and mfg_decoder (1,063 weights); frozen: 15 parts (2,331,340)",
    ("finetune", ""): "finetune trains all 17 parts (2,332,403 weights)",
}
WIDTHS = {"means": 3, "moments": 6}  # numbers of a track that the MFG-VAE reads and makes


@pytest.fixture(scope="module")
def sandwich(config):
    return build_sandwich(config)


def identities(variables):
    return {id(variable) for variable in variables}


def weights_of(sandwich):
    return {name: sandwich.get_layer(name).get_weights() for name in PARTS}


def moved(before, after):
    return {
        name
        for name in PARTS
        for a, b in zip(before[name], after[name], strict=True)
        if not np.array_equal(a, b)
    }


def batch(stage, track, store, sandwich):
    """A batch of what a stage reads."""
    phrases = store.load("train")[:3]
    signed = np.where(phrases, 1.0, -1.0).astype(np.float32)
    if stage == "finetune":
        return phrases, signed
    if stage == "stage2":
        moments = np.asarray(encoding_view(sandwich)(phrases))
        return moments, moments
    units = signed.reshape(-1, 8, 6, 5)[..., {"bass": 3, "drums": 0}[track]]
    return units, units


def test_the_counts_are_those_made_by_hand(sandwich):
    for name in PARTS:
        kind = name if name in COUNTS else name.split("_")[1]
        assert sandwich.get_layer(name).count_params() == COUNTS[kind], name


@pytest.mark.parametrize(("stage", "track"), list(TRAINED))
def test_a_stage_trains_its_parts_and_says_so(sandwich, config, capsys, stage, track):
    trained = TRAINED[stage, track]
    assert set(stage_parts(stage, track)) == trained
    view = set_stage(sandwich, stage, config, track=track, steps=7)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", LINES[stage, track] + "\n")
    assert {name for name in PARTS if sandwich.get_layer(name).trainable} == trained
    for name in PARTS:
        assert bool(sandwich.get_layer(name).trainable_weights) == (name in trained)
    wanted = [weight for name in trained for weight in sandwich.get_layer(name).trainable_weights]
    assert identities(view.trainable_variables) == identities(wanted)
    assert view.compiled
    assert view.jit_compile is False


def test_every_stage_is_one_of_the_four():
    assert tuple(dict.fromkeys(stage for stage, _ in TRAINED)) == STAGES


@pytest.mark.parametrize(
    ("stage", "track", "message"),
    [
        ("stage3", "bass", "stage 'stage3' is not one of stage1, refine, stage2, finetune"),
        ("", "", "stage '' is not one of stage1, refine, stage2, finetune"),
        ("stage1", "drum", "track 'drum' is not one of drums, piano, guitar, bass, strings"),
        ("stage1", "", "track '' is not one of drums, piano, guitar, bass, strings"),
        ("refine", "mfg", "track 'mfg' is not one of drums, piano, guitar, bass, strings"),
    ],
)
def test_what_is_no_stage_or_no_track_is_refused_and_nothing_changes(sandwich, config, stage, track, message):
    set_stage(sandwich, "stage2", config)
    with pytest.raises(ValueError) as refused:
        set_stage(sandwich, stage, config, track=track)
    assert str(refused.value) == message
    assert {name for name in PARTS if sandwich.get_layer(name).trainable} == set(FUSION_PARTS)


def test_one_stage_after_another_moves_only_its_own_parts(config, store, fresh):
    sandwich = fresh(config)
    for stage, track in (*TRAINED, ("stage1", "bass"), ("stage2", "")):
        inputs, targets = batch(stage, track, store, sandwich)
        view = set_stage(sandwich, stage, config, track=track)
        view.run_eagerly = True
        before = weights_of(sandwich)
        view.train_on_batch(inputs, targets)
        assert moved(before, weights_of(sandwich)) == TRAINED[stage, track], stage
        assert int(view.optimizer.iterations) == 1  # an optimizer of its own


def test_a_view_that_was_compiled_before_is_not_what_the_next_stage_trains(config, fresh):
    sandwich = fresh(config)
    first = set_stage(sandwich, "stage1", config, track="bass")
    second = set_stage(sandwich, "stage1", config, track="piano")
    assert first is not second
    piano = [sandwich.get_layer(name).trainable_weights for name in ("piano_encoder", "piano_decoder")]
    assert identities(second.trainable_variables) == identities([w for each in piano for w in each])
    assert first.trainable_variables == []


def test_every_stage_has_its_own_learning_rate(config, fresh):
    rates = {"learning_rate": 0.5, "mfg_learning_rate": 0.25, "finetune_learning_rate": 0.125}
    config = dataclasses.replace(config, schedule="constant", **rates)
    sandwich = fresh(config)
    found = [
        float(set_stage(sandwich, stage, config, track=track).optimizer.learning_rate)
        for stage, track in TRAINED
    ]
    assert found == pytest.approx([0.5, 1e-3, 0.25, 0.125])  # a refiner's is Adam's own


def test_frozen_a_refiner_in_bars_keeps_its_statistics(monkeypatch, config, fresh):
    monkeypatch.setattr(refine, "UNITS", 1)
    config = dataclasses.replace(config, refine="bars")
    sandwich = fresh(config)
    set_stage(sandwich, "stage1", config, track="bass")
    refiner = sandwich.get_layer("bass_refiner")
    before = refiner.get_weights()
    assert refiner.trainable_weights == []
    refiner(np.random.default_rng(0).uniform(-1, 1, (2, 8, 6)), training=True)
    for a, b in zip(before, refiner.get_weights(), strict=True):
        assert np.array_equal(a, b)


def whole_stage_2(sandwich):
    """Stage 2 from the pianoroll on: the BVAEs' encoders, then the MFG-VAE, sampled."""
    moments = sandwich.get_layer("moments").output
    fused = sandwich.get_layer("mfg_encoder")(moments)
    latent = sandwich.get_layer("sampling")(fused, training=True)
    made = sandwich.get_layer("mfg_decoder")(latent)
    return keras.Model(sandwich.input, {"target": moments, "moments": fused, "output": made})


def loss_of(config, scale, target, outputs):
    """Eq. 6 of stage 2, written out: the scaled error, plus the weighted KL."""
    error = (outputs["output"] - target) / scale
    mean, s = tf.split(outputs["moments"], 2, axis=-1)
    kl = tf.reduce_mean(0.5 * (mean**2 + tf.exp(s) - 1.0 - s))
    return tf.reduce_mean(error**2) + config.mfg_kl * kl


@pytest.mark.parametrize("target", WIDTHS)
@pytest.mark.parametrize("epsilon_std", [0.0, 0.5])
def test_stage_2_on_moments_is_stage_2_through_the_whole_graph(config, fresh, store, epsilon_std, target):
    config = dataclasses.replace(config, epsilon_std=epsilon_std, mfg_target=target, mfg_kl=0.3)
    sandwich, phrases, shape = fresh(config), store.load("train"), (5, WIDTHS[target])
    scale = np.random.default_rng(1).uniform(0.5, 2.0, shape).astype(np.float32)
    for name, layer in zip(FUSION_PARTS, ("standardise", "unstandardise"), strict=True):
        sandwich.get_layer(name).get_layer(layer).set_statistics(np.full(shape, 0.25), scale)
    view, whole = set_stage(sandwich, "stage2", config), whole_stage_2(sandwich)
    sampling = sandwich.get_layer("sampling")
    start = np.array(sampling.generator.state)
    variables = [variable.value for variable in view.trainable_variables]
    assert identities(view.trainable_variables) == identities(whole.trainable_variables)

    encoded = np.asarray(encoding_view(sandwich)(phrases))
    assert encoded.shape == (20, *shape)
    with tf.GradientTape() as tape:
        loss = view.compute_loss(encoded, encoded, view(encoded, training=True))
    gradients = tape.gradient(loss, variables)
    drawn = np.array(sampling.generator.state)
    sampling.generator.state.assign(start)
    with tf.GradientTape() as tape:
        outputs = whole(phrases, training=True)
        expected = loss_of(config, scale, tf.stop_gradient(outputs["target"]), outputs)
    assert np.array_equal(sampling.generator.state, drawn)  # the same noise
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    wanted = tape.gradient(expected, variables)
    for variable, mine, theirs in zip(view.trainable_variables, gradients, wanted, strict=True):
        size = np.abs(theirs).max()
        assert size > 0, variable.path
        np.testing.assert_allclose(mine, theirs, atol=1e-5 * max(size, 1e-3), err_msg=variable.path)
    assert max(np.abs(gradient).max() for gradient in gradients) > 1e-3
    # The noise counts: with other noise it is another loss.
    again = float(view.compute_loss(encoded, encoded, view(encoded, training=True)))
    assert (abs(again - float(loss)) > 1e-4 * float(loss)) == (epsilon_std > 0)


def test_through_the_whole_graph_stage_2_leaves_the_bvaes_alone(config, fresh, store):
    config = dataclasses.replace(config, epsilon_std=0.0)
    sandwich, phrases = fresh(config), store.load("train")
    set_stage(sandwich, "stage2", config)
    whole = whole_stage_2(sandwich)
    trained = [weight for name in FUSION_PARTS for weight in sandwich.get_layer(name).trainable_weights]
    assert identities(whole.trainable_variables) == identities(trained)
    optimizer, before = keras.optimizers.SGD(0.05), weights_of(sandwich)
    with tf.GradientTape() as tape:
        outputs = whole(phrases, training=True)
        loss = loss_of(config, 1.0, outputs["target"], outputs)
    gradients = tape.gradient(loss, [variable.value for variable in whole.trainable_variables])
    optimizer.apply(gradients, whole.trainable_variables)
    assert moved(before, weights_of(sandwich)) == set(FUSION_PARTS)
    after = float(loss_of(config, 1.0, outputs["target"], fusion_view(sandwich, config)(outputs["target"])))
    assert after < float(loss)
