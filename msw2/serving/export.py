"""From a finished run to a SavedModel for TF Serving."""

import contextlib
import json
import pathlib
import shutil
from collections.abc import Callable, Iterator

import keras
import numpy as np

import msw2
from msw2.inference.sampling import PhraseFunctions
from msw2.inference.songs import SongFunctions
from msw2.inference.trained import Trained
from msw2.inference.windows import WINDOW
from msw2.models.notes_prior import NotesDraws
from msw2.music.pianoroll import DEFAULT_TEMPO
from msw2.music.tracks import TRACKS
from msw2.serving.contract import MODEL
from msw2.serving.loader import INVALID_ARGUMENT
from msw2.serving.loader_process import ExportError, Refusal, ask
from msw2.serving.signatures import DEFAULT, example_inputs, signatures, wrong_inputs
from msw2.serving.song_signatures import song_example_inputs, song_signatures, wrong_song_inputs
from msw2.serving.warmup import write_warmup
from msw2.system.files import beside, naming

CHECKED_ROWS, CHECKED_SONGS = 5, 2
BATCHES = (1, 3, None)  # rows that are asked for at once, where there are as many; None: all
EXTRA = "assets.extra"  # TF Serving's name for a folder where it reads only the warm-up file


def export_run(run: Trained, version: int | None = None) -> pathlib.Path:
    """Writes the SavedModel of a run or a .keras file, checks it in a process of its own, and publishes it.

    Args:
        run: finished, or a .keras file.
        version: its number; None: one more than the highest that is there. TF Serving takes the highest, and does not
            load a number again that it has.

    Returns:
        `<run>/export/msw2/<version>`.

    Raises:
        RunError: if a stage is missing.
        ExportError: if the version is there already, a signature does not answer as the model in memory does, or one
            takes a wrong request.
    """
    phrases, songs = serving_functions(run)
    target = _target(run.path / "export" / MODEL, version)
    with _published(target) as folder:
        endpoints = _write(phrases, songs, folder)
        extra = folder / EXTRA
        extra.mkdir()
        constants = _constants(run) | {"signatures": [*endpoints, DEFAULT]}
        constants |= {"song_bars": WINDOW} if songs else {}
        (extra / "msw2.json").write_text(json.dumps(constants, indent=2) + "\n", "utf-8")
        inputs = example_inputs(phrases, CHECKED_ROWS)
        if songs:
            inputs |= song_example_inputs(songs.config.grid, CHECKED_SONGS)
        first = {name: {key: rows[:1] for key, rows in arrays.items()} for name, arrays in inputs.items()}
        write_warmup(extra / "tf_serving_warmup_requests", MODEL, first)
        check(folder, endpoints, inputs)
    return target


def serving_functions(run: Trained) -> tuple[PhraseFunctions, SongFunctions | None]:
    """Returns the functions of a run for serving, one phrase at a time, and those of songs if the prior knows any.

    Most requests to a server are for one phrase. Both functions share what they draw with, so it is stored once.
    """
    sandwich, prior = run.load_sandwich()
    draws = prior.on(sandwich)
    phrases = PhraseFunctions(sandwich, run.config, draws, chunk=1)
    knows_songs = isinstance(draws, NotesDraws)
    return phrases, SongFunctions(sandwich, run.config, draws) if knows_songs else None


def check(folder: pathlib.Path, endpoints: dict[str, Callable], inputs: dict[str, dict]) -> None:
    """Compares a SavedModel in TF Serving's loader, without Python's TensorFlow, with the model in memory.

    Args:
        folder: of the SavedModel.
        endpoints: signature to the function that it was made from; `serving_default` is `generate`.
        inputs: for every signature, as `example_inputs` and `song_example_inputs` have them.

    Raises:
        ExportError: if it cannot be loaded, a signature is missing or answers otherwise, or it answers at all where
            `wrong_inputs` and `wrong_song_inputs` should be refused.
    """
    right = [
        (name, {key: array[:rows] for key, array in given.items()})
        for name, given in inputs.items()
        for rows in BATCHES
        if rows is None or rows <= len(next(iter(given.values())))
    ]
    wrong = wrong_inputs(inputs) + wrong_song_inputs(inputs)
    answers = ask(folder, right + wrong)
    known = {}
    for (name, given), answer in zip(right, answers, strict=False):
        rows = len(next(iter(given.values())))
        if isinstance(answer, Refusal):
            raise ExportError(f"the SavedModel refuses {name} of {rows} rows: {answer.message}")
        if name not in known:  # of all rows
            values = endpoints["generate" if name == DEFAULT else name](*inputs[name].values())
            known[name] = {output: value.numpy() for output, value in values.items()}
        for output in known[name].keys() | answer.keys():
            pair = answer.get(output), known[name].get(output)
            if any(each is None for each in pair) or not _same(pair[0], pair[1][:rows]):
                raise ExportError(
                    f"the SavedModel does not answer as the model does: {output} of {name}, {rows} rows"
                )
    for (name, given), answer in zip(wrong, answers[len(right) :], strict=True):
        if not isinstance(answer, Refusal) or answer.code != INVALID_ARGUMENT:
            shapes = ", ".join(f"{key} {list(array.shape)}" for key, array in given.items())
            raise ExportError(f"the SavedModel does not refuse a wrong request to {name}: {shapes}")


def _same(answer: np.ndarray, value: np.ndarray) -> bool:
    """Returns whether an answer is a value. Notes may be padded with fewer zeros: the longest phrase may be missing."""
    value = value.astype(bytes) if value.dtype == object else value
    if answer.ndim == 3 and answer.dtype == np.int32:
        value, left_out = np.split(value, [answer.shape[1]], axis=1)
        if left_out.any():
            return False
    return answer.dtype.kind == value.dtype.kind and np.array_equal(answer, value)


def _write(
    phrases: PhraseFunctions, songs: SongFunctions | None, folder: pathlib.Path
) -> dict[str, Callable]:
    """Writes the SavedModel and returns the functions of its signatures."""
    found = signatures(phrases) | (song_signatures(songs) if songs else {})
    archive = keras.export.ExportArchive()
    # Without `track`, which would store every weight a second time. Never compiled by XLA: TF Serving refuses
    # every request to such a signature. The first becomes `serving_default`.
    endpoints = {
        name: archive.add_endpoint(name, function, input_signature=specs)
        for name, (function, specs) in found.items()
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


def _target(folder: pathlib.Path, version: int | None) -> pathlib.Path:
    """Returns the folder of a version that is not there yet."""
    if version is None:
        there = [int(path.name) for path in folder.glob("*") if path.name.isdecimal()]
        version = max(there, default=0) + 1
    target = folder / str(version)
    if target.exists():
        raise ExportError(
            f"{target} is there, and a running server would not load it again: leave out --version"
        )
    return target


@contextlib.contextmanager
def _published(target: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a folder that becomes `target` if the block ends without an error.

    Its name is no number meanwhile, so that a server that watches the folder above does not load it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = beside(target)
    try:
        with naming(target):
            yield folder
        folder.rename(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
