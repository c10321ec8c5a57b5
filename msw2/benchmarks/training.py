"""What a worker does in TensorFlow to measure training: ours, and the same networks of stock Keras.

A task maps a job to a slice function, see `worker`. Jobs have: `preset` and `overrides` (the config), `library`
(`ours` or `stock`), `threads` (0: TensorFlow's default), `policy` (precision, else `float32`). Both libraries train by
`fit`, on the same datasets, without tf.data's tuner: a slice would wait for it at its end.
"""

import contextlib
import dataclasses
import functools
import subprocess
import threading
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from msw2.benchmarks import stock, synthetic
from msw2.config import Config
from msw2.data import pipeline
from msw2.data.autotune import without_autotune
from msw2.data.stored_units import Units
from msw2.models.sandwich import build_sandwich
from msw2.music.tracks import TRACKS, track_index
from msw2.training.device import set_up_device
from msw2.training.stages import set_stage

EPOCHS = 1_000_000  # of datasets: more than any slice takes
STEPS = 100_000  # of schedules
MOMENTS = 16_384  # bands of random moments
MATRIX = 2048  # side of the matrices whose product is the machine's peak
POLL = 0.1  # seconds between questions to nvidia-smi


def set_up(job: dict) -> Config:
    """Applies a job's threads and precision, and returns its config; call it before anything is computed.

    A job of ours also sets the process up like msw2's commands do.
    """
    policy = job.get("policy", "float32")
    if job.get("library") == "ours":
        set_up_device(job["threads"])
    else:
        if job["threads"]:
            tf.config.threading.set_intra_op_parallelism_threads(job["threads"])
            tf.config.threading.set_inter_op_parallelism_threads(job["threads"])
        keras.config.set_dtype_policy(policy)
    return dataclasses.replace(synthetic.config_of(job), precision=policy)


def stage1(job: dict):
    """Stage 1 of one track. A slice is so many steps; `busy` in the job samples the GPU's use, in percent.

    Jobs also have: `track`; `bars` of the training set.
    """
    config, track = set_up(job), job["track"]
    if job["library"] == "ours":
        model = set_stage(build_sandwich(config), "stage1", config, track=track, steps=STEPS)
    else:
        model = stock.bvae(config, stock.build_encoder(config), stock.build_decoder(config))
    batches = functools.cache(functools.partial(_bar_batches, config, track))

    def run(amount, bars=job["bars"]):
        with _gpu_use() if job.get("busy") else contextlib.nullcontext(()) as use:
            return _fit(model, batches(bars), amount, config.batch_size), use

    return run


def refine(job: dict):
    """A refiner behind its frozen BVAE. A slice is so many steps. Jobs also have `track` and `bars`."""
    config, track = set_up(job), job["track"]
    model = our_refiner(config, track) if job["library"] == "ours" else _stock_refiner(config, track)
    batches = _bar_batches(config, track, job["bars"])
    return lambda amount: (_fit(model, batches, amount, config.batch_size), ())


def stage2(job: dict):
    """The MFG-VAE on random moments. A slice is so many steps."""
    config = set_up(job)
    if job["library"] == "ours":
        model = our_mfg_vae(config)
    else:
        model = stock.mfg_vae(config, stock.build_mfg_encoder(config), stock.build_mfg_decoder(config))
    shape = (MOMENTS, len(TRACKS), config.mfg_moments)
    moments = np.random.default_rng(0).standard_normal(shape, np.float32)
    # In -1..1, which is where the moments of an untrained BVAE are, and what tanh can reach.
    bands = tf.constant(0.5 * np.tanh(moments))

    def order(epoch):
        rows = tf.random.experimental.stateless_shuffle(tf.range(MOMENTS), seed=[config.seed, epoch])
        return tf.data.Dataset.from_tensor_slices(rows).batch(config.batch_size)

    def load(rows):
        return (tf.gather(bands, rows),) * 2

    batches = tf.data.Dataset.range(EPOCHS).flat_map(order).map(load).prefetch(4)
    return lambda amount: (_fit(model, batches, amount, config.batch_size), ())


def drain(job: dict):
    """Reads training batches and does nothing with them. A slice is so many batches."""
    config = set_up(job)
    batches = _bar_batches(config, job["track"], job["bars"])

    def run(amount):
        for _ in without_autotune(batches.take(amount)):
            pass
        return amount * config.batch_size, ()

    return run


def product(job: dict):
    """Products of two large float32 matrices. A slice is so many; its units are 10^9 operations."""
    set_up(job)
    left, right = (tf.random.stateless_normal([MATRIX, MATRIX], [0, seed]) for seed in (1, 2))

    def run(amount):
        for _ in range(amount):
            made = tf.matmul(left, right)
        made.numpy()[0]  # a GPU may still be at it
        return amount * 2 * MATRIX**3 / 1e9, ()

    return run


def our_refiner(config: Config, track: str) -> keras.Model:
    """Returns the compiled model that `train_refiner` trains, with fresh weights."""
    return set_stage(build_sandwich(config), "refine", config, track=track)


def our_mfg_vae(config: Config) -> keras.Model:
    """Returns the compiled model that `train_fusion` trains, with fresh weights."""
    return set_stage(build_sandwich(config), "stage2", config, steps=STEPS)


def uses_cudnn(function, *inputs) -> bool:
    """Returns whether the graph of a function of tensors has a cuDNN recurrence in it."""
    graph = tf.function(function).get_concrete_function(*inputs).graph.as_graph_def()
    nodes = [*graph.node, *(node for each in graph.library.function for node in each.node_def)]
    return any(node.op.startswith("CudnnRNN") for node in nodes)


def cudnn(job: dict):
    """Whether ours takes cuDNN in training: the samples of a slice are 1.0 or 0.0."""
    config = set_up(job)
    encoder = build_sandwich(config).get_layer(f"{job['track']}_encoder")
    bars = tf.zeros([config.batch_size, config.unit_steps, config.pitches])
    found = float(uses_cudnn(functools.partial(encoder, training=True), bars))
    return lambda amount: (amount, (found,))


def _stock_refiner(config: Config, track: str) -> keras.Model:
    network = build_sandwich(config).get_layer(f"{track}_refiner")
    return stock.refiner(config, stock.build_encoder(config), stock.build_decoder(config), network)


def _bar_batches(config: Config, track: str, bars: int) -> tf.data.Dataset:
    cells = synthetic.units(config, bars)
    is_drum = np.full(bars, TRACKS[track_index(track)].is_drum)
    return pipeline.training_batches(
        Units.in_memory(cells, is_drum, config.grid, config.unit_bars),
        batch_size=config.batch_size,
        epoch_units=bars,
        seed=config.seed,
        first_epoch=0,
        epochs=EPOCHS,
        max_shift=config.transpose,
        mixed=config.mixed_bars,
    )


def _fit(model: keras.Model, batches: tf.data.Dataset, steps: int, batch_size: int) -> int:
    """Trains for one epoch of so many steps, and returns the rows that it took."""
    model.fit(without_autotune(batches), epochs=1, steps_per_epoch=steps, shuffle=False, verbose=0)
    return steps * batch_size


@contextlib.contextmanager
def _gpu_use() -> Iterator[list[float]]:
    """Yields a list that fills with the first GPU's use in percent while the block runs."""
    use, ended = [], threading.Event()
    question = ["nvidia-smi", "--id=0", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]

    def poll():
        while not ended.wait(POLL):
            answer = subprocess.run(question, capture_output=True, text=True, check=False)
            if not answer.returncode and answer.stdout.strip().isdecimal():
                use.append(float(answer.stdout))

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        yield use
    finally:
        ended.set()
        thread.join()
