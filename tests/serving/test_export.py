"""The contract of the SavedModel, in a process with neither Keras nor msw2."""

import dataclasses
import json
import pathlib
import shutil
import types

import numpy as np
import pytest
import tensorflow as tf

from msw2.config import SMOKE
from msw2.inference.sampling import PhraseFunctions
from msw2.models.sandwich import build_sandwich
from msw2.serving import export
from msw2.serving.export import ExportError, check, example_inputs, export_run, signatures
from msw2.training.runs import Run

ROWS = 70
SIZES = types.SimpleNamespace(phrase_shape=(4, 48, 84, 5), latent_shape=(4, 8))
GENERATE, ENCODE, DECODE, RESTORE = "generate", "encode", "decode", "restore"


@pytest.fixture(scope="module")
def run(tmp_path_factory, smoke_run):
    folder = tmp_path_factory.mktemp("runs") / "exported"
    shutil.copytree(smoke_run.path, folder)
    return Run.open(folder)


@pytest.fixture(scope="module")
def published(run):
    """The published folder, and the functions that it was made from."""
    kept = {}

    def keep(folder, endpoints, inputs):
        check(folder, endpoints, inputs)
        kept.update(endpoints)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "check", keep)
        return export_run(run), kept


@pytest.fixture(scope="module")
def model(published):
    return published[0]


@pytest.fixture(scope="module")
def given(published):
    """Inputs of every signature, ROWS of each; what is decoded is what `encode` makes of what is restored."""
    inputs = example_inputs(SIZES, ROWS)
    return inputs | {DECODE: {"latent": published[1][ENCODE](**inputs[RESTORE])["latent"].numpy()}}


@pytest.fixture(scope="module")
def answers(model, given):
    """What a session answers for one row, three, and ROWS of each signature, by `<signature>/<output>/<rows>`."""
    return export._ask(model, given)


def test_what_is_published_is_whole(model, run):
    assert model == run.path / "export" / "msw2" / "1"
    assert [path.name for path in model.parent.iterdir()] == ["1"]
    assert (model / "saved_model.pb").is_file()
    constants = json.loads((model / "assets.extra" / "msw2.json").read_text())
    assert constants["preset"] == "smoke"
    assert constants["grid"] == {
        "bars": 4,
        "steps": 48,
        "pitches": 84,
        "lowest_pitch": 24,
        "beat_resolution": 12,
    }
    assert [track["program"] for track in constants["tracks"]] == [0, 0, 24, 32, 48]
    assert [track["is_drum"] for track in constants["tracks"]] == [True, False, False, False, False]
    assert constants["tempo"] == 100
    assert constants["latent"] == [4, 8]


def test_every_weight_is_stored_once(model, smoke_sandwich):
    names = tf.train.list_variables(str(model / "variables" / "variables"))
    stored = sum(int(np.prod(shape)) for name, shape in names if not name.startswith("_CHECKPOINTABLE"))
    assert stored == smoke_sandwich[0].count_params()


def test_signatures_are_the_contract(model):
    roll = {"pianoroll": ("bool", [None, 4, 48, 84, 5])}
    latent = {"latent": ("float32", [None, 4, 8])}
    drawn = {"seed": ("int64", [None]), "temperature": ("float32", [None])}
    expected = {
        GENERATE: (drawn, roll),
        ENCODE: (roll, latent),
        DECODE: (latent, roll),
        RESTORE: (roll, roll),
    }
    found = {}
    for name, function in tf.saved_model.load(str(model)).signatures.items():
        inputs = function.structured_input_signature[1]
        found[name] = tuple(
            {key: (spec.dtype.name, spec.shape.as_list()) for key, spec in specs.items()}
            for specs in (inputs, function.structured_outputs)
        )
    assert found == expected | {"serving_default": expected[GENERATE]}


def test_no_operation_needs_more_than_stock_tensorflow_on_a_cpu(model):
    content = (model / "saved_model.pb").read_bytes()
    for name in (b"CudnnRNN", b"XlaLaunch", b"PyFunc", b"_XlaMustCompile\x12\x02(\x01"):
        assert name not in content


def test_a_row_gives_the_same_bytes_alone_or_in_any_batch(answers):
    for key, value in answers.items():
        name, output, rows = key.split("/")
        assert len(value) == int(rows)
        np.testing.assert_array_equal(value, answers[f"{name}/{output}/{ROWS}"][: int(rows)])
    assert {key.rsplit("/", 1)[1] for key in answers} == {"1", "3", str(ROWS)}
    assert len({row.tobytes() for row in answers[f"{GENERATE}/pianoroll/{ROWS}"]}) > ROWS // 2


def test_a_session_answers_as_the_model_in_memory(answers, given, published):
    for name, function in published[1].items():
        for output, value in function(**given[name]).items():
            np.testing.assert_array_equal(answers[f"{name}/{output}/{ROWS}"], value)
    assert answers[f"{ENCODE}/latent/3"].dtype == np.float32
    for rows in (1, 3, ROWS):
        default, generate = (answers[f"{name}/pianoroll/{rows}"] for name in ("serving_default", GENERATE))
        np.testing.assert_array_equal(default, generate)


def test_decoding_what_was_encoded_is_restoring(answers):
    decoded, restored = (answers[f"{name}/pianoroll/{ROWS}"] for name in (DECODE, RESTORE))
    np.testing.assert_array_equal(decoded, restored)


def test_the_server_is_warmed_up_with_every_signature(model):
    path = model / "assets.extra" / "tf_serving_warmup_requests"
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
    for name in (GENERATE, ENCODE, DECODE, RESTORE):
        assert sum(b"\x1a" + bytes([len(name)]) + name.encode() in record for record in records) == 1


def test_a_model_that_fails_the_check_is_not_published(run, tmp_path, monkeypatch):
    own = Run(tmp_path, run.config)
    before = tmp_path / "export" / "msw2" / "1" / "saved_model.pb"
    before.parent.mkdir(parents=True)
    before.write_text("an earlier one")

    def refuse(folder, endpoints, inputs):
        assert folder.parent == before.parent.parent
        assert not folder.name.isdigit()  # a server would load it
        raise ExportError("refused")

    monkeypatch.setattr(
        export,
        "serving_functions",
        lambda _: SIZES,
    )
    monkeypatch.setattr(export, "_write", lambda functions, folder: folder.mkdir())
    monkeypatch.setattr(export, "check", refuse)
    with pytest.raises(ExportError, match="refused"):
        export_run(own)
    assert [path.name for path in before.parent.parent.iterdir()] == ["1"]
    assert before.read_text() == "an earlier one"
    monkeypatch.setattr(export, "check", lambda *_: None)
    export_run(own)
    assert [path.name for path in before.parent.parent.iterdir()] == ["1"]
    assert not before.exists()


def test_a_flipped_cell_is_found(tmp_path, monkeypatch):
    roll = np.zeros((3, 2), bool)
    other = roll.copy()
    other[2, 1] = True
    answers = {"restore/pianoroll/1": roll[:1], "restore/pianoroll/3": other}
    monkeypatch.setattr(export, "_ask", lambda *_: answers)
    endpoints = {"restore": lambda x: {"pianoroll": tf.constant(x)}}
    with pytest.raises(ExportError, match="restore/pianoroll/3"):
        check(tmp_path, endpoints, {"restore": {"x": roll}})
    endpoints = {"restore": lambda x: {"pianoroll": tf.constant(other)}}
    check(tmp_path, endpoints, {"restore": {"x": roll}})


def test_what_is_no_saved_model_is_one_sentence(tmp_path):
    with pytest.raises(ExportError, match="cannot be used in a session: "):
        export._ask(pathlib.Path(tmp_path), {})


def test_a_model_of_whole_phrases_has_one_latent_vector_a_phrase():
    config = dataclasses.replace(SMOKE, unit="phrase")
    functions = PhraseFunctions(build_sandwich(config), config, None)
    specs = {
        name: [tuple(spec.shape) for spec in given] for name, (_, given) in signatures(functions).items()
    }
    assert specs[DECODE] == [(None, 1, 8)]
    assert specs[ENCODE] == specs[RESTORE] == [(None, 4, 48, 84, 5)]
    assert example_inputs(functions, 3)[DECODE]["latent"].shape == (3, 1, 8)
    assert export._constants(Run(pathlib.Path(), config))["latent"] == [1, 8]
