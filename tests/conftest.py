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
from msw2.models.codes import random_codes
from msw2.models.notes_prior import NotesPrior
from msw2.models.sandwich import build_sandwich
from msw2.music.grid import Grid
from msw2.music.midi import write_song
from msw2.music.tracks import TRACK_NAMES
from msw2.training.notes_prior import fit_codes, writer_of
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


@pytest.fixture(scope="session")
def song_run(tmp_path_factory, smoke_run, smoke_sandwich, tiny_store):
    """A copy of `smoke_run` whose prior writes songs. Different seeds make different music."""
    config = dataclasses.replace(smoke_run.config, prior="notes", prior_width=16)
    run = Run.create(tmp_path_factory.mktemp("runs") / "songs", config, preset="smoke")
    shutil.copytree(smoke_run.path / "weights", run.path / "weights", dirs_exist_ok=True)
    codes = fit_codes(smoke_sandwich[0], config, tiny_store)
    writing_held_notes(NotesPrior.of(config, codes, writer_of(config))).save(run.prior)
    return run


def writing_held_notes(prior):
    """Returns an untrained prior that writes new bars of notes as in `held_notes`.

    Whatever other notes it wrote, `smoke_run` would make nearly the same music of them.
    """
    tracks, likely = len(TRACK_NAMES), 5.0
    weights = {name: weight.copy() for name, weight in prior.weights.items()}
    for name, classes in {"start": [0, -1], "pitch": [36, 38], "length": [-1]}.items():
        weights[f"{name}.logits.bias"].reshape(tracks, -1)[:, classes] += likely
    weights["unit.repeat.bias"][-1] += likely
    return dataclasses.replace(prior, weights=weights)


@pytest.fixture(scope="session")
def song_sandwich(song_run):
    """What `song_run.load_sandwich()` returns."""
    return song_run.load_sandwich()


@pytest.fixture(scope="session")
def tiny_config():
    """Of tiny bars, two a phrase, of 8 steps and 6 pitches, written by a notes prior."""
    return dataclasses.replace(
        SMOKE,
        bars=2,
        steps=8,
        pitches=6,
        lowest_pitch=40,
        beat_resolution=2,
        bvae_hidden=7,
        bvae_latent=3,
        mfg_hidden=7,
        mfg_latent=4,
        prior="notes",
        prior_width=16,
    )


@pytest.fixture(scope="session")
def tiny_sandwich(tiny_config):
    """An untrained one, read-only, that makes cells of all kinds: its weights are larger than they start."""
    sandwich, rng = (
        build_sandwich(dataclasses.replace(tiny_config, precision="float32")),
        np.random.default_rng(5),
    )
    for weight in sandwich.trainable_variables:
        weight.assign(weight + rng.normal(0, 0.3, weight.shape))
    return sandwich


@pytest.fixture(scope="session")
def tiny_prior(tiny_config):
    """A notes prior of random numbers for `tiny_sandwich`."""
    codes = random_codes(tracks=len(TRACK_NAMES), code=tiny_config.bvae_latent, cells=48, seed=4)
    return NotesPrior.of(tiny_config, codes, writer_of(tiny_config))
