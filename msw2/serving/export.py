"""From a finished run to a SavedModel for TF Serving."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

import msw2
from msw2.inference.sampling import PhraseFunctions
from msw2.inference.trained import Trained
from msw2.music.pianoroll import DEFAULT_TEMPO
from msw2.music.tracks import TRACKS
from msw2.serving import session_check
from msw2.serving.warmup import write_warmup
from msw2.system import children
from msw2.system.files import beside, naming

MODEL = "msw2"  # name under which it is served
CHECKED_ROWS = 5
EXTRA = "assets.extra"  # TF Serving's name for a folder where it reads only the warm-up file


class ExportError(Exception):
    """A SavedModel that does not do what the model does; the message is one sentence for the user."""


def export_run(run: Trained, version: int = 1) -> pathlib.Path:
    """Writes the SavedModel of a run or a .keras file, checks it in a process of its own, and publishes it.

    Args:
        run: finished, or a .keras file.
        version: TF Serving takes the highest one; an existing version is replaced.

    Returns:
        `<run>/export/msw2/<version>`.

    Raises:
        RunError: if a stage is missing.
        ExportError: if a signature does not answer as the model in memory does.
    """
    functions = serving_functions(run)
    target = run.path / "export" / MODEL / str(version)
    with _published(target) as folder:
        endpoints = _write(functions, folder)
        extra = folder / EXTRA
        extra.mkdir()
        (extra / "msw2.json").write_text(json.dumps(_constants(run), indent=2) + "\n", "utf-8")
        inputs = example_inputs(functions, CHECKED_ROWS)
        first = {name: {key: rows[:1] for key, rows in arrays.items()} for name, arrays in inputs.items()}
        write_warmup(extra / "tf_serving_warmup_requests", MODEL, first)
        check(folder, endpoints, inputs)
    return target


def serving_functions(run: Trained) -> PhraseFunctions:
    """Returns the functions of a run for serving, one phrase at a time.

    Most requests to a server are for one phrase.
    """
    sandwich, prior = run.load_sandwich()
    return PhraseFunctions(sandwich, run.config, prior, chunk=1)


def signatures(functions: PhraseFunctions) -> dict[str, tuple[Callable, list[tf.TensorSpec]]]:
    """Returns the four signatures by name: a function that answers with a dictionary, and its inputs."""
    roll = tf.TensorSpec([None, *functions.phrase_shape], tf.bool, "pianoroll")
    latent = tf.TensorSpec([None, *functions.latent_shape], tf.float32, "latent")
    seed = tf.TensorSpec([None], tf.int64, "seed")
    temperature = tf.TensorSpec([None], tf.float32, "temperature")
    return {
        "generate": (
            lambda seed, temperature: {"pianoroll": functions.generate(seed, temperature)},
            [seed, temperature],
        ),
        "encode": (lambda pianoroll: {"latent": functions.encode(pianoroll)}, [roll]),
        "decode": (lambda latent: {"pianoroll": functions.decode(latent)}, [latent]),
        "restore": (lambda pianoroll: {"pianoroll": functions.restore(pianoroll)}, [roll]),
    }


def example_inputs(functions: PhraseFunctions, rows: int) -> dict[str, dict[str, np.ndarray]]:
    """Returns inputs for every signature, `serving_default` too, each row another."""
    rng = np.random.default_rng(0)
    roll = rng.random((rows, *functions.phrase_shape)) < 0.02  # about as full as music is
    latent = rng.standard_normal((rows, *functions.latent_shape)).astype(np.float32)
    drawn = {"seed": np.arange(rows), "temperature": np.linspace(0.5, 1, rows, dtype=np.float32)}
    inputs = {"generate": drawn, "encode": {"pianoroll": roll}, "decode": {"latent": latent}}
    return inputs | {"restore": {"pianoroll": roll}, "serving_default": drawn}


def check(folder: pathlib.Path, endpoints: dict[str, Callable], inputs: dict[str, dict]) -> None:
    """Compares a SavedModel, in a fresh process without Keras and msw2, with the model in memory.

    Args:
        folder: of the SavedModel.
        endpoints: signature to the function that it was made from; `serving_default` is `generate`.
        inputs: for every signature, as `example_inputs` has them, at least three rows.

    Raises:
        ExportError: if it cannot be loaded, or a signature is missing or answers otherwise.
    """
    answers = _ask(folder, inputs)
    expected = {}
    for name, given in inputs.items():
        function = endpoints["generate" if name == "serving_default" else name]
        for output, value in function(**given).items():
            for rows in session_check.BATCHES:
                expected[f"{name}/{output}/{rows or len(value)}"] = value.numpy()[:rows]
    if answers.keys() != expected.keys():
        different = ", ".join(sorted(answers.keys() ^ expected.keys()))
        raise ExportError(f"the SavedModel does not have the outputs of the model: {different}")
    for key, value in expected.items():
        if answers[key].dtype != value.dtype or not np.array_equal(answers[key], value):
            raise ExportError(
                f"the SavedModel does not answer as the model does: {key} (signature/output/rows)"
            )


def _ask(folder: pathlib.Path, inputs: dict[str, dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Returns what the SavedModel answers, as `session_check` writes it."""
    flat = {f"{name}/{key}": rows for name, arrays in inputs.items() for key, rows in arrays.items()}
    with tempfile.TemporaryDirectory() as scratch:
        given, made = pathlib.Path(scratch, "inputs.npz"), pathlib.Path(scratch, "outputs.npz")
        np.savez(given, **flat)
        command = [
            sys.executable,
            session_check.__file__,
            os.fspath(folder),
            os.fspath(given),
            os.fspath(made),
        ]
        # On the CPU, where the model in memory is compared to the last bit.
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1"}
        tie = children.tied_to(os.getpid())
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment, preexec_fn=tie
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise ExportError(f"the SavedModel cannot be used in a session: {last}")
        with np.load(made, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}


def _write(functions: PhraseFunctions, folder: pathlib.Path) -> dict[str, Callable]:
    """Writes the SavedModel and returns the functions of its signatures."""
    archive = keras.export.ExportArchive()
    # Without `track`, which would store every weight a second time. Never compiled by XLA: TF Serving refuses
    # every request to such a signature. The first becomes `serving_default`.
    endpoints = {
        name: archive.add_endpoint(name, function, input_signature=specs)
        for name, (function, specs) in signatures(functions).items()
    }
    archive.write_out(folder, verbose=False)
    return endpoints


def _constants(run: Trained) -> dict:
    """Returns what a client has to know to make a song of a pianoroll."""
    grid = run.config.grid
    return {
        "msw2": msw2.__version__,
        "preset": run.preset,
        "axes": ["phrase", "bar", "step", "pitch", "track"],
        "grid": {name: getattr(grid, name) for name in grid.__dataclass_fields__},
        "tracks": [{"name": t.name, "program": t.program, "is_drum": t.is_drum} for t in TRACKS],
        "tempo": DEFAULT_TEMPO,
        "latent": [run.config.units, run.config.fusion_latent],
    }


@contextlib.contextmanager
def _published(target: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a folder that becomes `target` if the block ends without an error.

    Its name is no number meanwhile, so that a server that watches the folder above does not load it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    folder, old = beside(target), beside(target)
    try:
        with naming(target):
            yield folder
        if target.exists():
            target.rename(old)  # a folder cannot be replaced in one step
        folder.rename(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
