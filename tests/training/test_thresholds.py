"""The thresholds: what is chosen, what becomes of it in a run, and when."""

import dataclasses
import json
import math
import re

import numpy as np
import pytest

from msw2.data.store import Store
from msw2.models.prior import Prior
from msw2.models.sandwich import PARTS
from msw2.music.tracks import TRACK_NAMES
from msw2.training import refining, stage2, thresholds
from msw2.training.runs import Run, RunError
from msw2.training.thresholds import best_thresholds, choose_thresholds


def best_threshold(probability, truth, *, drums):
    """The threshold of a track [phrase, bar, step, pitch] among four silent ones, whose thresholds are 0.5."""
    index = 0 if drums else 3
    rolls = [np.zeros((*each.shape, 5), each.dtype) for each in (probability, truth)]
    for roll, each in zip(rolls, (probability, truth), strict=True):
        roll[..., index] = each
    found = best_thresholds(*rolls)
    assert found[:index] + found[index + 1 :] == [0.5] * 4
    return found[index]


def choose_threshold(probability, truth, *, drums):
    """The threshold of units [unit, step, pitch]: phrases of one bar."""
    return best_threshold(probability[:, None], truth[:, None], drums=drums)


def drawn(there, others=(), cells=12):
    """One unit of one step: probabilities of the notes there, then of other cells, then 0; and the notes there."""
    probability, truth = np.zeros((1, 1, cells), np.float32), np.zeros((1, 1, cells), bool)
    probability[0, 0, : len(there) + len(others)] = [*there, *others]
    truth[0, 0, : len(there)] = True
    return probability, truth


@pytest.mark.parametrize("drums", [False, True])  # on a single step each cell is a note of any track
@pytest.mark.parametrize(
    ("there", "others", "expected"),
    [
        # F1 6/8 from 0.3 on, 8/9 from 0.2 on, 8/10 from 0.1 on; above 0.3 there are too few notes
        ([0.92, 0.82, 0.42, 0.22], [0.32, 0.12], 0.2),
        # F1 6/7 at 0.5, but of three notes; 6/8 from 0.3 on; 8/15 from 0.1 on
        ([0.92, 0.82, 0.72, 0.12], [0.32] + [0.13] * 6, 0.3),
        # all of them, and nothing else, at all thresholds: of equals the highest
        ([0.92, 0.82, 0.72, 0.52], [], 0.5),
        # as many notes as there are, but others
        ([0.92, 0.82, 0.07, 0.07], [0.52, 0.52], 0.05),
        # too many notes are enough: F1 4/7 at 0.5, and 4/8 below
        ([0.92, 0.82], [0.62, 0.62, 0.62, 0.47], 0.5),
        # never enough: F1 6/7 at all thresholds, then 2/4 at 0.3, 0 above and below 2/6
        ([0.92, 0.82, 0.72, 0.01], [], 0.5),
        ([0.32, 0.01, 0.01, 0.01, 0.01], [0.12, 0.12], 0.3),
        ([0.01, 0.01], [], 0.5),
        # none there
        ([], [0.92, 0.32], 0.5),
        ([], [], 0.5),
    ],
)
def test_the_threshold_is_the_best_of_those_that_make_enough_notes(there, others, expected, drums):
    assert choose_threshold(*drawn(there, others), drums=drums) == expected


def test_97_notes_of_100_are_enough():
    for sure, expected in ((97, 0.5), (96, 0.2)):  # from 0.2 on too, but with six others, at a lower F1
        there = [0.92] * sure + [0.22] * (97 - sure) + [0.02] * 3
        assert choose_threshold(*drawn(there, [0.22] * 6, cells=110), drums=True) == expected


def test_without_a_unit_it_stays_at_a_half():
    empty = np.zeros((0, 4, 3))
    assert choose_threshold(empty.astype(np.float32), empty.astype(bool), drums=False) == 0.5


@pytest.mark.parametrize(
    ("probabilities", "pitched", "drums"),
    [
        ([0.92, 0.92, 0.92, 0.22], 0.5, 0.2),  # the note is there, whatever its end
        ([0.92, 0.22, 0.92, 0.92], 0.2, 0.2),  # above 0.2 it is two notes, one of them wrong
        ([0.12, 0.92, 0.92, 0.92], 0.1, 0.1),  # above 0.1 it starts late
        ([0.92, 0.92, 0.92, 0.92], 0.5, 0.5),
    ],
)
def test_a_held_note_counts_once_and_a_drum_every_time(probabilities, pitched, drums):
    probability, truth = np.zeros((2, 4, 3), np.float32), np.zeros((2, 4, 3), bool)
    probability[1, :, 2], truth[1, :, 2] = probabilities, True
    assert choose_threshold(probability, truth, drums=False) == pitched
    assert choose_threshold(probability, truth, drums=True) == drums


def test_a_note_is_held_in_its_own_unit_and_pitch_alone():
    # Two units after one another, of two pitches beside one another: four notes, not one.
    probability, truth = np.zeros((2, 4, 3), np.float32), np.zeros((2, 4, 3), bool)
    probability[..., :2] = np.array([[0.92, 0.82], [0.42, 0.32]])[:, None]  # [unit, pitch], in all steps
    truth[..., :2] = True
    assert choose_threshold(probability, truth, drums=False) == 0.3


def notes(cells, drums):
    """Where notes start, cell by cell: a set of (unit, step, pitch)."""
    return {
        (unit, step, pitch)
        for unit, step, pitch in np.argwhere(cells).tolist()
        if drums or step == 0 or not cells[unit, step - 1, pitch]
    }


def best(probability, truth, drums):
    """The threshold in percent, counted note by note."""
    there, found, enough = notes(truth, drums), {}, []
    for percent in range(5, 51, 5):
        made = notes(probability >= percent / 100, drums)
        found[percent] = 2 * len(made & there) / (len(made) + len(there))
        enough += [percent] * (100 * len(made) >= 97 * len(there))
    return max(enough or found, key=lambda percent: (found[percent], percent))


@pytest.mark.parametrize("drums", [False, True])
def test_it_is_what_counting_notes_one_by_one_gives(drums):
    rng, found = np.random.default_rng(0), set()
    for sure in np.linspace(0.0, 0.5, 20):
        truth = rng.random((5, 8, 3)) < 0.3
        probability = (sure * truth + rng.uniform(0, 0.45, truth.shape)).astype(np.float32)
        chosen = choose_threshold(probability, truth, drums=drums)
        assert round(100 * chosen) == best(probability, truth, drums)
        found.add(chosen)
    assert len(found) > 3


def test_a_note_may_cross_a_bar_line():
    probability, truth = np.zeros((1, 2, 3, 2), np.float32), np.ones((1, 2, 3, 2), bool)
    truth[..., 1] = False
    probability[0, :, :, 0] = [[0.92, 0.92, 0.92], [0.22, 0.22, 0.22]]
    assert (
        best_threshold(probability, truth, drums=False) == 0.5
    )  # one note of six steps: it is there, and ends early
    assert best_threshold(probability, truth, drums=True) == 0.2


@pytest.fixture
def trained(tmp_path, config, fresh, give):
    """Returns a function (**fields) -> a run whose parts are all there, as they start."""

    def make(name="run", **changes):
        run = Run.create(tmp_path / name, dataclasses.replace(config, refine_threshold="notes", **changes))
        give(run, fresh(run.config), *PARTS)
        Prior.isotropic(run.config.units, run.config.fusion_latent, 1.0).save(run.prior)
        return run

    return make


def biases(run, **named):
    sandwich = run.load_model(**named)
    return {
        track: sandwich.get_layer(f"{track}_refiner").get_layer("output").bias.numpy()
        for track in TRACK_NAMES
    }


def test_a_run_has_a_threshold_for_each_track_chosen_on_what_the_sandwich_makes_of_validation_songs(
    monkeypatch, capsys, trained, store
):
    monkeypatch.setattr(thresholds, "_BATCH", 2)  # the last batch has fewer
    read, load = [], Store.load
    monkeypatch.setattr(
        Store, "load", lambda self, split, *a, **k: read.append(split) or load(self, split, *a, **k)
    )
    run = trained()
    with pytest.raises(RunError, match="has no thresholds: run `make stage2` first"):
        run.load_sandwich()
    assert choose_thresholds(run, store)
    assert read == ["validation"]
    said = re.search(r"^a cell sounds from this probability on: (.*)$", capsys.readouterr().err, re.MULTILINE)
    chosen = json.loads(run.thresholds.read_text())
    assert said[1] == ", ".join(f"{track} {value:.2f}" for track, value in chosen.items())

    sandwich = run.load_model(thresholds=False)
    truth = load(store, "validation")
    made = np.asarray(sandwich(truth)["pianoroll"], np.float16).reshape(3, 16, 6, 5)
    for index, track in enumerate(TRACK_NAMES):
        expected = best(made[..., index], truth.reshape(3, 16, 6, 5)[..., index], drums=index == 0)
        assert round(100 * chosen[track]) == expected
    assert min(chosen.values()) < 0.5

    before, after = biases(run, thresholds=False), biases(run)
    for track, threshold in chosen.items():
        odds = np.full(6, math.log((1 - threshold) / threshold))
        np.testing.assert_allclose(after[track] - before[track], odds, atol=1e-6)
    assert not choose_thresholds(run, store)


def test_at_a_half_and_of_an_unfinished_run_nothing_is_chosen(trained, store):
    half = trained("half")
    half = half.changed({"refine_threshold": "half"})
    unfinished = trained("unfinished")
    unfinished.weights("guitar_refiner").unlink()
    for run in (half, unfinished):
        assert not choose_thresholds(run, store)
        assert not run.thresholds.exists()
    assert not any(bias.any() for bias in biases(half).values())


def test_no_prior_is_needed(trained, store):
    run = trained()
    run.prior.write_bytes(b"damaged")
    assert choose_thresholds(run, store)


def test_without_validation_songs_they_are_a_half(trained, config, make_store):
    run = trained()
    assert choose_thresholds(run, make_store(config, validation=0))
    assert json.loads(run.thresholds.read_text()) == dict.fromkeys(TRACK_NAMES, 0.5)


@pytest.mark.parametrize(
    "content", ["", "[]", '{"drums": 0.5}', "{}", json.dumps(dict.fromkeys(TRACK_NAMES, 0))]
)
def test_a_damaged_file_is_one_sentence(trained, content):
    run = trained()
    run.thresholds.write_text(content)
    with pytest.raises(RunError, match=r"thresholds\.json is damaged: delete it and run `make stage2`"):
        run.load_sandwich()


def test_the_last_part_that_is_trained_chooses(monkeypatch, trained, store):
    chosen = []
    for module in (refining, stage2):
        monkeypatch.setattr(module, "choose_thresholds", lambda run, _: chosen.append(run.has(*PARTS)))
    run = trained(refine_epochs=1)
    run.weights("bass_refiner").unlink()
    assert refining.train_refiner(run, store, "bass")
    assert not refining.train_refiner(run, store, "bass")
    assert not stage2.train_fusion(run, store)
    assert chosen == [True, True, True]
