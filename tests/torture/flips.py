"""Campaign: each file of a finished run and its store is damaged. A reader says one sentence, or is right."""

import contextlib
import io
import pathlib
import shutil
from collections.abc import Callable, Iterator

import numpy as np
from mutations import mutated
from tally import Tally

from msw2.data.store import SPLITS, Store, StoreError
from msw2.data.stored_units import open_units
from msw2.evaluation.experiments import ExperimentError, read_metrics, read_seconds
from msw2.evaluation.figures import read_history
from msw2.inference import model_file
from msw2.inference.trained import open_trained
from msw2.models.sandwich import PARTS
from msw2.training import runs
from msw2.training.runs import Run, RunError
from msw2.training.store_check import check_fit

SENTENCES = (RunError, StoreError, ExperimentError)
UNREAD = {
    ".png",
    ".txt",
    ".md",
    ".mid",
    ".wav",
    ".ogg",
    ".html",
    ".pb",
    ".index",
}  # what no command reads back


def readings(run: pathlib.Path, store: pathlib.Path, sandwich) -> dict[str, Callable[[], object]]:
    """Returns all that commands read back of a run and a store, by name; each gives what can be compared."""
    return {
        "run": lambda: (Run.open(run).config, Run.open(run).bound()),
        "weights": lambda: _weights(Run.open(run), sandwich),
        "prior": lambda: [float(value) for value in Run.open(run).load_sandwich()[1].points.flat],
        "histories": lambda: [read_history(path) for path in sorted((run / "history").glob("*.csv"))],
        "metrics": lambda: [read_metrics(path) for path in run.glob("eval/*.csv")],
        "seconds": lambda: read_seconds(run),
        "model": lambda: [open_trained(path).load_sandwich()[1].noise for path in run.glob("export/*.keras")],
        "store": lambda: [Store.open(store, measuring=True).load(split).sum() for split in SPLITS],
        "units": lambda: list(open_units(Store.open(store), "train", "bass").sounding_cells),
        "fit": lambda: check_fit(Run.open(run), Store.open(store)),
    }


def _concerned(path: pathlib.Path) -> tuple[str, ...]:
    """Returns the names of the readings that a file has a part in."""
    if path.suffix == ".h5":
        return ("weights",)
    if path.suffix == ".keras":
        return ("model",)
    by_name = {
        "prior.npz": ("prior",),
        "metrics.csv": ("metrics",),
        "seconds.json": ("seconds",),
        "data.json": ("run", "fit"),
        "config.json": ("run", "weights", "prior", "fit"),
    }
    return by_name.get(
        path.name, ("histories",) if path.parent.name == "history" else ("store", "units", "fit")
    )


def campaign(
    run: pathlib.Path, store: pathlib.Path, sandwich, scratch: pathlib.Path, *, count: int, seed: int
) -> Tally:
    """Damages one file at a time of copies, and reads everything.

    Args:
        run: a finished run.
        store: that it was trained on.
        sandwich: of its config, to load weights into.
        count: damages.
        seed: of the damages.
        scratch: folder for the copies.
    """
    tally, rng = Tally("damaged files of a run and its store"), np.random.default_rng(seed)
    copies = scratch / "run", scratch / "store"
    for source, copy in zip((run, store), copies, strict=True):
        shutil.copytree(source, copy)
    files = [
        path
        for copy in copies
        for path in sorted(copy.rglob("*"))
        if path.is_file() and path.suffix not in UNREAD and path.name != "report.csv"
    ]
    with _sandwich(sandwich):
        asked = readings(*copies, sandwich)
        right = {name: repr(ask()) for name, ask in asked.items()}
        for index in range(count):
            path = files[index % len(files)]
            content = path.read_bytes()
            damaged, kind = _damage(content, rng, index // len(files))
            path.write_bytes(damaged)
            for name in _concerned(path):
                _read(tally, f"{path.relative_to(scratch)} {kind}", name, asked[name], right[name])
            path.write_bytes(content)
    return tally


def _damage(content: bytes, rng: np.random.Generator, turn: int) -> tuple[bytes, str]:
    """Returns what becomes of a file, and a word for it: first a single bit, then other damages."""
    kinds = {
        "bit": lambda: _flipped(content, rng),
        "empty": lambda: b"",
        "half": lambda: content[: len(content) // 2],
        "text": lambda: b"hello\n",
        "list": lambda: b"[]",
        "deep": lambda: b"[" * 100_000,
        "number": lambda: b"1" * 100,
        "mutated": lambda: mutated(content, rng),
    }
    kind = list(kinds)[turn] if turn < len(kinds) else ("bit", "mutated")[turn % 2]
    return kinds[kind](), kind


def _flipped(content: bytes, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(max(1, len(content))))
    return (
        content[:at] + bytes([content[at] ^ (1 << int(rng.integers(8)))]) + content[at + 1 :]
        if content
        else b"x"
    )


def _read(tally: Tally, what: str, name: str, ask: Callable[[], object], right: str) -> None:
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            found = repr(ask())
    except SENTENCES as error:
        if "\n" in str(error):
            tally.failed(f"{what}, {name}: {str(error)!r} is more than one sentence")
        else:
            tally.held("refused in a sentence")
    except Exception as error:  # what the campaign is to find
        tally.failed(f"{what}, {name}: {type(error).__name__}: {error}")
    else:
        # Numbers in a table may change without a trace; what is computed with may not.
        exact = name in ("weights", "prior", "units", "store", "model")
        if exact and found != right and "config.json" not in what:
            tally.failed(f"{what}, {name}: read as if nothing were wrong")
        else:
            tally.held("read")


def _weights(run: Run, sandwich) -> list[float]:
    for part in PARTS:
        for weight in sandwich.get_layer(part).weights:
            weight.assign(weight * 0)
    run.load_weights(sandwich, *PARTS)
    return [float(np.abs(weight.numpy()).sum()) for weight in sandwich.weights]


@contextlib.contextmanager
def _sandwich(sandwich) -> Iterator[None]:
    """Lets everything load into one sandwich: building one takes seconds."""
    before = runs.build_sandwich
    runs.build_sandwich = model_file.build_sandwich = lambda *args, **kwargs: sandwich
    try:
        yield
    finally:
        runs.build_sandwich = model_file.build_sandwich = before
