"""The signatures of songs, in TF Serving's loader, and a client, held against the composer in memory."""

import dataclasses
import json
import re

import numpy as np
import pytest
import tensorflow as tf

from msw2.config import SMOKE
from msw2.inference.songs import Composer
from msw2.models.codes import random_codes
from msw2.models.notes_prior import NotesPrior
from msw2.models.sandwich import PARTS, build_sandwich
from msw2.serving import client, export
from msw2.serving.client import ServedComposer
from msw2.serving.contract import phrase_of_png
from msw2.serving.export import export_run
from msw2.serving.loader_process import Refusal, ask
from msw2.serving.song_signatures import song_example_inputs, wrong_song_inputs
from msw2.training.notes_prior import writer_of
from msw2.training.runs import Run

CONFIG = dataclasses.replace(
    SMOKE,
    refine_threshold="half",
    bars=2,
    steps=4,
    pitches=6,
    lowest_pitch=40,
    beat_resolution=1,
    bvae_hidden=7,
    bvae_latent=3,
    prior="notes",
    prior_width=16,
)
GRID = CONFIG.grid
VERBS = ("compose", "continue", "infill", "accompany", "complete", "interpolate", "vary")
FORMS = ("", "_notes", "_png")
ASKED = (*VERBS, "continue_notes", "vary_notes", "complete_png", "vary_png", "interpolate_png")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    run = Run.create(tmp_path_factory.mktemp("runs") / "run", CONFIG)
    sandwich = build_sandwich(CONFIG)
    for name in PARTS:
        run.save_weights(sandwich.get_layer(name), name)
    codes = random_codes(tracks=5, code=3, cells=24)
    NotesPrior.of(CONFIG, codes, writer_of(CONFIG)).save(run.prior)
    return run


@pytest.fixture(scope="module")
def published(run):
    """The published folder, the names of the functions that it was made from, and the inputs to be checked with.

    To ask for all signatures takes minutes: the loader optimises the graph of each when it is first asked for.
    """
    kept = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            export, "check", lambda folder, endpoints, inputs: kept.extend([set(endpoints), inputs])
        )
        return export_run(run), *kept


@pytest.fixture(scope="module")
def model(published):
    return published[0]


@pytest.fixture(scope="module")
def composer(run):
    sandwich, prior = run.load_sandwich()
    return Composer(sandwich, CONFIG, prior)


@pytest.fixture(scope="module")
def given():
    return song_example_inputs(GRID, 3)


@pytest.fixture(scope="module")
def asked(model, given):
    """What one process of the loader answers to the examples, to the last row of each alone, and to wrong requests."""
    wrong = wrong_song_inputs(given)
    right = [(name, given[name]) for name in ASKED]
    alone = [(name, {key: array[2:] for key, array in inputs.items()}) for name, inputs in right]
    answers = ask(model, right + alone + wrong)
    refused = [(name, answer) for (name, _), answer in zip(wrong, answers[2 * len(right) :], strict=True)]
    whole, ones = answers[: len(right)], answers[len(right) : 2 * len(right)]
    return dict(zip(ASKED, whole, strict=True)), dict(zip(ASKED, ones, strict=True)), refused


@pytest.fixture(scope="module")
def answers(asked):
    return asked[0]


def test_there_are_seven_signatures_in_three_forms(published):
    model, endpoints, inputs = published
    constants = json.loads((model / "assets.extra" / "msw2.json").read_text())
    songs = [verb + form for form in FORMS for verb in VERBS]
    assert constants["signatures"][12:] == [*songs, "serving_default"]
    assert len(constants["signatures"]) == 12 + 21 + 1
    assert constants["song_bars"] == 64
    assert endpoints | {"serving_default"} == set(inputs) == set(constants["signatures"])
    records = tf.data.TFRecordDataset(str(model / "assets.extra" / "tf_serving_warmup_requests"))
    content = [record.numpy() for record in records]
    assert len(content) == len(constants["signatures"])
    for name in songs:
        assert sum(b"\x1a" + bytes([len(name)]) + name.encode() in record for record in content) == 1


def test_signatures_are_the_contract(model):
    songs = {"": {"pianoroll": ("bool", [None, None, 4, 6, 5])}}
    songs["_notes"] = {"notes": ("int32", [None, None, 4]), "bars": ("int32", [None])}
    songs["_png"] = {"png_bytes": ("string", [None])}
    drawn = {"seed": ("int64", [None]), "temperature": ("float32", [None])}
    share = {"share": ("float32", [None]), "seed": ("int64", [None])}
    ends = {
        "": {f"{end}_pianoroll": ("bool", [None, 2, 4, 6, 5]) for end in ("first", "second")},
        "_notes": {f"{end}_notes": ("int32", [None, None, 4]) for end in ("first", "second")},
        "_png": {f"{end}_png_bytes": ("string", [None]) for end in ("first", "second")},
    }
    expected = {}
    for form, song in songs.items():
        expected |= {
            "compose" + form: drawn | {"bars": ("int32", [None])},
            "continue" + form: song | {"more": ("int32", [None])} | drawn,
            "infill" + form: song | {"write": ("bool", [None, None])} | drawn,
            "accompany" + form: song | {"write": ("bool", [None, 5])} | drawn,
            "complete" + form: song
            | {"given": ("bool", [None, None, 5]), "where": ("int32", [None, 2])}
            | drawn,
            "interpolate" + form: ends[form] | share,
            "vary" + form: song
            | {"amount": ("float32", [None]), "where": ("int32", [None, 2]), "seed": ("int64", [None])},
        }
    found = {
        name: {key: (spec.dtype.name, spec.shape.as_list()) for key, spec in specs.items()}
        for name, function in tf.saved_model.load(str(model)).signatures.items()
        for specs in [function.structured_input_signature[1]]
        if name in expected
    }
    assert found == expected


def test_every_number_is_stored_once(model, run):
    """The network of the prior and its codes are variables."""
    sandwich, prior = run.load_sandwich()
    names = tf.train.list_variables(str(model / "variables" / "variables"))
    stored = sum(int(np.prod(shape)) for name, shape in names if not name.startswith("_CHECKPOINTABLE"))
    drawn = [*prior.weights.values(), prior.codes.kernel, prior.codes.offset]
    assert stored == sandwich.count_params() + sum(array.size for array in drawn)


def test_what_is_given_comes_back(answers, given):
    songs = given["infill"]["pianoroll"]
    kept = ~given["infill"]["write"]
    np.testing.assert_array_equal(answers["infill"]["pianoroll"][kept], songs[kept])
    for name, kept in (
        ("accompany", ~given["accompany"]["write"][:, None]),
        ("complete", given["complete"]["given"]),
    ):
        seen = np.broadcast_to(kept[:, :, None, None], songs.shape)
        assert 0.2 < seen.mean() < 0.8
        np.testing.assert_array_equal(answers[name]["pianoroll"][seen], songs[seen])
        assert (answers[name]["pianoroll"] != songs)[~seen].any()
    assert answers["continue"]["pianoroll"].shape == (3, 2, 4, 6, 5)  # the bars behind the song
    assert answers["interpolate"]["pianoroll"].shape == (3, 2, 4, 6, 5)
    assert answers["compose"]["pianoroll"].shape == answers["vary"]["pianoroll"].shape == (3, 4, 4, 6, 5)


def test_a_row_gives_the_same_bytes_alone_or_in_a_batch(asked):
    whole, alone, _ = asked
    for name in ASKED:
        for output, value in alone[name].items():
            row = whole[name][output][2:]
            row = row[:, : value.shape[1]] if output == "notes" else row  # padded to the most of the batch
            np.testing.assert_array_equal(value, row)


def test_all_forms_are_of_the_same_songs(answers):
    for verb in ("complete", "vary", "interpolate"):
        rolls = answers[verb]["pianoroll"]
        assert len({song.tobytes() for song in rolls}) == 3
        pictures = answers[f"{verb}_png"]["png_bytes"].tolist()
        found = [phrase_of_png(each, GRID, rolls.shape[1]) for each in pictures]
        np.testing.assert_array_equal(found, rolls)
    for verb in ("continue", "vary"):
        rolls = answers[verb]["pianoroll"]
        notes, counts = (answers[f"{verb}_notes"][output] for output in ("notes", "count"))
        for song, found, count in zip(rolls, notes, counts, strict=True):
            cells = np.zeros((len(song) * 4, 6, 5), bool)
            for step, pitch, length, track in found[:count]:
                cells[step : step + length, pitch - 40, track] = True
            np.testing.assert_array_equal(cells.reshape(song.shape), song)


def test_the_verbs_are_the_composers(answers, given, composer):
    for row in range(3):
        drawn = {"seed": row, "temperature": given["compose"]["temperature"][row]}
        song = given["infill"]["pianoroll"][row]
        masks = {
            "compose": np.zeros((4, 5), bool),
            "infill": np.repeat(~given["infill"]["write"][row][:, None], 5, axis=1),
            "accompany": np.repeat(~given["accompany"]["write"][row][None], 4, axis=0),
        }
        for verb, kept in masks.items():
            made = composer.complete(song, kept, **drawn)
            np.testing.assert_array_equal(answers[verb]["pianoroll"][row], made)
        longer = np.concatenate([song, np.ones((2, 4, 6, 5), bool)])
        made = composer.complete(longer, np.arange(6)[:, None].repeat(5, axis=1) < 4, **drawn)
        np.testing.assert_array_equal(answers["continue"]["pianoroll"][row], made[4:])
        made = composer.vary(song, given["vary"]["amount"][row], seed=row)
        np.testing.assert_array_equal(answers["vary"]["pianoroll"][row], made)


@pytest.mark.parametrize(
    ("signature", "messages"),
    [
        ("compose", ["songs are of whole phrases of 2 bars, up to 64 bars, all as long as the first"] * 4
         + ["temperatures are numbers from 0 to 10.*nan", "temperatures are numbers from 0 to 10"]),
        ("continue", ["more is a number of bars above 0", *["songs are of whole phrases of 2 bars"] * 3]),
        ("infill", ["write has a place for each bar of the songs.*3.*4", "write has a place.*5.*4",
                    "songs are of whole phrases of 2 bars", r"\[4,4,6,5\]"]),
        ("accompany", [r"\[3,4\] is not compatible with expected shape", r"\[4,5\]|\[3,4\]",
                       "up to 64 bars", "songs are of whole phrases"]),
        ("complete", ["given has a place for each bar of the songs", r"\[3,4\]",
                      *["where is the number of the first bar, from 0"] * 2]),
        ("interpolate", [*["shares are numbers from 0 to 1"] * 3, "there are as many rows of", r"\[3,4,4,6,5\]"]),
        ("vary", ["amounts are numbers from 0 to 1"] * 3),
        ("vary_notes", [*["songs are of whole phrases of 2 bars"] * 2, r"notes are \[step 0..4 x bars - 1"]),
        ("vary_png", [r"expected shape \[\?\]", "png_bytes are PNG images of 4 pixels a bar x 6 pixels", "PNG"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_in_a_sentence(asked, signature, messages):
    found = [answer for name, answer in asked[2] if name == signature]
    assert [type(answer) for answer in found] == [Refusal] * len(messages)
    for answer, message in zip(found, messages, strict=True):
        assert answer.code == 3  # INVALID_ARGUMENT, for which a server answers 400
        assert re.search(message, answer.message), answer.message


def test_the_check_of_an_export_sends_wrong_songs(given, monkeypatch):
    sent = []

    def answer(folder, requests):
        sent.extend(requests)
        raise LookupError

    monkeypatch.setattr(export, "ask", answer)
    monkeypatch.setattr(export, "wrong_inputs", lambda _: [])
    with pytest.raises(LookupError):
        export.check(None, {}, given)
    right = len(given) * 3  # one row, three, and all
    assert [name for name, _ in sent[right:]] == [name for name, _ in wrong_song_inputs(given)]
    assert {name for name, _ in sent[:right]} == set(given)


def test_a_client_draws_as_the_composer_does(model, composer, monkeypatch):
    """A song of 71 bars has two windows. Of it are given 10 bars, and two tracks of the others."""

    def answer(url, name, inputs, output, timeout):
        assert (url, output, timeout) == ("http://there", "png_bytes", 3.0)
        return ask(model, [(name, inputs)])[0][output].tolist()

    monkeypatch.setattr(client, "ask", answer)
    served = ServedComposer("http://there", GRID, timeout=3.0)
    song = np.random.default_rng(8).random((71, 4, 6, 5)) < 0.3
    given = np.zeros((71, 5), bool)
    given[:10], given[:, 1:3] = True, True
    done = []
    made = served.complete(song, given, seed=9, temperature=0.8, told=done.append)
    np.testing.assert_array_equal(made, composer.complete(song, given, seed=9, temperature=0.8))
    seen = np.broadcast_to(given[:, None, None], song.shape)
    np.testing.assert_array_equal(made[seen], song[seen])
    assert done == [64, 71]
    np.testing.assert_array_equal(served.vary(song, 0.4, seed=3), composer.vary(song, 0.4, seed=3))
    ends = song[:2], song[4:6]
    np.testing.assert_array_equal(served.between(*ends, 5, seed=4), composer.between(*ends, 5, seed=4))
