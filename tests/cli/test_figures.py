"""`make figures` as the user meets it."""

import dataclasses
import shutil

import numpy as np
import pytest

from msw2.cli import figures
from msw2.cli.launch import OptionError
from msw2.config import SMOKE
from msw2.data.store import Store
from msw2.evaluation import paper_figures
from msw2.inference.sampling import Sampler
from msw2.music.grid import Grid
from msw2.music.pianoroll import join_phrases
from msw2.training.runs import Run

TRACKS = ["drums", "piano", "guitar", "bass", "strings"]


@pytest.fixture
def draw(command, own_run, tiny_store):
    """Returns a function (*arguments) that runs the command on `own_run` and returns the folder of the figures."""

    def run(*arguments):
        command(figures, f"--run={own_run.path}", f"--store={tiny_store.path}", *arguments)
        return own_run.path / "figures"

    return run


@pytest.fixture
def songs(monkeypatch):
    """What pianorolls are drawn of: file name -> title -> song."""
    drawn, draw = {}, paper_figures.draw_pianorolls

    def look(path, songs, grid):
        drawn[path.name] = songs
        draw(path, songs, grid)

    monkeypatch.setattr(paper_figures, "draw_pianorolls", look)
    return drawn


def run_of(folder, *stages, **fields):
    """A run of which there are only the config and the histories of some stages."""
    run = Run.create(folder, dataclasses.replace(SMOKE, **fields))
    run.history("x").parent.mkdir()
    for number, stage in enumerate(stages):
        run.history(stage).write_text(f"epoch,loss,accuracy,val_accuracy\n1,{number},0.5,0.25\n")
    return run


def test_figures_are_drawn_of_what_was_trained_and_of_one_phrase(draw, own_run, tiny_store, songs, capsys):
    folder = draw("--phrase=1")
    graph = ["figure1_sandwich"] if shutil.which("dot") else []
    names = [*graph, "figure4_refine_in_notes", "figure5_bvae", "figure6_mfg_vae", "figure8_refined"]
    paths = [folder / f"{name}.png" for name in names]
    missing = "" if graph else "Figure 1 is not drawn: graphviz's `dot` is not installed\n"
    assert capsys.readouterr().out == f"{missing}figures: {', '.join(map(str, paths))}\n"
    assert sorted(folder.iterdir()) == paths
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)

    phrase, sampler = tiny_store.load("validation")[1:], Sampler.of(own_run)
    expected = {
        "original (phrase 1 of validation)": phrase,
        "restored without refine": sampler.restore(phrase, refined=False),
        "restored": sampler.restore(phrase, refined=True),
    }
    assert list(songs["figure8_refined.png"]) == list(expected)
    for title, song in songs["figure8_refined.png"].items():
        assert np.array_equal(song, join_phrases(expected[title]))


def test_a_phrase_that_is_not_there_is_refused(draw, monkeypatch):
    with pytest.raises(OptionError, match="phrase 2 is not below 2, the phrases of the split validation of"):
        draw("--phrase=2")
    monkeypatch.setattr(Store, "count", lambda *_: 0)
    with pytest.raises(OptionError, match="has no phrases in its split validation: give another --split"):
        draw()


class NamedSampler:
    """Makes music that shows of which run it is, and of which phrase or seed."""

    def __init__(self, name):
        self.grid, self._pitch, self.sandwich = Grid(), {"own": 10, "shared": 20}[name], None

    @classmethod
    def of(cls, run):
        return cls(run.path.name)

    def restore(self, phrases, *, refined=True):
        made = np.zeros_like(phrases)
        made[..., self._pitch, :] = phrases.any(axis=-2)
        return made

    def generate(self, phrases, *, seed, temperature):
        made = np.zeros((phrases, 4, 48, 84, 5), bool)
        made[:, seed, :, self._pitch, int(temperature)] = True
        return made


def test_a_run_with_a_shared_bvae_is_set_beside_this_one(draw, tiny_store, tmp_path, songs, monkeypatch):
    shared = run_of(tmp_path / "shared", shared=True)
    monkeypatch.setattr(paper_figures, "architecture", lambda run, sandwich: None)
    monkeypatch.setattr(figures, "Sampler", NamedSampler)
    folder = draw(f"--shared_run={shared.path}")
    assert (folder / "figure9_shared.png").read_bytes().startswith(b"\x89PNG")
    original = join_phrases(tiny_store.load("validation", 1))
    drawn = songs["figure9_shared.png"]
    assert list(drawn) == [
        "restored, independent BVAEs",
        "restored, shared BVAE",
        "generated, independent BVAEs",
        "generated, shared BVAE",
    ]
    for number, song in enumerate(drawn.values()):
        pitch = (10, 20)[number % 2]
        assert song[:, pitch].any() and not np.delete(song, pitch, axis=1).any()
        if number < 2:
            assert np.array_equal(song[:, pitch], original.any(axis=1))
        else:  # seed 0, temperature 1
            assert np.array_equal(np.argwhere(song[:, pitch]), [(step, 1) for step in range(48)])


def test_runs_that_cannot_be_set_side_by_side_are_refused(command, own_run, tiny_store, tmp_path):
    own, shared = run_of(tmp_path / "own"), run_of(tmp_path / "shared", shared=True)
    wide = run_of(tmp_path / "wide", shared=True, pitches=60)
    for run, other, message in (
        (own, own, "own has a BVAE for each track: --shared_run is for one with --shared"),
        (shared, shared, "shared has one BVAE for all tracks itself: give --run one without --shared"),
        (own, wide, r"wide has Grid\(.*pitches=60.*\), the run .*own Grid\(.*pitches=84"),
    ):
        with pytest.raises(OptionError, match=message):
            command(figures, f"--run={run.path}", f"--store={tiny_store.path}", f"--shared_run={other.path}")
        assert not (run.path / "figures").exists()
