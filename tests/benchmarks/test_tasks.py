"""What the workers do, in this process and at sizes of no use but to tests."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from msw2.benchmarks import inference, song_tasks, stock, synthetic, training
from msw2.config import PAPER, TUNED
from msw2.data import pipeline
from msw2.data.midi_folder import midi_folder
from msw2.kernels.lstm import LSTM
from msw2.music.tracks import TRACK_NAMES

SMALL = {"steps": 4, "beat_resolution": 1, "pitches": 5, "bvae_hidden": 6, "bvae_latent": 3}
SMALL |= {"prior_width": 16}
SMALL |= {"mfg_hidden": 5, "mfg_latent": 4, "batch_size": 8, "lowest_pitch": 40}
JOB = {"preset": "tuned", "overrides": SMALL, "threads": 0, "track": "bass", "bars": 20}


@pytest.fixture
def fitted(monkeypatch):
    """Counts what `fit` is asked for, in place of training."""
    calls = []

    def fit(model, batches, *, steps_per_epoch, **_):
        rows, targets = next(iter(batches))
        np.testing.assert_array_equal(rows, targets)
        assert batches.options().autotune.enabled is False  # or its end is waited for, and measured
        calls.append((rows.shape, steps_per_epoch))

    monkeypatch.setattr("keras.Model.fit", fit)
    return calls


def test_synthetic_bars_are_as_full_as_music_and_always_the_same():
    bars = synthetic.units(PAPER, 64)
    assert (bars.shape, bars.dtype) == ((64, 48, 84), bool)
    assert 0.028 < bars.mean() < 0.032
    np.testing.assert_array_equal(bars, synthetic.units(PAPER, 64))


def test_a_jobs_config():
    config = synthetic.config_of({"preset": "paper", "overrides": {"bvae_hidden": 256}})
    assert config == dataclasses.replace(PAPER, bvae_hidden=256)


@pytest.mark.parametrize("policy", [None, "mixed_bfloat16"])
def test_the_precision_is_the_jobs(policy):
    before = keras.mixed_precision.dtype_policy()
    try:
        training.set_up(JOB | ({"policy": policy} if policy else {}))
        assert keras.mixed_precision.dtype_policy().name == (policy or "float32")
    finally:
        keras.mixed_precision.set_dtype_policy(before)


@pytest.mark.parametrize("library", ["ours", "stock"])
@pytest.mark.parametrize(
    ("task", "shape"), [("stage1", (8, 4, 5)), ("refine", (8, 4, 5)), ("stage2", (8, 5, 3))]
)
def test_a_slice_of_training_is_so_many_steps_of_fit(task, shape, library, fitted):
    run = getattr(training, task)(JOB | {"library": library})
    assert run(3) == (24, ())
    assert fitted == [(shape, 3)]


def test_stage_1_really_trains(monkeypatch):
    made = []
    bvae = stock.bvae
    monkeypatch.setattr(stock, "bvae", lambda *parts: made.append(bvae(*parts)) or made[0])
    run = training.stage1(JOB | {"preset": "paper", "library": "stock"})
    before = made[0].get_weights()
    made[0].run_eagerly = True  # a graph takes seconds to build
    assert run(2) == (16, ())
    assert any((old != new).any() for old, new in zip(before, made[0].get_weights(), strict=True))


def test_a_slice_of_stage_1_may_have_another_number_of_bars(fitted):
    run = training.stage1(JOB | {"library": "stock"})
    assert run(5, bars=6) == (40, ())
    assert fitted == [((6, 4, 5), 5)]


def test_batches_are_made_as_the_preset_has_them(monkeypatch):
    asked = []
    monkeypatch.setattr(pipeline, "training_batches", lambda *given, **named: asked.append((given, named)))
    training.drain(JOB)
    ((units,), named) = asked[0]
    np.testing.assert_array_equal(units.read(np.arange(20)), synthetic.units(synthetic.config_of(JOB), 20))
    assert units.is_drum.tolist() == [False] * 20
    expected = {"batch_size": 8, "epoch_units": 20, "max_shift": TUNED.transpose, "mixed": TUNED.mixed_bars}
    assert {name: named[name] for name in expected} == expected


def test_phrases_are_measured_as_phrases(fitted):
    job = JOB | {"library": "stock", "overrides": SMALL | {"unit": "phrase"}}
    assert training.stage1(job)(3) == (24, ())
    assert fitted == [((8, 16, 5), 3)]


def test_the_pipeline_is_drained_of_so_many_batches():
    assert training.drain(JOB)(2) == (16, ())  # 20 bars: no batch of two is smaller


def test_a_product_counts_its_operations(monkeypatch):
    monkeypatch.setattr(training, "MATRIX", 8)
    assert training.product({"preset": "paper", "threads": 0})(3) == (3 * 2 * 8**3 / 1e9, ())


def test_cudnn_is_seen_in_a_graph():
    def cudnn(x):
        return tf.raw_ops.CudnnRNNV2(
            input=x, input_h=x, input_c=x, params=tf.zeros([1]), rnn_mode="lstm", is_training=True
        ).output

    assert training.uses_cudnn(tf.function(cudnn), tf.zeros([1, 1, 1]))
    assert not training.uses_cudnn(tf.function(tf.tanh), tf.zeros([1, 1, 1]))
    units, (found,) = training.cudnn(JOB)(1)
    assert units == 1
    assert found == bool(tf.config.list_logical_devices("GPU"))


@pytest.mark.parametrize("library", ["ours", "stock"])
def test_generation_asks_the_sampler_for_chunks_of_phrases(library, monkeypatch):
    class Sampler:
        def __init__(self, sandwich, config, prior):
            kinds = {type(layer) for layer in sandwich.get_layer("bass_encoder").layers}
            assert any(issubclass(kind, LSTM) for kind in kinds) == (library == "ours")
            assert prior.width == 16  # the notes prior of the config, of random numbers

        def generate(self, phrases, *, seed, temperature):
            assert temperature > 0
            return np.zeros(phrases)

    monkeypatch.setattr(inference, "Sampler", Sampler)  # tests/evaluation has the real one
    assert inference.generate(JOB | {"library": library})(2) == (32, ())


def test_a_call_of_every_signature_takes_its_milliseconds(monkeypatch, tmp_path):
    def export_run(run):
        assert run.has(
            *(f"{track}_{kind}" for track in TRACK_NAMES for kind in ("encoder", "decoder", "refiner"))
        )
        assert run.has("mfg_encoder", "mfg_decoder")
        assert run.prior.exists()
        run.load_sandwich()  # nothing is missing
        module, signatures = tf.Module(), {}
        roll, latent = [None, 4, 4, 5, 5], [None, 4, 4]
        for name, shape, dtype in (
            ("encode", roll, tf.bool), ("decode", latent, tf.float32), ("restore", roll, tf.bool)
        ):  # fmt: skip
            key = "latent" if name == "decode" else "pianoroll"
            function = tf.function(lambda **given: {"rows": tf.constant([len(given)])})
            signatures[name] = function.get_concrete_function(**{key: tf.TensorSpec(shape, dtype, key)})
        tf.saved_model.save(module, str(tmp_path / "saved"), signatures)
        return tmp_path / "saved"

    monkeypatch.setattr(inference, "export_run", export_run)  # tests/serving has the real one
    run = inference.serve(JOB | {"batches": [1, 3]})
    for signature in ("encode", "decode", "restore"):
        units, milliseconds = run(2, signature=signature, batch=3)
        assert units == 6
        assert len(milliseconds) == 2
        assert min(milliseconds) > 0


def test_songs_are_counted_built_and_parsed(tmp_path, monkeypatch):
    folder = tmp_path / "songs"
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / name).write_bytes(b"MThd")
    monkeypatch.setattr(song_tasks, "freedoom", midi_folder)
    asked = []

    def build_store(source, out):
        asked.append((source.kind, out.name))
        return {"files": len(source)}

    monkeypatch.setattr(song_tasks, "build_store", build_store)
    job = {"freedoom": str(folder)}
    assert song_tasks.build(job)(2) == (6, ())
    assert asked == [("midi", "store")] * 2
    pytest.importorskip("pretty_midi")
    assert song_tasks.parse(job)(7) == (7, ())  # damaged ones too, and round again
