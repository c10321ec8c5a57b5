"""`make eval` as the user meets it."""

import csv

import numpy as np
import pytest

from msw2.cli import eval as evaluation
from msw2.data.packing import pack
from msw2.evaluation.novelty import nearest
from msw2.inference.sampling import Sampler
from msw2.music.metrics import f1_scores
from msw2.music.note_metrics import bar_repeats, note_f1, note_scores

TRACKS = ("drums", "piano", "guitar", "bass", "strings")


def test_every_row_is_measured_and_the_figures_are_those_of_the_model(command, own_run, tiny_store, capsys):
    arguments = [f"--run={own_run.path}", f"--store={tiny_store.path}", "--phrases=20", "--resamples=50"]
    command(evaluation, *arguments, "--seed=3")
    with open(own_run.path / "eval" / "metrics.csv", newline="", encoding="utf-8") as file:
        rows = {tuple(row[:4]): float(row[4]) for row in list(csv.reader(file))[1:]}
    sampler = Sampler.of(own_run)
    for row, split in (("MSR", "test"), ("MSR-train", "train")):
        phrases = tiny_store.load(split)
        expected = f1_scores(phrases, sampler.restore(phrases))[2].pooled()
        for track, value in zip(TRACKS, expected, strict=True):
            assert rows[row, "F1", "correct", track] == pytest.approx(value, rel=1e-5)
        notes = note_f1(phrases, sampler.restore(phrases)).pooled()
        assert rows[row, "F1_notes", "correct", "mean"] == pytest.approx(notes.mean(), rel=1e-5)
        assert rows[row, "F1", "correct", "mean"] == pytest.approx(expected.mean(), rel=1e-5)
        scores = note_scores(phrases, sampler.restore(phrases))
        for name, score in scores.items():
            assert rows[row, name, "correct", "bass"] == pytest.approx(score.pooled()[3], rel=1e-5)
    held_out = tiny_store.load("test")
    generated = sampler.generate(20, seed=3, temperature=1.0)
    for row, phrases in (("dataset", held_out), ("MSG2", generated)):
        assert rows[row, "bar_repeats", "correct", "drums"] == pytest.approx(
            bar_repeats(phrases).pooled()[0], rel=1e-5
        )
        cells = phrases.sum(axis=(0, 1, 2, 3)) / (4 * len(phrases))
        assert [rows[row, "cells", "correct", track] for track in TRACKS] == pytest.approx(cells, rel=1e-5)
    held_out_distances = nearest(held_out, [pack(tiny_store.load("train"))], tiny_store.grid).distance
    assert rows["dataset", "nearest_median", "correct", "all"] == pytest.approx(np.median(held_out_distances))
    made = nearest(generated, [pack(tiny_store.load("train"))], tiny_store.grid).distance
    assert rows["MSG2", "nearest_5", "correct", "all"] == pytest.approx(np.quantile(made, 0.05), rel=1e-5)
    # The split has one song, so that there is no floor.
    assert {key[0] for key in rows} == {"dataset", "MSG1", "MSG2", "MSR", "MSR-train"}

    table = (own_run.path / "eval" / "table1.md").read_text(encoding="utf-8")
    assert (
        "Preset `smoke`, split `test`, seed 3; phrases: 2 in dataset, 20 in MSG1, 20 in MSG2, 2 in MSR"
        in table
    )
    assert "## The same for training songs (%)" in table
    assert f"the nearest of {tiny_store.count('train')} training phrases" in table
    printed = capsys.readouterr().out
    assert "seed 3" in printed
    lines = {" ".join(line.split()[:-6]): line.split()[-1] for line in printed.splitlines()[1:13]}
    for title, metric in (
        ("F1 % of notes", "F1_notes"),
        ("precision % of notes", "precision_notes"),
        ("recall % of notes", "recall_notes"),
        ("notes made / there %", "notes_made"),
        ("bars exact %", "bars_exact"),
        ("F1 % of cells", "F1"),
    ):
        for row, split in (("MSR", "test"), ("MSR-train", "train")):
            assert lines[f"{title}, {split}"] == f"{100 * rows[row, metric, 'correct', 'mean']:.1f}"


class Echo:
    """Stands for a model that restores everything and generates silence."""

    @classmethod
    def of(cls, run):
        return cls()

    def generate(self, phrases, **_):
        return np.zeros((phrases, 4, 48, 84, 5), bool)

    def restore(self, phrases):
        return phrases


def test_phrases_are_spread_over_all_songs(command, own_run, tiny_store, capsys, monkeypatch):
    monkeypatch.setattr(evaluation, "Sampler", Echo)
    arguments = [f"--run={own_run.path}", f"--store={tiny_store.path}", "--phrases=2", "--resamples=5"]
    command(evaluation, *arguments, "--split=train", "--held_out=6", "--train_phrases=3")
    printed = capsys.readouterr().out
    count = tiny_store.count("train")
    assert f"train: 6 of {count} phrases, spread evenly over the 6 songs" in printed
    assert f"train: 3 of {count} phrases, spread evenly over the 6 songs" in printed
    with open(own_run.path / "eval" / "metrics.csv", newline="", encoding="utf-8") as file:
        rows = {tuple(row[:4]): row[4:] for row in list(csv.reader(file))[1:]}
    phrases = tiny_store.load("train", 6, evenly=True)
    cells = phrases.sum(axis=(0, 1, 2, 3)) / (4 * len(phrases))
    for track, value in zip(TRACKS, cells, strict=True):
        assert float(rows["dataset", "cells", "correct", track][0]) == pytest.approx(value, rel=1e-5)
    songs = len(set(tiny_store.song_names("train", 6, evenly=True)))
    assert songs > 4
    table = (own_run.path / "eval" / "table1.md").read_text(encoding="utf-8")
    assert f"those of dataset are of {songs} songs" in table


def test_copies_are_sought_in_as_many_training_phrases_as_was_said(
    command, own_run, tiny_store, capsys, monkeypatch
):
    monkeypatch.setattr(evaluation, "Sampler", Echo)
    arguments = [f"--run={own_run.path}", f"--store={tiny_store.path}", "--phrases=2", "--resamples=5"]
    command(evaluation, *arguments, "--novelty_phrases=3", "--split=train")
    printed = capsys.readouterr().out
    assert f"copies are sought in 3 of {tiny_store.count('train')} training phrases" in printed
    assert "MSG2: 100.0 % from the nearest training phrase (median), 0.0 % are near copies" in printed
    table = (own_run.path / "eval" / "table1.md").read_text(encoding="utf-8")
    assert f"the nearest of 3 of the {tiny_store.count('train')} training phrases" in table
    assert "| floor |" in table  # the split has several songs
