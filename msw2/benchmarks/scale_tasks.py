"""What a worker does to measure how cost grows with size: with the phrases of a phrase file, and with processes.

Jobs of data have `phrases` and `folder`, which is theirs alone, or `songs`. Jobs of training have `hosts` and `index`,
as TF_CONFIG has them, `threads`, `preset` and `bars`. Samples are CPU time: on a machine that does other work, it tells
more than the clock.
"""

import json
import os
import pathlib
import shutil
import time
import zipfile

import numpy as np

from msw2.data.build import build_store
from msw2.data.phrase_file import BLOCK, phrase_file
from msw2.data.tunes import tunes_of
from msw2.music.grid import Grid
from msw2.music.tracks import TRACKS, track_index

STARTS, HELD = (
    0.005,
    6,
)  # share of the cells where a note starts, and its steps: as full as `synthetic.SOUNDING`
BARS_A_SONG = 70  # that tell, see `tunes.telling_bars`: as Freedoom's songs have
TRACK = "piano"  # drums are never transposed


def write_phrase_file(path: pathlib.Path, phrases: int) -> None:
    """Writes a phrase file of MuseGAN's form, piece by piece. Its blocks are alike.

    Args:
        path: `.npz` file.
        phrases: a multiple of BLOCK.
    """
    grid = Grid()
    shape = (BLOCK, *grid.phrase_shape, len(TRACKS))
    starts = np.random.default_rng(0).random(shape, np.float32) < STARTS
    cells = starts.copy()
    for step in range(1, HELD):
        cells[:, :, step:] |= starts[:, :, :-step]
    block, blocks = np.stack(np.nonzero(cells)), phrases // BLOCK
    header = {"descr": "<i8", "fortran_order": False, "shape": (len(block), blocks * block.shape[1])}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("shape.npy", "w") as file:
            np.save(file, np.array([phrases, *shape[1:]]))
        with archive.open("nonzero.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array_header_1_0(file, header)
            for axis, row in enumerate(block):
                for number in range(blocks):
                    file.write((row + (number * BLOCK if axis == 0 else 0)).astype("<i8").tobytes())


def store(job: dict):
    """Makes the store of a phrase file, as `make data NPZ=...` does. A slice is so many stores.

    With `bytes`, a slice makes none: its samples are the megabytes of the file and of the store that was made last.
    """
    source, out = _phrase_file(job)

    def run(amount, bytes=False):
        if bytes:
            sizes = source.stat().st_size, sum(file.stat().st_size for file in out.iterdir())
            return 1, tuple(size / 1e6 for size in sizes)
        start = time.process_time()
        for _ in range(amount):
            shutil.rmtree(out, ignore_errors=True)
            build_store(phrase_file(source), out)
        return amount * job["phrases"], (time.process_time() - start,)

    return run


def batches(job: dict):
    """Reads one track of a store. A slice with `index` is the pass that finds the units, else so many batches."""
    from msw2.benchmarks.synthetic import config_of  # noqa: PLC0415 - only tasks that train need TensorFlow
    from msw2.data import pipeline  # noqa: PLC0415
    from msw2.data.autotune import without_autotune  # noqa: PLC0415
    from msw2.data.store import Store  # noqa: PLC0415
    from msw2.data.stored_units import open_units  # noqa: PLC0415

    config, (source, out) = config_of(job), _phrase_file(job)
    build_store(phrase_file(source), out)
    there = Store.open(out)

    def opened():
        return open_units(there, "train", TRACK, unit_bars=config.unit_bars, silent_share=config.silent_bars)

    units = opened()
    made = pipeline.training_batches(
        units,
        batch_size=config.batch_size,
        epoch_units=len(units),
        seed=0,
        first_epoch=0,
        epochs=10**6,
        max_shift=config.transpose,
        mixed=config.mixed_bars,
    )

    def run(amount, index=False):
        start = time.process_time()
        if index:
            return len(opened()), (time.process_time() - start,)
        for _ in without_autotune(made.take(amount)):
            pass
        return amount * config.batch_size, (time.process_time() - start,)

    return run


def tunes(job: dict):
    """Finds the tunes of songs. A slice is all of them, so many times. Jobs have `songs`.

    A song has BARS_A_SONG bars that tell; every tenth is one that some 20 songs share by chance.
    """
    rng, count = np.random.default_rng(0), job["songs"]
    shared = rng.integers(0, 2**63, max(1, count * BARS_A_SONG // 200), np.uint64)
    bars = []
    for _ in range(count):
        own = rng.integers(0, 2**63, BARS_A_SONG, np.uint64)
        own[::10] = rng.choice(shared, len(own[::10]))
        bars.append(np.unique(own))
    digests = [f"{song:064x}" for song in range(count)]

    def run(amount):
        start = time.process_time()
        for _ in range(amount):
            tunes_of(digests, bars)
        return amount * count, (time.process_time() - start,)

    return run


def train(job: dict):
    """Trains the BVAE of a track in as many processes as `hosts` has. A slice is so many steps.

    The batch is that of one process: its bars are counted once.
    """
    from msw2.benchmarks import synthetic, training  # noqa: PLC0415 - as above

    if len(job["hosts"]) == 1:
        alone = training.stage1(job | {"library": "ours", "track": TRACK})
        return _with_cpu_time(lambda amount: alone(amount)[0])
    from msw2.data import pipeline  # noqa: PLC0415
    from msw2.data.autotune import without_autotune  # noqa: PLC0415
    from msw2.data.stored_units import Units  # noqa: PLC0415
    from msw2.models.sandwich import build_sandwich  # noqa: PLC0415
    from msw2.training.device import set_up_device  # noqa: PLC0415
    from msw2.training.distributed import Steps  # noqa: PLC0415
    from msw2.training.jobs import Job  # noqa: PLC0415
    from msw2.training.stages import set_stage  # noqa: PLC0415

    config = synthetic.config_of(job)
    set_up_device(job["threads"])
    task = {"cluster": {"worker": job["hosts"]}, "task": {"type": "worker", "index": job["index"]}}
    os.environ["TF_CONFIG"] = json.dumps(task)  # where TensorFlow looks for it
    together = Job.open("multiworker", os.environ["TF_CONFIG"])
    with together.scope():
        model = set_stage(build_sandwich(config), "stage1", config, track=TRACK, steps=training.STEPS)
        model.optimizer.build(model.trainable_variables)
    cells = synthetic.units(config, job["bars"])
    is_drum = np.full(len(cells), TRACKS[track_index(TRACK)].is_drum)
    made = pipeline.training_batches(
        Units.in_memory(cells, is_drum, config.grid, config.unit_bars),
        batch_size=config.batch_size,
        epoch_units=len(cells),
        seed=config.seed,
        first_epoch=0,
        epochs=training.EPOCHS,
        max_shift=config.transpose,
        mixed=config.mixed_bars,
        share=together.share,
    )
    steps, batch = Steps(model, together), iter(without_autotune(made))

    def run(amount):
        for _ in range(amount):
            steps.train(*next(batch))
        return amount * config.batch_size / together.processes

    return _with_cpu_time(run)


def _phrase_file(job: dict) -> tuple[pathlib.Path, pathlib.Path]:
    """Writes a job's phrase file, and returns its path and the path of its store."""
    folder = pathlib.Path(job["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    write_phrase_file(folder / "phrases.npz", job["phrases"])
    return folder / "phrases.npz", folder / "store"


def _with_cpu_time(run):
    """Returns a slice function whose sample is the CPU milliseconds of a step."""

    def timed(amount):
        start = time.process_time()
        units = run(amount)
        return units, (1000 * (time.process_time() - start) / amount,)

    return timed
