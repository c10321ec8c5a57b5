"""A store of tiny bars, and runs on it: 2 bars a phrase, 8 steps, 6 pitches."""

import csv
import dataclasses
import json

import numpy as np
import pytest

from msw2.config import SMOKE, fields_of
from msw2.config.finetune import FinetunePart
from msw2.config.prior import PriorPart
from msw2.config.training import TrainingPart
from msw2.data import packing
from msw2.data.shards import write_shard
from msw2.data.store import FORMAT, MANIFEST, SPLITS, Store
from msw2.models import fusion_mlp, refine
from msw2.models.sandwich import PARTS, build_sandwich
from msw2.music.tracks import TRACK_NAMES
from msw2.training import finetune, fit, refining, stage1, stage2

STAGES = (stage1, refining, stage2, finetune)

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
    prior="parzen",  # whose points are the latents
    refine_threshold="half",  # else each run that is finished restores phrases
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
            songs = []
            for index, phrase in enumerate(phrases(config, count, seed + len(split))):
                packed = packing.summarise([phrase[None]], np.array([0]), 100.0, config.grid)
                songs.append((f"{seed:08x}{index:08x}", packed))
            files = [f"{split}-{number:05d}.tfrecord" for number in range(-(-count // 4))]
            for number, file in enumerate(files):
                write_shard(path / file, songs[4 * number : 4 * number + 4])
            splits[split] = {"files": files, "phrases": count}
        grid, tracks = dataclasses.asdict(config.grid), list(TRACK_NAMES)
        manifest = {"format": FORMAT, "tracks": tracks, "grid": grid, "splits": splits, "seed": seed}
        (path / MANIFEST).write_text(json.dumps(manifest))
        return Store.open(path)

    return make


@pytest.fixture(scope="session")
def store(make_store):
    return make_store(CONFIG)


class Killed(BaseException):
    """What a kill is to the code that is killed: nothing that it can handle."""


@pytest.fixture
def killed(monkeypatch):
    """Returns a function (epoch, train, *arguments) that dies in the second batch of that epoch (0-based)."""

    def run(epoch, train, *arguments):
        def batch_end(self, batch, logs=None):
            if batch == 1 and self._epoch == epoch:
                raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(fit, "CHECKPOINT_EVERY", 0.0)
            patch.setattr(fit.ShowProgress, "on_train_batch_end", batch_end)
            with pytest.raises(Killed):
                train(*arguments)

    return run


@pytest.fixture(scope="session")
def assert_same(content):
    """Returns a function that asserts that two weight files hold the same bits, and something."""

    def check(path, other):
        a, b = content(path), content(other)
        assert a.keys() == b.keys()
        assert a
        for name, value in a.items():
            assert np.array_equal(value, b[name]), name

    return check


@pytest.fixture(scope="session")
def history():
    """Returns a function (run, stage) -> rows of its history, as text."""

    def rows(run, stage):
        with open(run.history(stage), newline="") as file:
            return list(csv.DictReader(file))

    return rows


@pytest.fixture(scope="session")
def give():
    """Returns a function (run, sandwich, *parts) that saves parts as they are, as if the run had trained them."""

    def save(run, sandwich, *parts):
        for part in parts:
            run.save_weights(sandwich.get_layer(part), part)

    return save


@pytest.fixture(scope="session")
def fresh():
    """Returns a function (config) -> a sandwich as `build_sandwich` makes it, with every variable as it starts.

    A sandwich takes a second to build, and the stages build one each: those of one architecture share theirs.
    """
    kept = {}
    apart = (
        fields_of(TrainingPart, PriorPart, FinetunePart)
        | {"bvae_epochs", "refine_epochs", "refine_threshold", "mfg_epochs"}
    ) - {
        "seed",
        "precision",
    }

    def get(config, *, portable=False):
        fields = {name: value for name, value in dataclasses.asdict(config).items() if name not in apart}
        sizes = refine.UNITS, fusion_mlp.CONCATENATED, fusion_mlp.PROJECTED  # which tests change
        key = (*fields.items(), *sizes, portable)
        if key not in kept:
            sandwich = build_sandwich(config, portable=portable)
            kept[key] = sandwich, [np.array(variable) for variable in sandwich.variables]
        sandwich, values = kept[key]
        for name in PARTS:
            sandwich.get_layer(name).trainable = True
        for variable, value in zip(sandwich.variables, values, strict=True):
            variable.assign(value)
        return sandwich

    return get


@pytest.fixture(autouse=True)
def quick(monkeypatch, fresh):
    """Lets the stages take their sandwiches from `fresh`."""
    for module in STAGES:
        monkeypatch.setattr(module, "build_sandwich", fresh)


@pytest.fixture
def instead_of_fit(monkeypatch):
    """Returns a function that puts a function (model, feed, **arguments of `fit`) in the place of `fit`."""

    def put(look):
        def looked(model, feed, resume, **kwargs):
            look(model, feed, resume=resume, **kwargs)
            return resume

        for module in STAGES:
            monkeypatch.setattr(module, "fit", looked)

    return put


@pytest.fixture
def nothing_is_fitted(instead_of_fit):
    """Returns a function after which a call of `fit` fails the test."""

    def refuse(model, feed, **kwargs):
        raise AssertionError(f"{model.name} is fitted")

    return lambda: instead_of_fit(refuse)


@pytest.fixture
def recorded(monkeypatch, fresh):
    """The sandwich that a stage built, its weights when `fit` began, and `moved()`: names of the parts that changed."""
    record = {}

    def build(config):
        record["sandwich"] = fresh(config)
        return record["sandwich"]

    def fit_and_look(model, feed, resume, **kwargs):
        record["before"] = {name: record["sandwich"].get_layer(name).get_weights() for name in PARTS}
        record["steps"] = feed.steps
        return fit.fit(model, feed, resume, **kwargs)

    def moved():
        return {
            name
            for name in PARTS
            for before, after in zip(
                record["before"][name], record["sandwich"].get_layer(name).get_weights(), strict=True
            )
            if not np.array_equal(before, after)
        }

    for module in STAGES:
        monkeypatch.setattr(module, "build_sandwich", build)
        monkeypatch.setattr(module, "fit", fit_and_look)
    record["moved"] = moved
    return record
