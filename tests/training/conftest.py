"""A store of tiny bars, and runs on it: 2 bars a phrase, 8 steps, 6 pitches."""

import dataclasses
import json

import numpy as np
import pytest

from msw2.config import SMOKE
from msw2.data import packing
from msw2.data.shards import ShardWriter
from msw2.data.store import FORMAT, MANIFEST, SPLITS, Store
from msw2.music.tracks import TRACK_NAMES

# TUNED's maths with numbers of its own, and all that draws random numbers switched on.
CONFIG = dataclasses.replace(
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
    bvae_epochs=4,
    refine_epochs=2,
    mfg_epochs=3,
    mfg_transpositions=3,
    epsilon_std=0.5,
    bvae_kl=0.1,
    learning_rate=0.02,
    mfg_learning_rate=0.02,
    transpose=2,
    mixed_bars=0.5,
    batch_size=5,
    train_bars=0,
    silent_bars=0.5,
)


def phrases(config, count, seed):
    """bool [phrase, bar, step, pitch, track]; two bars of three sound."""
    rng = np.random.default_rng(seed)
    found = rng.random((count, config.bars, config.steps, config.pitches, 5)) < 0.15
    return found & (rng.random((count, config.bars, 1, 1, 5)) < 2 / 3)


@pytest.fixture(scope="session")
def config():
    return CONFIG


@pytest.fixture(scope="session")
def make_store(tmp_path_factory):
    """Returns a function (config, seed, train, validation) -> Store with that many phrases."""

    def make(config, seed=0, train=10, validation=3):
        path = tmp_path_factory.mktemp("store")
        splits = {}
        for split, count in zip(SPLITS, (train, validation, 0), strict=True):
            writer = ShardWriter(path, split, 4)
            for index, phrase in enumerate(phrases(config, count, seed + len(split))):
                packed = packing.summarise([phrase[None]], np.array([0]), 100.0, config.grid)
                writer.add(f"{seed:08x}{index:08x}", packed)
            writer.close()
            splits[split] = {"files": writer.files, "phrases": count}
        grid, tracks = dataclasses.asdict(config.grid), list(TRACK_NAMES)
        manifest = {"format": FORMAT, "tracks": tracks, "grid": grid, "splits": splits, "seed": seed}
        (path / MANIFEST).write_text(json.dumps(manifest))
        return Store.open(path)

    return make


@pytest.fixture(scope="session")
def store(make_store):
    return make_store(CONFIG)
