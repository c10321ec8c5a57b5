"""A fit on two devices ends in what a fit on one ends in, to rounding."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import msw2

ROOT = pathlib.Path(msw2.__file__).parents[1]
STAGES = ("bass_bvae", "drums_refiner", "mfg_vae")  # finetuning takes as long as these together


@pytest.fixture(scope="module")
def made(config, store, tmp_path_factory):
    """What `mirrored.py` prints, of two devices. The last batch of an epoch has one row."""
    changes = {"batch_size": 6, "clip_norm": 0.05, "bvae_epochs": 2, "epoch_bars": 13}
    fields = dataclasses.asdict(
        dataclasses.replace(config, **changes, refine_output="stochastic", refine_weight=2.0)
    )
    script = pathlib.Path(__file__).parent / "mirrored.py"
    command = [
        sys.executable,
        str(script),
        str(tmp_path_factory.mktemp("runs")),
        str(store.path),
        json.dumps(fields),
    ]
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "",
    }
    done = subprocess.run([*command, "2"], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("stage", STAGES)
def test_two_devices_train_as_one(made, stage):
    assert made["devices"] == 2
    one, many = made["one"][stage], made["many"][stage]
    assert [list(row) for row in one["history"]] == [list(row) for row in many["history"]]
    assert len(one["history"]) >= 2
    for row, other in zip(one["history"], many["history"], strict=True):
        assert list(other.values()) == pytest.approx(list(row.values()), rel=2e-5)
    assert one["weights"].keys() == many["weights"].keys()
    for part, weights in one["weights"].items():
        assert np.allclose(many["weights"][part], weights, rtol=0, atol=1e-5), part


@pytest.mark.parametrize("stage", STAGES)
def test_training_moves_weights_by_far_more_than_that(made, stage):
    """Else any two trainings would be alike."""
    rows = made["one"][stage]["history"]
    assert abs(rows[-1]["loss"] / rows[0]["loss"] - 1) > 1e-3
