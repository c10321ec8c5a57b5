"""Two processes on loopback train as one, and go on after a kill; five commands train five tracks of one run."""

import csv
import dataclasses
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest

import msw2
from msw2.cli import stage1, stage2
from msw2.config import SMOKE
from msw2.data import packing
from msw2.data.shards import shard_name, write_shard
from msw2.data.store import FORMAT, MANIFEST, SPLITS
from msw2.models.prior_file import load_prior
from msw2.models.sandwich import build_sandwich, stage1_parts
from msw2.music.grid import Grid
from msw2.music.tracks import TRACK_NAMES
from msw2.training.runs import Run, RunError

ROOT = pathlib.Path(msw2.__file__).parents[1]
GRID = Grid(bars=2, steps=8, pitches=6, lowest_pitch=40, beat_resolution=2)
CONFIG = dataclasses.replace(
    SMOKE,
    **dataclasses.asdict(GRID),
    bvae_hidden=7,
    bvae_latent=3,
    bvae_epochs=3,
    mfg_epochs=4,
    batch_size=5,
    epoch_bars=16,  # the last batch has one row, which two processes cannot share
    clip_norm=0.05,
    learning_rate=0.02,
    precision="float32",
)
GONE = (
    "error: another process of the job has ended, and its own last line says why: "
    "start all of them again, and they go on from the last checkpoint"
)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Path of a store of ten training phrases."""
    path, splits = tmp_path_factory.mktemp("data") / "store", {}
    path.mkdir()
    for split, count in zip(SPLITS, (10, 3, 0), strict=True):
        phrases = np.random.default_rng(count).random((count, *GRID.phrase_shape, 5)) < 0.2
        files = [shard_name(split, 0)] if count else []
        for file in files:
            packed = packing.summarise([phrases], np.arange(count), 100.0, GRID)
            write_shard(path / file, [("0" * 16, packed)])
        splits[split] = {"files": files, "phrases": count}
    manifest = {"format": FORMAT, "tracks": list(TRACK_NAMES), "grid": dataclasses.asdict(GRID)}
    (path / MANIFEST).write_text(json.dumps({**manifest, "splits": splits}))
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two new runs of one config, with the same BVAEs but that of bass."""
    sandwich, folder = build_sandwich(CONFIG), tmp_path_factory.mktemp("runs")
    made = [Run.create(folder / name, CONFIG, preset="smoke") for name in ("one", "two")]
    for run in made:
        for track in set(TRACK_NAMES) - {"bass"}:
            for part in stage1_parts(track):
                run.save_weights(sandwich.get_layer(part), part)
    return made


def free_ports(count):
    """Ports that nothing listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def job(*arguments, dies=("", "")):
    """Runs a command as two processes, which may die after an epoch; returns status and stderr of each."""
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    started = []
    for index in range(2):
        task = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        own = {"TF_CONFIG": json.dumps(task), "MSW2_TEST_DIES": dies[index], "PYTHONPATH": str(ROOT)}
        line = [
            sys.executable,
            str(pathlib.Path(__file__).parent / "dying.py"),
            *arguments,
            "--strategy=multiworker",
        ]
        environment = os.environ | own | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
        started.append(
            subprocess.Popen(
                line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
            )
        )
    try:
        return [(process.communicate()[1], process.returncode)[::-1] for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()


def history(run, stage):
    with open(run.history(stage), newline="") as file:
        rows = list(csv.DictReader(file))
    return [{name: float(value) for name, value in row.items() if name != "seconds"} for row in rows]


def assert_alike(content, runs, stage, parts):
    """Asserts that two runs have the same history and weights, to rounding."""
    one, two = (history(run, stage) for run in runs)
    for row, other in zip(one, two, strict=True):
        assert list(row) == list(other)
        assert list(other.values()) == pytest.approx(list(row.values()), rel=2e-5)
    assert abs(one[-1]["loss"] / one[0]["loss"] - 1) > 1e-3  # else any two trainings would be alike
    for part in parts:
        weights, others = (content(run.weights(part)) for run in runs)
        assert weights.keys() == others.keys()
        for name, value in weights.items():
            assert np.allclose(others[name], value, rtol=0, atol=1e-5), (part, name)


def test_two_processes_train_a_bvae_as_one(command, content, runs, store):
    one, two = runs
    command(stage1, f"--run={one.path}", f"--store={store}", "--track=bass")
    done = job("stage1", f"--run={two.path}", f"--store={store}", "--track=bass")
    assert [status for status, _ in done] == [0, 0], done
    assert_alike(content, runs, "bass_bvae", stage1_parts("bass"))
    # The chief alone writes, and shows the progress.
    assert two.figure("bass_bvae").exists()
    assert ["3 epochs" in told for _, told in done] == [True, False]
    assert not list(two.path.rglob(".*"))


def test_a_killed_job_goes_on_from_its_checkpoint(command, content, runs, store):
    one, two = runs
    command(stage2, f"--run={one.path}", f"--store={store}")
    arguments = ["stage2", f"--run={two.path}", f"--store={store}"]
    (chief, _), (helper, told) = job(*arguments, dies=("1", ""))
    assert (chief, helper) == (-signal.SIGKILL, 1)
    assert told.splitlines()[-1] == GONE
    assert "Traceback" not in told
    assert [row["epoch"] for row in history(two, "mfg_vae")] == [1, 2]
    assert two.checkpoint("mfg_vae").exists()
    seconds = two.history("mfg_vae").read_text().splitlines()[1:3]
    done = job(*arguments)
    assert [status for status, _ in done] == [0, 0], done
    assert two.history("mfg_vae").read_text().splitlines()[1:3] == seconds  # these are not trained again
    assert_alike(content, runs, "mfg_vae", ("mfg_encoder", "mfg_decoder"))
    assert np.allclose(*(load_prior(run.prior).points for run in runs), rtol=0, atol=1e-5)
    assert not two.checkpoint("mfg_vae").exists()


def test_machines_that_share_a_run_train_different_tracks_at_once_and_none_twice(tmp_path):
    run = Run.create(tmp_path / "run", CONFIG, preset="smoke")
    again = Run.open(run.path)
    with run.alone("drums_bvae"), again.alone("bass_bvae"):
        with pytest.raises(RunError, match="is at work on drums_bvae of the run "), again.alone("drums_bvae"):
            pass
        with dataclasses.replace(again, writes=False).alone("drums_bvae"):  # a helper of the process at work
            pass
    assert sorted(path.name for path in run.path.iterdir()) == ["config.json", "flags.txt"]


def test_a_helper_writes_no_config(tmp_path):
    run = dataclasses.replace(Run.create(tmp_path / "run", CONFIG), writes=False)
    before = run.path.joinpath("config.json").read_bytes()
    assert run.changed({"finetune_epochs": 3}).config.finetune_epochs == 3
    assert run.path.joinpath("config.json").read_bytes() == before
