"""Trains a run's stages on one device, then as many logical CPUs as asked for, and prints both as JSON.

It is a process of its own: logical devices are made before TensorFlow begins.
"""

import csv
import json
import pathlib
import sys

import numpy as np
import tensorflow as tf

from msw2.config import Config
from msw2.data.store import Store
from msw2.models.sandwich import PARTS, build_sandwich
from msw2.training.jobs import ALONE, Job
from msw2.training.refining import train_refiner
from msw2.training.runs import Run
from msw2.training.stage1 import train_bvae
from msw2.training.stage2 import train_fusion


def trained(run, store, job):
    """Returns the histories and the weights of stages that all begin with the same fresh weights."""
    sandwich = build_sandwich(run.config)
    stages = {
        "bass_bvae": (lambda: train_bvae(run, store, "bass", job), ("bass_encoder", "bass_decoder")),
        "drums_refiner": (lambda: train_refiner(run, store, "drums", job), ("drums_refiner",)),
        "mfg_vae": (lambda: train_fusion(run, store, job), ("mfg_encoder", "mfg_decoder")),
    }
    found = {}
    for stage, (train, parts) in stages.items():
        for name in PARTS:
            run.save_weights(sandwich.get_layer(name), name)
        for part in parts:
            run.weights(part).unlink()
        train()
        with open(run.history(stage), newline="") as file:
            rows = [{k: float(v) for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]
        found[stage] = {
            "history": rows,
            "weights": {part: sums(sandwich, part, run.weights(part)) for part in parts},
        }
    return found


def sums(sandwich, part, path):
    """Returns all weights of a part, one after another."""
    layer = sandwich.get_layer(part)
    before = layer.get_weights()
    layer.load_weights(path)
    after = layer.get_weights()
    layer.set_weights(before)
    return np.concatenate([np.ravel(each) for each in after]).tolist()


def main():
    folder, store, fields, devices = sys.argv[1:]
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * int(devices))
    config, opened = Config(**json.loads(fields)), Store.open(store)
    jobs = {"one": ALONE, "many": Job.open("mirrored", "")}
    made = {
        name: trained(Run.create(pathlib.Path(folder) / name, config), opened, job)
        for name, job in jobs.items()
    }
    json.dump({"devices": jobs["many"].devices, **made}, sys.stdout)


if __name__ == "__main__":
    main()
