"""Packing a run into the package."""

import dataclasses
import types

import numpy as np
import pytest

from msw2.cli import pack
from msw2.evaluation.half import cost_of_half
from msw2.inference import trained
from msw2.inference.sampling import Sampler
from msw2.inference.trained import open_trained
from msw2.models.prior import Prior
from msw2.music.metrics import f1_scores
from msw2.music.note_metrics import note_f1, note_scores


@pytest.fixture
def packed(command, own_run, tiny_store, tmp_path, monkeypatch):
    """The folder of the weights of `own_run` packed as `demo`."""
    for module in (pack, trained):
        monkeypatch.setattr(module, "WEIGHTS", tmp_path)
    monkeypatch.setattr(pack, "PHRASES", 12)
    flags = (f"--run={own_run.path}", f"--store={tiny_store.path}", "--name=demo", "--commit=abc1234")
    command(pack, *flags, "--command=make this", "--command=make a,b")
    return tmp_path


def test_the_weights_are_opened_by_their_name_and_the_card_has_their_figures(packed, own_run, tiny_store):
    opened = open_trained("demo")
    assert opened.config == own_run.config
    assert opened.preset == "smoke"
    card = (packed / "demo.md").read_text("utf-8")
    assert card.startswith("# Weights `demo`\n\nPreset `smoke`, half precision with rounded matrices, ")
    assert "Commit abc1234. " in card
    assert "\n    make this\n    make a,b\n    python -m msw2.cli.pack " in card
    assert "train 6 songs (12 phrases)" in card
    phrases = tiny_store.load("test")
    made = Sampler.of(opened).restore(phrases)
    for title, score in (("notes", note_f1(phrases, made)), ("cells", f1_scores(phrases, made)[2])):
        values = score.pooled()
        row = " | ".join(f"{100 * value:.1f}" for value in (*values, values.mean()))
        assert f"| F1 of {title}, % | {row} |" in card
    made_there = note_scores(phrases, made)["notes_made"].pooled()
    row = " | ".join(f"{100 * value:.1f}" for value in (*made_there, made_there.mean()))
    assert f"| notes made / notes there, % | {row} |" in card
    assert "BSD-3-Clause" in card


def test_the_card_says_what_music_is_drawn_from(tiny_config, tiny_prior):
    def said(config, prior):
        return pack._prior(types.SimpleNamespace(config=config, prior=prior))

    weights = sum(weight.size for weight in tiny_prior.weights.values())
    assert said(tiny_config, tiny_prior) == (
        f"Music is written note by note by a network of {weights:,} weights, which has learnt whole songs and stores "
        "no phrase."
    )
    mixture = Prior(1, 2, np.zeros((1, 12, 2)), np.zeros((1, 4, 2), int), 1.0, 0.0)
    assert said(dataclasses.replace(tiny_config, prior="mixture"), mixture) == (
        "Music is drawn from 4 Gaussians of 2 directions each, which store no phrase."
    )
    assert "4 training phrases" in said(dataclasses.replace(tiny_config, prior="parzen"), mixture)
    assert said(dataclasses.replace(tiny_config, prior="gaussian"), mixture) == (
        "Music is drawn from one Gaussian."
    )


class Fixed:
    """Stands for a model that restores everything as one thing."""

    def __init__(self, made):
        self.made = made

    def restore(self, phrases):
        return self.made


def test_the_cost_of_half_precision_is_counted_in_cells_and_notes():
    song = np.zeros((1, 1, 8, 5, 5), bool)
    song[0, 0, 0:4, 1, 1] = song[0, 0, 5, 2, 1] = True  # a note of four steps, and one of one
    rough = song.copy()
    rough[0, 0, 0, 1, 1] = False  # the long one begins a step late: of five cells four are left
    cost = cost_of_half(Fixed(song), Fixed(rough), song)
    assert cost.agreement == pytest.approx(4 / 5)
    assert [each[1] for each in cost.notes] == [1.0, pytest.approx(1 / 2)]
    assert [each[1] for each in cost.cells] == [1.0, pytest.approx(8 / 9)]
    assert np.isnan(cost.notes[0][0])
    silence = np.zeros_like(song)
    assert cost_of_half(Fixed(silence), Fixed(silence), silence).agreement == 1.0


def test_what_was_packed_stays_if_the_new_weights_cannot_be_measured(
    packed, command, own_run, tiny_store, monkeypatch
):
    before = {path.name: path.read_bytes() for path in packed.iterdir()}

    def fail(*_, **__):
        raise OSError("no")

    monkeypatch.setattr(pack, "evaluate_run", fail)
    with pytest.raises(OSError):
        command(pack, f"--run={own_run.path}", f"--store={tiny_store.path}", "--name=demo", "--commit=abc")
    assert {path.name: path.read_bytes() for path in packed.iterdir()} == before


def test_a_run_of_another_store_is_refused(command, own_run, tmp_path):
    with pytest.raises(Exception, match="no store at"):
        command(pack, f"--run={own_run.path}", f"--store={tmp_path}", "--name=demo", "--commit=abc")
