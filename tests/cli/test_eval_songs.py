"""`make eval-songs` as the user meets it, with composers whose answers are known."""

import csv

import numpy as np
import pytest

from msw2.cli import eval_songs
from msw2.data.store import StoreError
from msw2.evaluation.composing import Watched
from msw2.inference.songs import NoComposerError
from msw2.music.grid import Grid

TRACKS = ("drums", "piano", "guitar", "bass", "strings")
SMALL = ("--split=train", "--bars=8", "--songs=2", "--phrases=8", "--pairs=2", "--draws=2", "--resamples=20")


class Perfect:
    """Looks at what it should not, so that it knows all. Its songs from nothing are silent."""

    grid = Grid()

    def __init__(self, *_):
        self.seeds = []

    def complete(self, song, given, *, seed, temperature):
        self.seeds.append(seed)
        return song

    def between(self, first, second, points, *, seed):
        return np.stack([first] * (points // 2) + [second] * (points - points // 2))

    def restore(self, phrases, *, progress):
        return phrases


class Silent(Perfect):
    def complete(self, song, given, *, seed, temperature):
        return song & given[:, None, None]


@pytest.fixture
def evaluated(command, own_run, tiny_store, monkeypatch):
    """Returns a function (composer, *arguments) -> the estimates of songs.csv, and the page."""

    class Here:
        load = 1.25

        @classmethod
        def here(cls):
            return cls()

        def described(self):
            return "2 cores of a test"

    def run(composer, *arguments):
        monkeypatch.setattr(eval_songs, "Composer", composer)
        monkeypatch.setattr(eval_songs, "Sampler", composer)
        monkeypatch.setattr(eval_songs, "Machine", Here)
        command(eval_songs, f"--run={own_run.path}", f"--store={tiny_store.path}", *SMALL, *arguments)
        with open(own_run.path / "eval" / "songs.csv", newline="", encoding="utf-8") as file:
            rows = {tuple(row[:4]): float(row[4]) for row in list(csv.reader(file))[1:]}
        return rows, (own_run.path / "eval" / "songs.md").read_text(encoding="utf-8")

    return run


def test_the_perfect_composer(evaluated, tiny_store, capsys):
    rows, page = evaluated(Perfect)
    for track in TRACKS:
        assert rows["accompany", "F1_notes", "correct", track] == 1
        assert rows["infill", "F1_notes", "correct", track] == 1
        assert rows["accompany, another song's context", "F1_notes", "correct", track] < 1
        gain = rows["accompany - nearest phrase", "F1_notes", "correct", track]
        assert gain == pytest.approx(
            1 - rows["accompany, nearest phrase", "F1_notes", "correct", track], abs=1e-5
        )
    assert rows["accompany - real", "tonal_distance", "correct", "bass"] == 0
    assert rows["accompany - real", "onsets_together", "correct", "drums"] == 0
    assert rows["continue - real", "bars_alike", "correct", "1"] == 0
    assert rows["continue / real", "notes", "correct", "all"] == 1
    assert not any(key[:2] == ("continue", "same_key") for key in rows)
    assert rows["interpolate", "ends_exact", "correct", "all"] == 1
    assert rows["interpolate", "largest_over_mean", "correct", "cells"] == pytest.approx(6)  # one step of six
    assert rows["interpolate", "steady", "correct", "cells"] == 0
    # Songs from nothing are silent.
    assert rows["generate / real", "cells", "correct", "all"] == 0
    assert np.isnan(rows["generate", "bars_alike", "correct", "1"])
    real = tiny_store.load("train")
    assert rows["generate, real", "cells", "correct", "bass"] == pytest.approx(
        real[..., 3].sum() / real.shape[0] / 4
    )

    assert "2 draws of each; 2 songs of 8 bars a draw" in page
    assert "s on 2 cores of a test; load average 1.2 at the start." in page
    assert "| F1 of notes (%) | 100.0 ± 0.0 |" in page
    assert f"of {tiny_store.count('train')} of {tiny_store.count('train')} phrases" in page
    assert "accompany, F1 % of notes: drums 100.0, piano 100.0" in capsys.readouterr().out


def test_the_silent_composer(evaluated):
    rows, _ = evaluated(Silent)
    for track in TRACKS:
        assert rows["accompany", "F1_notes", "correct", track] == 0
        assert rows["infill", "notes_made", "correct", track] == 0
        assert rows["continue / real", "cells", "correct", track] == 0
    assert np.isnan(rows["accompany", "tonal_distance", "correct", "bass"])


def test_the_same_request_gives_the_same_bytes(evaluated, own_run):
    files = []
    for seed in (3, 3, 4):
        evaluated(Perfect, f"--seed={seed}")
        files.append((own_run.path / "eval" / "songs.csv").read_bytes())
    assert files[0] == files[1] != files[2]


def test_what_cannot_be_measured_is_said(evaluated):
    with pytest.raises(StoreError, match=r"0 of the songs .* has 16 bars in a row; .* give fewer --bars"):
        evaluated(Perfect, "--bars=16")
    with pytest.raises(StoreError, match="songs of 12 bars are not two halves in whole phrases of 4 bars"):
        evaluated(Perfect, "--bars=12")
    with pytest.raises(StoreError, match="1 of the songs in the split test"):
        evaluated(Perfect, "--split=test")


def test_a_model_that_cannot_compose_says_so(command, own_run, tiny_store):
    with pytest.raises(NoComposerError, match="prior 'mixture' of this model has learnt phrases, not songs"):
        command(eval_songs, f"--run={own_run.path}", f"--store={tiny_store.path}", *SMALL)


def test_progress_counts_a_call_and_its_bars(capsys, monkeypatch):
    monkeypatch.setattr("msw2.system.progress.EVERY_IN_LOG", -1.0)
    monkeypatch.setattr("msw2.system.progress.in_log", lambda elapsed: -1.0)
    watched = Watched(Perfect(), [(2, 20), (3, 4)], 60_000)  # 2 x 40 + 3 x 24 + 48 = 200
    watched.at("infill")
    song = np.zeros((20, 1, 1, 5), bool)
    watched.complete(song, song.any(axis=(1, 2)), seed=0, temperature=1.0)
    assert "20 of 100 %, infill" in capsys.readouterr().err
    watched.between(song[:4], song[:4], 3, seed=0)
    assert "56 of 100 %, infill, about" in capsys.readouterr().err
    watched.compared(30_000)
    assert "68 of 100 %, infill, about" in capsys.readouterr().err
