"""`make stage1` as the user meets it."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

import msw2
from msw2.cli import finetune, stage1, stage2
from msw2.config import PAPER
from msw2.data import packing
from msw2.data.shards import write_shard
from msw2.data.store import FORMAT, MANIFEST, SPLITS
from msw2.models.prior import Prior
from msw2.models.prior_file import load_prior
from msw2.models.sandwich import FUSION_PARTS, PARTS, build_sandwich
from msw2.music.grid import Grid
from msw2.music.tracks import TRACK_NAMES
from msw2.training.runs import Run

ROOT = pathlib.Path(msw2.__file__).parents[1]
GRID = Grid(bars=2, steps=4, pitches=6, lowest_pitch=40, beat_resolution=1)
SMALL = [
    *(f"--{name}={value}" for name, value in dataclasses.asdict(GRID).items()),
    *("--preset=paper", "--bvae_hidden=5", "--bvae_latent=3", "--bvae_epochs=1", "--refine_epochs=1"),
]


def process(name, *arguments, folder):
    """Runs a command in a folder; returns what it left."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    line = [sys.executable, "-m", f"msw2.cli.{name}", *arguments]
    return subprocess.run(line, capture_output=True, text=True, check=False, env=environment, cwd=folder)


def sentence(done):
    """The one line that a refused command says."""
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(said) == 1, done.stderr
    assert done.stderr.rstrip().endswith(said[0])
    return said[0].removeprefix("error: ")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a tiny store at data/store."""
    folder = tmp_path_factory.mktemp("work")
    path, splits = folder / "data" / "store", {}
    path.mkdir(parents=True)
    for split, count in zip(SPLITS, (6, 2, 0), strict=True):
        phrases = np.random.default_rng(count).random((count, *GRID.phrase_shape, 5)) < 0.3
        files = [f"{split}-00000.tfrecord"] if count else []
        for file in files:
            packed = packing.summarise([phrases], np.arange(count), 100.0, GRID)
            write_shard(path / file, [("0" * 16, packed)])
        splits[split] = {"files": files, "phrases": count}
    manifest = {
        "format": FORMAT,
        "tracks": list(TRACK_NAMES),
        "grid": dataclasses.asdict(GRID),
        "splits": splits,
    }
    (path / MANIFEST).write_text(json.dumps(manifest))
    return folder


def test_a_track_that_does_not_exist_is_refused_in_one_sentence(tmp_path):
    done = process("stage1", "--track=drum", folder=tmp_path)
    assert sentence(done) == "track 'drum' is not one of drums, piano, guitar, bass, strings"
    assert list(tmp_path.iterdir()) == []


def test_stage_1_of_one_track(folder):
    done = process("stage1", "--track=bass", "--run=run", *SMALL, folder=folder)
    assert done.returncode == 0, done.stderr
    assert "stage1 trains bass_encoder and bass_decoder (" in done.stderr
    assert "\nbass_bvae        1 epochs  loss " in done.stderr
    run = Run.open(folder / "run")
    assert (run.config.grid, run.config.bvae_latent, run.config.bvae_epochs) == (GRID, 3, 1)
    assert run.has("bass_encoder", "bass_decoder")
    assert run.history("bass_bvae").read_text().count("\n") == 2
    assert run.figure("bass_bvae").read_bytes()[:4] == b"\x89PNG"
    assert run.config.precision in {"float32", "mixed_bfloat16", "mixed_float16"}  # what auto stands for here
    far = f"9 of {len(dataclasses.fields(run.config))} fields"
    assert done.stdout.splitlines()[0].startswith(f"run: preset paper, {far} differ from the paper's; ")


def test_a_shared_bvae_is_trained_once_and_a_named_track_is_told(command, capfd, folder, monkeypatch):
    monkeypatch.setattr(stage1.side_by_side, "train", None)  # no processes of their own
    arguments = [f"--run={folder / 'shared'}", f"--store={folder / 'data' / 'store'}", "--shared", *SMALL]
    command(stage1, *arguments)
    run = Run.open(folder / "shared")
    assert run.has(*(f"{track}_{kind}" for track in TRACK_NAMES for kind in ("encoder", "decoder")))
    assert run.figure("shared_bvae").read_bytes()[:4] == b"\x89PNG"
    assert sorted(path.name for path in run.history("x").parent.iterdir()) == [
        *("shared_bvae.csv", "shared_bvae.png")
    ]
    out, err = capfd.readouterr()
    assert "\nshared_bvae      1 epochs  loss " in err
    introduction = out.splitlines()[0]
    assert out == f"{introduction}\n"
    command(stage1, *arguments, "--track=bass")
    assert capfd.readouterr().out.splitlines() == [
        introduction,
        f"the run {run.path} has one BVAE for all tracks, which is trained for bass as well",
        "the shared BVAE is trained already",
    ]


def test_stage_2_without_fusion_trains_nothing_and_says_so(command, capfd, folder):
    sizes = {**dataclasses.asdict(GRID), "bvae_hidden": 5, "bvae_latent": 3, "bvae_epochs": 1}
    config = dataclasses.replace(PAPER, **sizes, refine_epochs=1, fusion="none", precision="float32")
    run = Run.create(folder / "unfused", config, preset="paper")
    sandwich = build_sandwich(config)
    for name in PARTS:
        if name not in FUSION_PARTS and not name.endswith("refiner"):
            run.save_weights(sandwich.get_layer(name), name)
    command(stage2, f"--run={run.path}", f"--store={folder / 'data' / 'store'}", "--fusion=none")
    assert capfd.readouterr().out.splitlines()[1:] == [
        "without fusion there is no MFG-VAE to train: each track is drawn by itself"
    ]
    assert load_prior(run.prior).latent == 15
    assert not run.figure("mfg_vae").exists()


@pytest.fixture(scope="module")
def staged(folder):
    """Returns a function (name, **changes) -> a run whose stages are done, by parts as they start."""
    sizes = {**dataclasses.asdict(GRID), "bvae_hidden": 5, "bvae_latent": 3, "mfg_hidden": 5, "mfg_latent": 4}
    config = dataclasses.replace(PAPER, **sizes, precision="float32")
    sandwich = build_sandwich(config)

    def make(name, **changes):
        run = Run.create(folder / name, dataclasses.replace(config, **changes), preset="paper")
        for part in PARTS:
            run.save_weights(sandwich.get_layer(part), part)
        Prior.isotropic(2, 4, 1.0).save(run.prior)
        return run

    return make


def test_without_epochs_there_is_nothing_to_finetune(command, capfd, folder, staged, monkeypatch):
    run = staged("plain")
    before = sorted(run.path.rglob("*"))
    monkeypatch.setattr(keras.Model, "fit", None)
    command(finetune, f"--run={run.path}", f"--store={folder / 'data' / 'store'}")
    out = capfd.readouterr().out.splitlines()
    assert out[1:] == ["finetune_epochs is 0: there is nothing to finetune"]
    assert sorted(run.path.rglob("*")) == sorted([*before, run.data])


def test_a_run_is_finetuned_once_and_its_loss_is_drawn(command, capfd, folder, staged):
    run = staged("finetuned", finetune_epochs=2)
    arguments = [f"--run={run.path}", f"--store={folder / 'data' / 'store'}"]
    command(finetune, *arguments)
    out, err = capfd.readouterr()
    assert len(out.splitlines()) == 1
    assert "finetune trains all 17 parts (" in err
    assert "\nfinetune         2 epochs  loss " in err
    assert run.finetuned_prior.exists()
    assert run.figure("finetune").read_bytes()[:4] == b"\x89PNG"
    command(finetune, *arguments)
    assert capfd.readouterr().out.splitlines()[1:] == ["the run is finetuned already"]
