"""Which of the paper's figures a run has, and of which phrase."""

import dataclasses
import types

import numpy as np
import pytest

from msw2.config import SMOKE
from msw2.data.store import StoredSong
from msw2.evaluation import paper_figures
from msw2.music.grid import Grid
from msw2.training.runs import Run

TRACKS = ["drums", "piano", "guitar", "bass", "strings"]


def run_of(folder, *stages, **fields):
    """A run of which there are only the config and the histories of some stages."""
    run = Run.create(folder, dataclasses.replace(SMOKE, **fields))
    run.history("x").parent.mkdir()
    for number, stage in enumerate(stages):
        run.history(stage).write_text(f"epoch,loss,accuracy,val_accuracy\n1,{number},0.5,0.25\n")
    return run


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
        (
            ["bass_bvae"],
            {"refine": "none", "refine_threshold": "half"},
            {"figure5_bvae": ({"bass": 0}, ("loss",))},
        ),
        ([], {}, {}),
    ],
)
def test_curves_are_those_of_the_histories_that_there_are(tmp_path, monkeypatch, stages, fields, expected):
    drawn = {}

    def look(path, histories, columns):
        losses = {title: history["loss"][0] for title, history in histories.items()}
        drawn[path.stem] = (losses, columns)
        assert all(history["val_accuracy"] == [0.25] for history in histories.values())

    monkeypatch.setattr(paper_figures, "draw_curves", look)
    run = run_of(tmp_path / "run", *stages, **fields)
    assert list(paper_figures.curves(run)) == [run.path / "figures" / f"{name}.png" for name in expected]
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
    found, phrase = paper_figures.fullest(store_of(*songs), "validation")
    assert found == number
    wanted = [bars for song in songs if song for bars in song][number]
    assert phrase.shape == (1, 3, 4, 6, 5)
    assert tuple(phrase[0].any(axis=(1, 2)).sum(axis=0)) == wanted
