"""A store and a trained run that the tests of models, sampling, serving and commands share."""

import dataclasses
import shutil

import h5py
import numpy as np
import pytest

import msw2.cli  # noqa: F401 - TensorFlow, imported after it, starts without chatter
from msw2.config import SMOKE
from msw2.data.build import build_store
from msw2.data.midi_folder import midi_folder
from msw2.data.store import Store
from msw2.music.grid import Grid
from msw2.music.midi import write_song
from msw2.music.tracks import TRACK_NAMES
from msw2.training.refining import train_refiner
from msw2.training.runs import Run
from msw2.training.stage1 import train_bvae
from msw2.training.stage2 import train_fusion

GRID = Grid()
SONGS, BARS = 8, 8


def held_notes(seed, bars=BARS):
    """bool [step, pitch, track]: each track holds one of two pitches a bar, so that a tiny model soon plays them.

    Drums hit it on every step, which makes their bars the same as those of a held note.
    """
    rng = np.random.default_rng(seed)
    pianoroll = np.zeros((bars, 48, 84, len(TRACK_NAMES)), bool)
    for bar in range(bars):
        for track in range(len(TRACK_NAMES)):
            pianoroll[bar, :, 36 + 2 * rng.integers(0, 2), track] = True
    return pianoroll.reshape(-1, *pianoroll.shape[2:])


@pytest.fixture(scope="session")
def tiny_store(tmp_path_factory):
    """A store of eight songs of two phrases each, in three splits; all five tracks sound in every bar."""
    folder = tmp_path_factory.mktemp("songs")
    for seed in range(SONGS):
        write_song(folder / f"{seed}.mid", held_notes(seed), GRID, 100 + seed)
    path = tmp_path_factory.mktemp("data") / "store"
    build_store(midi_folder(folder), path, workers=0)
    return Store.open(path, measuring=True)


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory, tiny_store):
    """A finished run of the SMOKE sizes on `tiny_store`. Read-only: a test that trains makes its own.

    Building a training function takes most of the time, and all tracks of `held_notes` play alike: bass is
    trained, and the others get what it has learnt.
    """
    config = dataclasses.replace(
        SMOKE, batch_size=8, bvae_epochs=60, refine_epochs=10, mfg_epochs=60, transpose=0, mixed_bars=0.0
    )
    run = Run.create(tmp_path_factory.mktemp("runs") / "smoke", config, preset="smoke")
    train_bvae(run, tiny_store, "bass")
    train_refiner(run, tiny_store, "bass")
    for track in set(TRACK_NAMES) - {"bass"}:
        for kind in ("encoder", "decoder", "refiner"):
            shutil.copy(run.weights(f"bass_{kind}"), run.weights(f"{track}_{kind}"))
    train_fusion(run, tiny_store)
    return run


@pytest.fixture(scope="session")
def smoke_sandwich(smoke_run):
    """What `smoke_run.load_sandwich()` returns; reading it takes seconds."""
    return smoke_run.load_sandwich()


@pytest.fixture(scope="session")
def content():
    """Returns a function (path) -> all arrays of a weight file by name."""

    def arrays(path):
        found = {}
        with h5py.File(path) as file:
            file.visititems(
                lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
            )
        return found

    return arrays
