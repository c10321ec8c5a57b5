"""A run's precision: resolved when the run is made, kept with it, and what a training of it computes in."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from msw2.config import Config
from msw2.models.precision import building_in
from msw2.models.sandwich import PARTS, build_sandwich, bvae_view, encoding_view, fusion_view
from msw2.training import device, stage1, store_check
from msw2.training.device import resolved_precision
from msw2.training.runs import Run, RunError
from msw2.training.stages import set_stage

HALVES = ("mixed_float16", "mixed_bfloat16")


@pytest.mark.parametrize(
    ("gpu", "tiles", "precision", "expected"),
    [
        (None, False, "auto", "float32"),
        (None, True, "auto", "mixed_bfloat16"),
        ((7, 5), True, "auto", "mixed_float16"),
        ((8, 0), False, "auto", "mixed_bfloat16"),
        ((9, 0), False, "auto", "mixed_bfloat16"),
        ({}, True, "auto", "mixed_float16"),  # a GPU that does not say
        ((9, 0), True, "float32", "float32"),
        (None, True, "mixed_float16", "mixed_float16"),
        (None, False, "mixed_bfloat16", "mixed_bfloat16"),
    ],
)
def test_auto_is_what_the_device_does_well(monkeypatch, gpu, tiles, precision, expected):
    details = {"compute_capability": gpu} if gpu else {}
    config = device.tf.config
    monkeypatch.setattr(config, "get_visible_devices", lambda kind: [] if gpu is None else ["gpu"])
    monkeypatch.setattr(config.experimental, "get_device_details", lambda gpu: details)
    monkeypatch.setattr(device, "has_bfloat16", lambda: tiles)
    assert resolved_precision(precision) == expected


def test_a_config_of_before_is_float32_and_is_not_finetuned(tmp_path, config):
    path = Run.create(tmp_path / "run", dataclasses.replace(config, precision="mixed_float16")).path
    fields = json.loads((path / "config.json").read_text())
    assert fields["precision"] == "mixed_float16"
    for name in ("precision", "finetune_epochs", "finetune_learning_rate"):
        del fields[name]
    (path / "config.json").write_text(json.dumps(fields))
    found = Run.open(path).config
    assert found == dataclasses.replace(
        config, precision="float32", finetune_epochs=0, finetune_learning_rate=1e-4
    )
    assert found == Config.restored({name: value for name, value in fields.items() if name != "preset"})
    del fields["bvae_hidden"]  # which always was there
    (path / "config.json").write_text(json.dumps(fields))
    with pytest.raises(RunError, match=r"does not fit this version: .*bvae_hidden"):
        Run.open(path)


def test_another_precision_is_refused_by_name_and_does_not_continue(tmp_path, config, store):
    run = Run.create(tmp_path / "run", dataclasses.replace(config, precision="float32"))
    with pytest.raises(RunError) as refused:
        run.require(dataclasses.replace(config, precision="mixed_float16"))
    assert str(refused.value) == (
        f"the run {run.path} was made with precision float32 (not mixed_float16): "
        "give the same flags, or another run"
    )
    other = dataclasses.replace(run, config=dataclasses.replace(config, precision="mixed_float16"))
    names = [store_check.resume_of(each, store, "bass_bvae").identity for each in (run, other)]
    assert names[0] != names[1]


@pytest.fixture(params=HALVES)
def half(request, config):
    return dataclasses.replace(config, precision=request.param, epsilon_std=0.5)


def test_moments_logits_losses_and_weights_are_float32(half, fresh, store):
    sandwich = fresh(half)
    for name, layer in (("bass_encoder", "lstm"), ("bass_decoder", "lstm"), ("bass_refiner", "dense_0")):
        asked = sandwich.get_layer(name).get_layer(layer).get_config()["dtype"]["config"]
        assert asked == {"name": half.precision}
    phrases = store.load("train")
    bars = np.where(phrases, 1.0, -1.0).astype(np.float32).reshape(-1, 8, 6, 5)
    moments = encoding_view(sandwich)(phrases)
    assert moments.dtype == "float32"
    views = (bvae_view(sandwich, half, "bass"), bars[..., 3]), (fusion_view(sandwich, half), moments)
    for view, batch in views:
        outputs = view(batch, training=True)
        assert outputs["moments"].dtype == outputs["output"].dtype == "float32"
        assert view.compute_loss(batch, batch, outputs).dtype == "float32"
    refined = set_stage(sandwich, "refine", half, track="bass")(bars[..., 3])
    assert refined.dtype == "float32"
    for output in sandwich(phrases).values():
        assert output.dtype == "float32"
    assert {weight.dtype for name in PARTS for weight in sandwich.get_layer(name).weights} == {"float32"}


def test_a_training_in_half_precision_learns_and_is_continued_to_the_same_bits(  # noqa: PLR0917 - fixtures
    tmp_path, half, store, killed, history, content, assert_same
):
    # Under float16 Keras scales the loss, and wraps the optimizer: the scale is part of the state.
    config = dataclasses.replace(half, bvae_epochs=3, encoder_states="last", output_bias=False)
    runs = [Run.create(tmp_path / name, config) for name in ("whole", "halves")]
    assert stage1.train_bvae(runs[0], store, "bass")
    killed(2, stage1.train_bvae, runs[1], store, "bass")
    assert stage1.train_bvae(runs[1], store, "bass")
    for part in ("bass_encoder", "bass_decoder"):
        assert_same(*(run.weights(part) for run in runs))
        for values in content(runs[0].weights(part)).values():
            assert values.dtype == np.float32
            assert np.isfinite(values).all()
    rows = history(runs[0], "bass_bvae")
    assert float(rows[2]["loss"]) < float(rows[0]["loss"])
    assert [{**row, "seconds": ""} for row in rows] == [
        {**row, "seconds": ""} for row in history(runs[1], "bass_bvae")
    ]


def test_float16_scales_the_loss_and_the_others_do_not(config, fresh):
    for precision in ("float32", *HALVES):
        each = dataclasses.replace(config, precision=precision)
        view = set_stage(fresh(each), "stage1", each, track="bass")
        scaled = isinstance(view.optimizer, keras.optimizers.LossScaleOptimizer)
        assert scaled == (precision == "mixed_float16")


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_the_precision_of_a_run_is_not_that_of_the_process(config, policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        for precision in ("float32", "mixed_float16", "auto"):
            each = dataclasses.replace(config, precision=precision)
            sandwich = build_sandwich(each)
            assert keras.config.dtype_policy().name == policy
            view = set_stage(sandwich, "refine", each, track="drums")
            assert keras.config.dtype_policy().name == policy
            kind = {"mixed_float16": "float16"}.get(precision, "float32")
            assert sandwich.get_layer("piano_refiner").get_layer("dense_0").compute_dtype == kind
            assert view.dtype_policy.compute_dtype == kind
        with pytest.raises(ZeroDivisionError), building_in("mixed_float16"):
            assert keras.config.dtype_policy().name == "mixed_float16"
            _ = 1 / 0
        assert keras.config.dtype_policy().name == policy  # also after an error
    finally:
        keras.config.set_dtype_policy(before)
