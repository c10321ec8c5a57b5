"""What is compared with what: one function a group of `--only`, from the machine to comparisons."""

import dataclasses
import itertools
import pathlib
import tempfile
from collections.abc import Callable, Iterator

from msw2.benchmarks import flops
from msw2.benchmarks.machine import Machine
from msw2.benchmarks.processes import free_ports
from msw2.benchmarks.rounds import Comparison, Contender, Ratio
from msw2.benchmarks.synthetic import config_of
from msw2.data.freedoom import freedoom
from msw2.data.store import StoreError
from msw2.kernels.compiled import has_bfloat16
from msw2.music.tracks import TRACK_NAMES

BARS = 3200  # of a training set: PAPER's
UNIT_BARS = 320  # of the smallest epoch of `growth`
BATCHES = (1, 64)  # phrases a request
BASE_PHRASES = 832  # of the smallest phrase file of `scale`; MuseGAN's has 102,378
SONGS = (5_000, 20_000, 80_000)  # whose tunes are found in `scale`
BATCHES_READ, STEPS_TOGETHER = 200, 40  # in a turn of `scale`
SIGNATURES = ("generate", "encode", "decode", "restore")
# Of five tracks, by size of the BVAE: least ratios to stock Keras and to PyTorch that are wanted.
GOALS = {128: (3.0, 1.2), 256: (3.5, 1.3)}
LARGE = {"bvae_hidden": 256, "bvae_latent": 256}

OURS, STOCK, TORCH = "ours", "stock Keras", "PyTorch"
OURS_FIVE, TORCH_FIVE = "ours, side by side", "PyTorch, side by side"
OURS_ROUNDED = "ours, side by side, bfloat16"  # where the CPU multiplies it
PRODUCT, PRODUCT_ONE = "matrix product", "matrix product, one thread"


@dataclasses.dataclass(frozen=True)
class Setting:
    """What a group needs to know.

    Attributes:
        machine: this one.
        freedoom: folder of Freedoom's songs; they are fetched into it if they are not there.
    """

    machine: Machine
    freedoom: pathlib.Path


def stage1(setting: Setting) -> Iterator[Comparison]:
    """Training of one track and of five, at the paper's sizes and at the released ones; share of the peak."""
    machine = setting.machine
    for overrides in ({}, LARGE):
        job = {"preset": "paper", "overrides": overrides, "bars": BARS}
        config = config_of(job)
        keras_goal, torch_goal = GOALS[config.bvae_hidden]
        contenders = [
            _bars(OURS, _stage1(job)),
            _bars(OURS_FIVE, *_side_by_side(machine, _stage1(job))),
            _bars(STOCK, _stage1(job, library="stock")),
        ]
        ratios = [
            Ratio("one track: ours / stock Keras", OURS, STOCK),
            Ratio("five tracks: ours / stock Keras", OURS_FIVE, STOCK, keras_goal),
        ]
        if has_bfloat16():
            rounded = _side_by_side(machine, _stage1(job | {"policy": "mixed_bfloat16"}))
            contenders.append(_bars(OURS_ROUNDED, *rounded))
            ratios += [
                Ratio("five tracks: ours in bfloat16 / stock Keras", OURS_ROUNDED, STOCK),
                Ratio("five tracks: ours in bfloat16 / ours in float32", OURS_ROUNDED, OURS_FIVE),
            ]
        if machine.has("PyTorch"):
            torch = {"task": "msw2.benchmarks.pytorch:stage1", **job}
            contenders += [
                _bars(TORCH, torch | {"threads": machine.cores}),
                _bars(TORCH_FIVE, *_side_by_side(machine, torch)),
            ]
            ratios += [
                Ratio("one track: ours / PyTorch", OURS, TORCH),
                Ratio("five tracks: ours / PyTorch", OURS_FIVE, TORCH, torch_goal),
                Ratio(
                    "five tracks: ours / PyTorch, both side by side",
                    OURS_FIVE,
                    TORCH_FIVE,
                    torch_goal,
                ),
            ]
        contenders += _products()
        work = flops.bvae_training(config)
        ratios += [
            Ratio("one track: ours / peak", OURS, PRODUCT, scale=work / 1e9, percent=True),
            Ratio("five tracks: ours / peak", OURS_FIVE, PRODUCT, scale=work / 1e9, percent=True),
            Ratio("peak: all threads / one", PRODUCT, PRODUCT_ONE),
        ]
        notes = [f"a bar's training step at {_size(config)} has {work / 1e6:.1f} million operations"]
        if not machine.has("PyTorch"):
            notes.append("PyTorch is not installed: no ratio to it")
        yield Comparison("stage1", f"PAPER {_size(config)}", tuple(contenders), tuple(ratios), tuple(notes))
    for name in ("tuned", "released"):
        job = {"preset": name, "bars": BARS}
        contenders = (_bars(OURS, _stage1(job)), _bars(STOCK, _stage1(job, library="stock")))
        ratio = Ratio("one track: ours / stock Keras", OURS, STOCK)
        yield Comparison("stage1", f"{name.upper()} {_size(config_of(job))}", contenders, (ratio,))


def refine(_: Setting) -> Iterator[Comparison]:
    """Training of a refiner."""
    job = {"task": "msw2.benchmarks.training:refine", "preset": "tuned", "track": "piano"}
    yield _against_stock("refine", "TUNED, in notes", job | {"bars": BARS}, "bars")


def stage2(_: Setting) -> Iterator[Comparison]:
    """Training of the MFG-VAE."""
    for name in ("tuned", "released"):
        job = {"task": "msw2.benchmarks.training:stage2", "preset": name}
        yield _against_stock("stage2", f"{name.upper()}, MFG-VAE", job, "bands")


def pipeline(_: Setting) -> Iterator[Comparison]:
    """The input pipeline without a model, against the model that reads from it."""
    for name in ("paper", "tuned"):
        job = _stage1({"preset": name, "bars": BARS, "track": "piano"})  # drums are never transposed
        drained = job | {"task": "msw2.benchmarks.training:drain"}
        yield Comparison(
            "pipeline",
            name.upper(),
            (_bars("input pipeline", drained), _bars("stage 1, one track", job)),
            (Ratio("input pipeline / stage 1", "input pipeline", "stage 1, one track"),),
        )


def data(setting: Setting) -> Iterator[Comparison]:
    """`make data` on Freedoom's songs, against a parser alone."""
    songs = freedoom(setting.freedoom)
    try:
        songs.prepare()
    except (OSError, StoreError) as error:
        yield Comparison("data", "Freedoom", notes=(f"make data is not measured: {error}",))
        return
    job = {"freedoom": str(setting.freedoom)}
    build = Contender("make data", (job | {"task": "msw2.benchmarks.song_tasks:build"},), "songs", amount=1)
    if not setting.machine.has("pretty_midi"):
        note = "pretty_midi is not installed: no ratio to it"
        yield Comparison("data", "Freedoom", (build,), notes=(note,))
        return
    parser = "pretty_midi, parsing alone"
    parse = Contender(
        parser, (job | {"task": "msw2.benchmarks.song_tasks:parse"},), "songs", amount=len(songs)
    )
    ratio = Ratio("make data / pretty_midi parsing alone", "make data", parser)
    yield Comparison("data", "Freedoom", (build, parse), (ratio,))


def generate(_: Setting) -> Iterator[Comparison]:
    """Phrases made from nothing."""
    job = {"task": "msw2.benchmarks.inference:generate", "preset": "tuned"}
    yield _against_stock("generate", "TUNED, untrained", job, "phrases")


def serve(_: Setting) -> Iterator[Comparison]:
    """Latency of the SavedModel's signatures, within the process: no network, no server."""
    job = {"task": "msw2.benchmarks.inference:serve", "preset": "tuned", "threads": 0, "batches": BATCHES}
    contenders = [
        Contender(
            f"{name}, batch {batch}", (job,), "phrases", {"signature": name, "batch": batch}, sampled="ms"
        )
        for name in SIGNATURES
        for batch in BATCHES
    ]
    few, many = BATCHES
    ratios = [
        Ratio(
            f"{name}: phrases/s, batch {many} / batch {few}",
            f"{name}, batch {many}",
            f"{name}, batch {few}",
        )
        for name in SIGNATURES
    ]
    yield Comparison("serve", "SavedModel, TUNED, untrained", tuple(contenders), tuple(ratios))


def growth(setting: Setting) -> Iterator[Comparison]:
    """Seconds by the number of bars, and by the number of tracks."""
    job = _stage1({"preset": "paper", "bars": UNIT_BARS})
    batch = config_of(job).batch_size
    contenders = []
    for times in (1, 4, 16):
        bars = times * UNIT_BARS
        contenders.append(
            Contender(
                f"epoch of {bars} bars", (job,), "bars", {"bars": bars}, amount=bars // batch, timed=True
            )
        )
    steps = 2 * UNIT_BARS // batch
    for count in (1, 2, 5):
        jobs = tuple(_tracks(setting.machine, job, count))
        name = f"{count} track{'s' * (count > 1)}, {2 * UNIT_BARS} bars each"
        at_once = workers(setting.machine, count)
        contenders.append(Contender(name, jobs, "bars", amount=steps, at_once=at_once, timed=True))
    first, *more, alone, two, five = (contender.name for contender in contenders)
    ratios = [
        Ratio(f"seconds: {times}x bars / 1x", over, first) for times, over in zip((4, 16), more, strict=True)
    ]
    ratios += [Ratio(f"seconds: {count} tracks / 1", over, alone) for count, over in ((2, two), (5, five))]
    yield Comparison("growth", "stage 1, PAPER 128/64", tuple(contenders), tuple(ratios))


def scale(setting: Setting) -> Iterator[Comparison]:
    """Seconds and memory by the size of a phrase file, and steps by the number of processes that train together."""
    with tempfile.TemporaryDirectory() as folder:
        yield from _data_scale(pathlib.Path(folder))
    for batch, count in itertools.product((32, 256), (1, 2, 4)):
        hosts = [f"127.0.0.1:{port}" for port in free_ports(count)]
        threads = max(1, setting.machine.cores // count)
        job = {"task": "msw2.benchmarks.scale_tasks:train", "preset": "tuned", "bars": BARS}
        job["overrides"] = {"batch_size": batch}
        jobs = tuple(job | {"hosts": hosts, "index": index, "threads": threads} for index in range(count))
        name = f"{count} process{'es' * (count > 1)}"
        contender = Contender(name, jobs, "bars", amount=STEPS_TOGETHER, sampled="CPU ms a step and process")
        yield Comparison("scale", f"stage 1, TUNED, batch {batch}, trained together", (contender,))


def gpu(setting: Setting) -> Iterator[Comparison]:
    """On a GPU: how busy it is, whether cuDNN is used, what half precision gives."""
    if not setting.machine.gpus:
        note = "no GPU was found; where TensorFlow sees one, the same command measures it"
        yield Comparison("gpu", "GPU", notes=(note,))
        return
    job = _stage1({"preset": "paper", "overrides": LARGE | {"batch_size": 256}, "bars": BARS})
    half = job | {"policy": "mixed_float16"}
    contenders = []
    for name, each in (("float32", job), ("float16", half)):
        contenders.append(Contender(name, (each | {"busy": True},), "bars", sampled="% of the GPU busy"))
        asked = each | {"task": "msw2.benchmarks.training:cudnn"}
        contenders.append(Contender(f"{name}: cuDNN", (asked,), "questions", amount=1, sampled="(1: taken)"))
    ratio = Ratio("mixed_float16 / float32", "float16", "float32")
    yield Comparison("gpu", "stage 1, PAPER 256/256, batch 256", tuple(contenders), (ratio,))


GROUPS: dict[str, Callable[[Setting], Iterator[Comparison]]] = {
    each.__name__: each
    for each in (stage1, refine, stage2, pipeline, data, generate, serve, growth, scale, gpu)
}


def workers(machine: Machine, tracks: int) -> int:
    """Returns how many of some tracks are trained at a time, as `side_by_side` decides."""
    return 1 if machine.gpus else min(machine.cores, tracks)


def _data_scale(folder: pathlib.Path) -> Iterator[Comparison]:
    """Both paths of the data, by the size of a phrase file; the workers write into a folder of the parent's."""
    sizes = [{"phrases": times * BASE_PHRASES} for times in (1, 4, 16)]
    contenders = []
    for size in sizes:
        name, place = f"{size['phrases']} phrases", str(folder / f"store-{size['phrases']}")
        job = ({"task": "msw2.benchmarks.scale_tasks:store", "folder": place, **size},)
        told = "MB: phrase file, store"
        contenders += [
            Contender(name, job, "phrases", amount=1, timed=True, sampled="CPU s"),
            Contender(f"{name}: bytes", job, "turns", {"bytes": True}, amount=1, sampled=told),
        ]
    yield Comparison("scale", "phrase file to store", tuple(contenders))
    contenders = []
    for size in sizes:
        name, place = f"{size['phrases']} phrases", str(folder / f"batches-{size['phrases']}")
        job = ({"task": "msw2.benchmarks.scale_tasks:batches", "preset": "tuned", "folder": place, **size},)
        index = {"index": True}
        contenders += [
            Contender(f"{name}: index", job, "units", index, amount=1, timed=True, sampled="CPU s"),
            Contender(f"{name}: {BATCHES_READ} batches", job, "units", amount=BATCHES_READ, sampled="CPU s"),
        ]
    yield Comparison("scale", "store to batches of one track, TUNED", tuple(contenders))
    contenders = [
        Contender(
            f"{songs} songs",
            ({"task": "msw2.benchmarks.scale_tasks:tunes", "songs": songs},),
            "songs",
            amount=1,
            timed=True,
            sampled="CPU s",
        )
        for songs in SONGS
    ]
    yield Comparison("scale", "songs to tunes", tuple(contenders))


def _tracks(machine: Machine, job: dict, count: int) -> Iterator[dict]:
    """Yields the jobs of the first tracks: one alone, or several side by side."""
    side = workers(machine, count)
    threads = 0 if side == 1 else max(1, machine.cores // side)
    for track in TRACK_NAMES[:count]:
        yield job | {"track": track, "threads": threads}


def _side_by_side(machine: Machine, job: dict) -> list[dict]:
    """Returns the jobs of the first few of the five tracks: those that train side by side."""
    return list(_tracks(machine, job, len(TRACK_NAMES)))[: workers(machine, len(TRACK_NAMES))]


def _stage1(job: dict, library: str = "ours") -> dict:
    fields = {"task": "msw2.benchmarks.training:stage1", "library": library, "threads": 0}
    return fields | {"track": TRACK_NAMES[0]} | job


def _bars(name: str, *jobs: dict) -> Contender:
    return Contender(name, jobs, "bars")


def _products() -> list[Contender]:
    job = {"task": "msw2.benchmarks.training:product", "preset": "paper"}
    return [
        Contender(name, (job | {"threads": threads},), "GFLOP")
        for name, threads in ((PRODUCT, 0), (PRODUCT_ONE, 1))
    ]


def _against_stock(group: str, title: str, job: dict, unit: str) -> Comparison:
    contenders = tuple(
        Contender(name, (job | {"library": library, "threads": 0},), unit)
        for name, library in ((OURS, "ours"), (STOCK, "stock"))
    )
    return Comparison(group, title, contenders, (Ratio("ours / stock Keras", OURS, STOCK),))


def _size(config) -> str:
    return f"{config.bvae_hidden}/{config.bvae_latent}"
