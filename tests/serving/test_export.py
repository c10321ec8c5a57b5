"""The contract of the SavedModel, in TF Serving's loader, in a process without Python's TensorFlow."""

import dataclasses
import json
import pathlib
import re
import shutil
import types

import numpy as np
import pytest
import tensorflow as tf

from msw2.config import SMOKE
from msw2.inference.sampling import PhraseFunctions
from msw2.models.prior import Prior
from msw2.models.sandwich import build_sandwich
from msw2.music.grid import Grid
from msw2.serving import export
from msw2.serving.contract import phrase_of_png
from msw2.serving.export import check, export_run
from msw2.serving.loader_process import ExportError, Refusal, ask
from msw2.serving.signatures import example_inputs, signatures, wrong_inputs
from msw2.training.runs import Run

ROWS = 20
GRID = Grid()
SIZES = types.SimpleNamespace(
    phrase_shape=(4, 48, 84, 5), latent_shape=(4, 8), config=types.SimpleNamespace(grid=GRID)
)
GENERATE, ENCODE, DECODE, RESTORE = "generate", "encode", "decode", "restore"
FORMS = ("", "_notes", "_png")


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
    latent = {"latent": published[1][ENCODE](*inputs[RESTORE].values())["latent"].numpy()}
    return inputs | {DECODE + form: latent for form in FORMS}


@pytest.fixture(scope="module")
def asked(model, given):
    """What one process of the loader makes of all requests: (signature, inputs, its answer) each.

    They are one row, three, and ROWS of each signature, then what must be refused.
    """
    right = [
        (name, {key: array[:rows] for key, array in arrays.items()})
        for name, arrays in given.items()
        for rows in (1, 3, ROWS)
    ]
    few = {name: {key: array[:2] for key, array in arrays.items()} for name, arrays in given.items()}
    requests = right + wrong_inputs(few)
    answers = ask(model, requests)
    return [(*request, answer) for request, answer in zip(requests, answers, strict=True)]


@pytest.fixture(scope="module")
def answers(asked):
    """What the loader answers to right requests, by (signature, rows)."""
    return {
        (name, len(next(iter(inputs.values())))): answer
        for name, inputs, answer in asked
        if not isinstance(answer, Refusal)
    }


@pytest.fixture(scope="module")
def refused(asked, given):
    """What the loader answers to requests that must be refused: (signature, answer) each."""
    return [(name, answer) for name, _, answer in asked[3 * len(given) :]]


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
    assert constants["signatures"] == [
        *(verb + form for form in FORMS for verb in (GENERATE, ENCODE, DECODE, RESTORE)),
        "serving_default",
    ]
    assert "song_bars" not in constants  # its prior has learnt phrases


def test_every_weight_is_stored_once(model, smoke_sandwich):
    names = tf.train.list_variables(str(model / "variables" / "variables"))
    stored = sum(int(np.prod(shape)) for name, shape in names if not name.startswith("_CHECKPOINTABLE"))
    assert stored == smoke_sandwich[0].count_params()


def test_signatures_are_the_contract(model):
    roll = {"pianoroll": ("bool", [None, 4, 48, 84, 5])}
    notes = {"notes": ("int32", [None, None, 4])}
    png = {"png_bytes": ("string", [None])}
    latent = {"latent": ("float32", [None, 4, 8])}
    drawn = {"seed": ("int64", [None]), "temperature": ("float32", [None])}
    expected = {}
    for form, read, made in (
        ("", roll, roll),
        ("_notes", notes, notes | {"count": ("int32", [None])}),
        ("_png", png, png),
    ):
        expected |= {GENERATE + form: (drawn, made), ENCODE + form: (read, latent)}
        expected |= {DECODE + form: (latent, made), RESTORE + form: (read, made)}
    found = {}
    for name, function in tf.saved_model.load(str(model)).signatures.items():
        inputs = function.structured_input_signature[1]
        found[name] = tuple(
            {key: (spec.dtype.name, spec.shape.as_list()) for key, spec in specs.items()}
            for specs in (inputs, function.structured_outputs)
        )
    assert found == expected | {"serving_default": expected[GENERATE]}


def test_what_the_forms_share_is_stored_once(model):
    """The prior's points are constants of the graph, 4 bytes a number."""
    assert (model / "saved_model.pb").stat().st_size < 5e6


def test_no_operation_needs_more_than_stock_tensorflow_on_a_cpu(model):
    content = (model / "saved_model.pb").read_bytes()
    for name in (b"CudnnRNN", b"XlaLaunch", b"PyFunc", b"_XlaMustCompile\x12\x02(\x01"):
        assert name not in content


def test_a_row_gives_the_same_bytes_alone_or_in_any_batch(answers, given):
    assert answers.keys() == {(name, rows) for name in given for rows in (1, 3, ROWS)}
    for (name, rows), outputs in answers.items():
        for output, value in outputs.items():
            whole = answers[name, ROWS][output][:rows]
            if output == "notes":  # padded to the most of the batch
                whole, left_out = whole[:, : value.shape[1]], whole[:, value.shape[1] :]
                assert not left_out.any()
            np.testing.assert_array_equal(value, whole)
    assert len({row.tobytes() for row in answers[GENERATE, ROWS]["pianoroll"]}) > ROWS // 2


def test_the_loader_answers_as_the_model_in_memory(answers, given, published):
    for name, function in published[1].items():
        for output, value in function(*given[name].values()).items():
            expected = value.numpy()
            np.testing.assert_array_equal(
                answers[name, ROWS][output], expected.astype(bytes) if output == "png_bytes" else expected
            )
    assert answers[ENCODE, 3]["latent"].dtype == np.float32
    for rows in (1, 3, ROWS):
        default, generate = (answers[name, rows]["pianoroll"] for name in ("serving_default", GENERATE))
        np.testing.assert_array_equal(default, generate)


def test_all_forms_are_of_the_same_phrases(answers):
    for verb in (GENERATE, DECODE, RESTORE):
        rolls = answers[verb, ROWS]["pianoroll"]
        assert rolls.any()
        png = answers[f"{verb}_png", ROWS]["png_bytes"].tolist()
        np.testing.assert_array_equal([phrase_of_png(content, GRID) for content in png], rolls)
        assert np.mean([len(content) for content in png]) < rolls[0].size / 100
        notes, count = (answers[f"{verb}_notes", ROWS][output] for output in ("notes", "count"))
        for row, found, number in zip(rolls, notes, count, strict=True):
            cells = np.zeros((192, 84, 5), bool)
            assert (found[:number, 2] > 0).all() and not found[number:].any()
            for step, pitch, length, track in found[:number]:
                assert track > 0 or length == 1
                cells[step : step + length, pitch - 24, track] = True
            np.testing.assert_array_equal(cells.reshape(row.shape), row)
    latents = [answers[ENCODE + form, ROWS]["latent"] for form in FORMS]
    np.testing.assert_array_equal(latents[1], latents[0])
    np.testing.assert_array_equal(latents[2], latents[0])


def test_decoding_what_was_encoded_is_restoring(answers):
    decoded, restored = (answers[name, ROWS]["pianoroll"] for name in (DECODE, RESTORE))
    np.testing.assert_array_equal(decoded, restored)


@pytest.mark.parametrize(
    ("signature", "messages"),
    [
        (
            ENCODE,
            [
                r"Shape of tensor \S+ \[2,8,48,84,5\] is not compatible with expected shape",
                r"\[2,5,4,48,84\]",
            ],
        ),
        (RESTORE, [r"\[2,8,48,84,5\]", r"\[2,1,48,84,5\]", r"\[4,48,84,5\]"]),
        (DECODE, [r"\[2,4,7\]", r"\[4,8\]", "latents are finite numbers"]),
        (
            GENERATE,
            ["there are as many rows of seed and temperature.*1.*2", r"Shape of tensor \S+ \[2,1\]"]
            + [
                rf"temperatures are numbers from 0 to 10.*{heat}"
                for heat in ("nan", "inf", "-0.5", r"1e\+30")
            ],
        ),
        (
            "restore_notes",
            [r"notes are \[step 0..191, MIDI pitch 24..107"] * 2 + [r"expected shape \[\?,\?,4\]"],
        ),
        (
            "restore_png",
            [r"expected shape \[\?\]", "Invalid PNG data", "png_bytes are PNG images of 192 x 84 pixels"],
        ),
    ],
)
def test_what_is_wrong_is_refused_in_a_sentence(refused, signature, messages):
    found = [answer for name, answer in refused if name == signature]
    assert [type(answer) for answer in found] == [Refusal] * len(messages)
    for answer, message in zip(found, messages, strict=True):
        assert answer.code == 3  # INVALID_ARGUMENT, for which a server answers 400
        assert re.search(message, answer.message), answer.message


def test_the_server_is_warmed_up_with_every_signature(model):
    path = model / "assets.extra" / "tf_serving_warmup_requests"
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
    names = [verb + form for verb in (GENERATE, ENCODE, DECODE, RESTORE) for form in FORMS]
    for name in [*names, "serving_default"]:
        assert sum(b"\x1a" + bytes([len(name)]) + name.encode() in record for record in records) == 1


def test_a_model_that_fails_the_check_is_not_published(run, tmp_path, monkeypatch):
    own = Run(tmp_path, run.config)
    folder = tmp_path / "export" / "msw2"
    for name in ("2", "9", "old"):
        (folder / name).mkdir(parents=True)

    def refuse(made, endpoints, inputs):
        assert made.parent == folder
        assert not made.name.isdigit()  # a server would load it
        raise ExportError("refused")

    monkeypatch.setattr(export, "serving_functions", lambda _: (SIZES, None))
    monkeypatch.setattr(export, "_write", lambda *given: given[-1].mkdir() or {})
    monkeypatch.setattr(export, "check", refuse)
    with pytest.raises(ExportError, match="refused"):
        export_run(own)
    assert {path.name for path in folder.iterdir()} == {"2", "9", "old"}
    monkeypatch.setattr(export, "check", lambda *_: None)
    assert export_run(own) == folder / "10"
    assert export_run(own, 4) == folder / "4"
    with pytest.raises(ExportError, match=r"msw2/9 is there, and a running server would not load it again"):
        export_run(own, 9)
    assert {path.name for path in folder.iterdir()} == {"2", "9", "old", "10", "4"}


ROLL = np.zeros((3, 2), bool)
OTHER = np.array([[False, False], [False, False], [False, True]])
LOUD = {"restore": lambda x: {"pianoroll": tf.constant(OTHER)}}


@pytest.fixture
def answering(monkeypatch):
    """Returns a function that sets what the loader answers to three batches and to a wrong request."""
    monkeypatch.setattr(export, "wrong_inputs", lambda _: [("restore", {"x": ROLL[0]})])
    return lambda *answers: monkeypatch.setattr(export, "ask", lambda *_: list(answers))


def _answers(rows):
    return [{"pianoroll": rows[:1]}, {"pianoroll": rows}, {"pianoroll": rows}]


def test_a_flipped_cell_is_found(answering):
    answering(*_answers(OTHER), Refusal(3, "no"))
    check(pathlib.Path(), LOUD, {"restore": {"x": ROLL}})
    silent = {"restore": lambda x: {"pianoroll": tf.constant(x)}}
    with pytest.raises(ExportError, match="does not answer as the model does: pianoroll of restore, 3 rows"):
        check(pathlib.Path(), silent, {"restore": {"x": ROLL}})


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"pianoroll": OTHER}, r"does not refuse a wrong request to restore: x \[2\]"),
        (Refusal(13, "internal"), r"does not refuse a wrong request to restore: x \[2\]"),
    ],
)
def test_a_wrong_request_that_is_not_refused_is_found(answering, answer, message):
    answering(*_answers(OTHER), answer)
    with pytest.raises(ExportError, match=message):
        check(pathlib.Path(), LOUD, {"restore": {"x": ROLL}})


def test_a_right_request_that_is_refused_is_found(answering):
    answering(*_answers(OTHER)[:2], Refusal(3, "too many"), Refusal(3, "no"))
    with pytest.raises(ExportError, match="the SavedModel refuses restore of 3 rows: too many"):
        check(pathlib.Path(), LOUD, {"restore": {"x": ROLL}})


def test_an_output_more_or_less_is_found(answering):
    for change in ({"more": OTHER}, {"pianoroll": None}):
        changed = {key: value for key, value in ({"pianoroll": OTHER} | change).items() if value is not None}
        answering(*_answers(OTHER)[:2], changed, Refusal(3, "no"))
        with pytest.raises(ExportError, match="does not answer as the model does"):
            check(pathlib.Path(), LOUD, {"restore": {"x": ROLL}})


def test_a_model_of_whole_phrases_has_one_latent_vector_a_phrase():
    config = dataclasses.replace(SMOKE, unit="phrase")
    functions = PhraseFunctions(build_sandwich(config), config, Prior.isotropic(1, 8, 1.0))
    specs = {
        name: [tuple(spec.shape) for spec in given] for name, (_, given) in signatures(functions).items()
    }
    assert specs[DECODE] == specs["decode_png"] == [(None, 1, 8)]
    assert specs[ENCODE] == specs[RESTORE] == [(None, 4, 48, 84, 5)]
    assert example_inputs(functions, 3)[DECODE]["latent"].shape == (3, 1, 8)
    assert export._constants(Run(pathlib.Path(), config))["latent"] == [1, 8]
