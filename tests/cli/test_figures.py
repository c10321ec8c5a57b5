"""`make figures` as the user meets it."""

import dataclasses
import types

import numpy as np
import pytest

from msw2.cli import figures
from msw2.cli.launch import OptionError
from msw2.config import SMOKE
from msw2.data.store import Store, StoredSong
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
    drawn, draw = {}, figures.draw_pianorolls

    def look(path, songs, grid):
        drawn[path.name] = songs
        draw(path, songs, grid)

    monkeypatch.setattr(figures, "draw_pianorolls", look)
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
    names = ["figure4_refine_in_notes", "figure5_bvae", "figure6_mfg_vae", "figure8_refined"]
    paths = [folder / f"{name}.png" for name in names]
    assert capsys.readouterr().out == f"figures: {', '.join(map(str, paths))}\n"
    assert sorted(folder.iterdir()) == paths
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)

    phrase, sampler = tiny_store.load("test")[1:], Sampler(*own_run.load_sandwich())
    expected = {
        "original (phrase 1 of test)": phrase,
        "restored without refine": sampler.restore(phrase, refined=False),
        "restored": sampler.restore(phrase, refined=True),
    }
    assert list(songs["figure8_refined.png"]) == list(expected)
    for title, song in songs["figure8_refined.png"].items():
        assert np.array_equal(song, join_phrases(expected[title]))


@pytest.mark.parametrize(
    ("stages", "fields", "expected"),
    [
        (
            [*(f"{track}_refiner" for track in reversed(TRACKS)), "piano_bvae", "drums_bvae", "mfg_vae"],
            {"refine": "bars", "fusion": "project"},
            {
                "figure5_bvae": ({"drums": 6, "piano": 5}, ("loss",)),
                "figure6_mfg_vae": ({"MFG-VAE (project)": 7}, ("loss",)),
                "figure7_refine_in_bars": (
                    {"drums": 4, "piano": 3, "guitar": 2, "bass": 1, "strings": 0},
                    ("loss", "accuracy"),
                ),
            },
        ),
        (
            ["strings_refiner", "shared_bvae"],
            {"shared": True, "fusion": "none"},
            {
                "figure4_refine_in_notes": ({"strings": 0}, ("loss",)),
                "figure5_bvae": ({"BVAE of all tracks": 1}, ("loss",)),
            },
        ),
        (["bass_bvae"], {"refine": "none"}, {"figure5_bvae": ({"bass": 0}, ("loss",))}),
        ([], {}, {}),
    ],
)
def test_curves_are_those_of_the_histories_that_there_are(tmp_path, monkeypatch, stages, fields, expected):
    drawn = {}

    def look(path, histories, columns):
        losses = {title: history["loss"][0] for title, history in histories.items()}
        drawn[path.stem] = (losses, columns)
        assert all(history["val_accuracy"] == [0.25] for history in histories.values())

    monkeypatch.setattr(figures, "draw_curves", look)
    run = run_of(tmp_path / "run", *stages, **fields)
    assert list(figures.curves(run)) == [run.path / "figures" / f"{name}.png" for name in expected]
    assert drawn == expected
    assert [list(losses) for losses, _ in drawn.values()] == [list(losses) for losses, _ in expected.values()]


def store_of(*songs):
    """A store of songs, each a list of phrases, each the number of bars in which each of the five tracks sounds."""
    grid = Grid(bars=3, steps=4, pitches=6, lowest_pitch=24, beat_resolution=1)

    def stored():
        for song in songs:
            assert song is not None, "read on after the best"
            phrases = np.zeros((len(song), 3, 4, 6, 5), bool)
            for phrase, bars in zip(phrases, song, strict=True):
                for track, count in enumerate(bars):
                    phrase[:count, track % 4, : track + 1, track] = True
            yield StoredSong("name", np.arange(len(song)), phrases, 120.0)

    return types.SimpleNamespace(grid=grid, songs=lambda split: {"validation": stored()}[split])


@pytest.mark.parametrize(
    ("songs", "number"),
    [
        # Drums, of one pitch, count as much as strings, of many; of 5, 7, 7 and 7 bars the first 7.
        (([(0, 0, 0, 2, 3)], [(3, 3, 1, 0, 0), (1, 0, 0, 3, 3)], [(0, 1, 3, 3, 0)]), 1),
        (([(3, 3, 3, 3, 2), (0, 0, 0, 0, 0)], [(0, 0, 0, 0, 3), (3, 3, 3, 3, 3)], None), 3),
        (([(0, 0, 0, 0, 0), (0, 0, 0, 0, 0)],), 0),
    ],
)
def test_without_a_number_the_phrase_with_most_sounding_bars_is_drawn(songs, number):
    found, phrase = figures.fullest(store_of(*songs), "validation")
    assert found == number
    wanted = [bars for song in songs if song for bars in song][number]
    assert phrase.shape == (1, 3, 4, 6, 5)
    assert tuple(phrase[0].any(axis=(1, 2)).sum(axis=0)) == wanted


def test_a_phrase_that_is_not_there_is_refused(draw, monkeypatch):
    with pytest.raises(OptionError, match="phrase 2 is not below 2, the phrases of the split test of"):
        draw("--phrase=2")
    monkeypatch.setattr(Store, "count", lambda *_: 0)
    with pytest.raises(OptionError, match="has no phrases in its split test: give another --split"):
        draw()


class NamedSampler:
    """Makes music that shows of which run it is, and of which phrase or seed."""

    def __init__(self, name, prior):
        self.grid, self._pitch = Grid(), {"own": 10, "shared": 20}[name]

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
    monkeypatch.setattr(Run, "load_sandwich", lambda run: (run.path.name, None))
    monkeypatch.setattr(figures, "Sampler", NamedSampler)
    folder = draw(f"--shared_run={shared.path}")
    assert (folder / "figure9_shared.png").read_bytes().startswith(b"\x89PNG")
    original = join_phrases(tiny_store.load("test", 1))
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
