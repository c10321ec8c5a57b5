"""Measures generation and serving with an untrained model, as tasks of a worker; see `training` for jobs."""

import dataclasses
import pathlib
import tempfile
import time

import keras
import numpy as np
import tensorflow as tf

from msw2.benchmarks import stock
from msw2.benchmarks.training import set_up
from msw2.config import Config
from msw2.inference.sampling import CHUNK, PhraseFunctions, Sampler
from msw2.models.codes import random_codes
from msw2.models.notes_prior import NotesPrior
from msw2.models.prior_file import AnyPrior
from msw2.models.sandwich import PARTS, build_sandwich
from msw2.music.tracks import TRACKS
from msw2.serving.export import export_run
from msw2.serving.signatures import example_inputs
from msw2.training.notes_prior import writer_of
from msw2.training.prior import fit_prior
from msw2.training.runs import Run

POINTS = 1024  # phrases that the prior is fitted to


def generate(job: dict):
    """Phrases made from nothing, by `Sampler`. A slice is so many chunks of them."""
    config = set_up(job)
    ours = job["library"] == "ours"
    sandwich = build_sandwich(config, portable=True) if ours else stock.build_sandwich(config)
    sampler = Sampler(sandwich, config, random_prior(config))

    def run(amount):
        return len(sampler.generate(amount * CHUNK, seed=0, temperature=1.0)), ()

    return run


def serve(job: dict):
    """Calls of the signatures of an exported model. A slice is so many calls; its samples are milliseconds.

    Calls have `signature` and `batch`; units are phrases.
    """
    tf.config.set_visible_devices([], "GPU")  # as `export` does
    config = set_up(job)
    sandwich, prior = build_sandwich(config, portable=True), random_prior(config)
    with tempfile.TemporaryDirectory() as scratch:
        loaded = tf.saved_model.load(str(export_run(_run(scratch, config, sandwich, prior))))
    functions = PhraseFunctions(sandwich, config, prior, chunk=1)
    rows = example_inputs(functions, max(job["batches"]))
    inputs = {
        (name, batch): {key: tf.constant(array[:batch]) for key, array in arrays.items()}
        for name, arrays in rows.items()
        for batch in job["batches"]
    }

    def run(amount, signature="encode", batch=1):
        function, given, milliseconds = loaded.signatures[signature], inputs[signature, batch], []
        for _ in range(amount):
            start = time.perf_counter()
            for output in function(**given).values():
                output.numpy()
            milliseconds.append(1000 * (time.perf_counter() - start))
        return amount * batch, milliseconds

    return run


def random_prior(config: Config) -> AnyPrior:
    """Returns a prior of random numbers. A notes prior costs as much as it writes notes, others always the same."""
    if config.prior == "notes":
        cells = config.unit_steps * config.pitches
        codes = random_codes(tracks=len(TRACKS), code=config.bvae_latent, cells=cells)
        return NotesPrior.of(config, codes, writer_of(config))
    shape = (POINTS, config.units, config.fusion_latent)
    return fit_prior(config, np.random.default_rng(0).standard_normal(shape, np.float32))


def _run(folder: str, config: Config, sandwich: keras.Model, prior: AnyPrior) -> Run:
    """Returns a finished run of untrained weights, which have no thresholds of their own."""
    run = Run.create(pathlib.Path(folder) / "run", dataclasses.replace(config, refine_threshold="half"))
    prior.save(run.prior)
    for name in PARTS:
        run.save_weights(sandwich.get_layer(name), name)
    return run
