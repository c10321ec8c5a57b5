"""Campaign: mutated files are read. None crashes, hangs, takes much memory, or is missing in the report."""

import csv
import functools
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
from mutations import GRID, lpd_bytes, midi_bytes, mutated, mutated_archive, phrase_bytes
from tally import Tally

from msw2.data.build import build_store
from msw2.data.lpd import lpd_tree
from msw2.data.midi_folder import midi_folder
from msw2.data.phrase_file import phrase_file
from msw2.data.song_files import Item, outcome_of
from msw2.data.store import REPORT, StoreError
from msw2.data.windows import Rules

LONGEST = 5.0  # seconds for one file
MOST_MEMORY = 2 * 2**30  # bytes of the reading process
WHOLE = 20  # every twentieth file is not mutated
SOURCES = {"midi": midi_folder, "lpd": lpd_tree}


def write_files(kind: str, folder: pathlib.Path, count: int, seed: int) -> None:
    """Writes mutated files of a kind: `midi`, `lpd` or `phrases`."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    make = {"midi": lambda: midi_bytes(rng, folder.parent), "lpd": lambda: lpd_bytes(rng)}
    make = make.get(kind, lambda: phrase_bytes(rng))
    bases = [make() for _ in range(min(20, count))]
    suffix = ".mid" if kind == "midi" else ".npz"
    for index in range(count):
        content = bases[index % len(bases)]
        if index % WHOLE:
            content = (mutated if kind == "midi" else mutated_archive)(content, rng)
        (folder / f"{index:05d}{suffix}").write_bytes(content)


def campaign(kind: str, folder: pathlib.Path, count: int, seed: int, *, workers: int | None = None) -> Tally:
    """Reads mutated files in a process of their own, one after another, and songs once more as `make data` does.

    Args:
        kind: `midi`, `lpd` or `phrases`.
        folder: to work in.
        count: files.
        seed: of the accidents.
        workers: reading processes of the second time; None: one a core.
    """
    tally = Tally(f"{kind} files, mutated")
    write_files(kind, folder / kind, count, seed)
    lines, status = _read_in_process(kind, folder / kind)
    for line in lines:
        _judge(tally, **line)
    read = {line["name"] for line in lines}
    names = sorted(path.name for path in (folder / kind).iterdir())
    if missing := [name for name in names if name not in read]:
        tally.failed(f"the process ended with status {status} at {missing[0]}")
    if kind in SOURCES:
        _report(tally, kind, folder, names, workers)
    return tally


def _judge(tally: Tally, name: str, outcome: str, seconds: float, memory: int) -> None:
    if seconds > LONGEST:
        tally.failed(f"{name} took {seconds:.1f} s")
    elif memory > MOST_MEMORY:
        tally.failed(f"{name}: {memory / 2**20:,.0f} MiB")
    elif outcome.startswith(("Traceback", "reader failed")) or "\n" in outcome:
        tally.failed(f"{name}: {outcome}")
    else:
        tally.held(re.split(r"[:\d(\[]", outcome)[0].strip())


def _report(tally: Tally, kind: str, folder: pathlib.Path, names: list[str], workers: int | None) -> None:
    """Makes a store of the files, and looks for each of them in its report."""
    try:
        build_store(SOURCES[kind](folder / kind), folder / f"{kind}-store", workers=workers)
    except StoreError as error:
        if "gave a phrase" not in str(error):
            tally.failed(f"no store: {error}")
        return
    with open(folder / f"{kind}-store" / REPORT, newline="", encoding="utf-8") as file:
        reported = {row["name"] for row in csv.DictReader(file)}
    for name in set(names) - reported:
        tally.failed(f"{name} is not in the report")


def _read_in_process(kind: str, folder: pathlib.Path) -> tuple[list[dict], int]:
    command = [sys.executable, __file__, kind, str(folder)]
    environment = os.environ | {"PYTHONPATH": str(pathlib.Path(__file__).parents[2])}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")], done.returncode


def _phrases(path: pathlib.Path) -> str:
    """Returns what comes of a phrase file."""
    try:
        return "phrases" if any(True for _ in list(phrase_file(path).outcomes(GRID, Rules(), 0))) else "none"
    except StoreError as error:
        return str(error).replace(f"phrase file {path}: ", "")


def _song(item: Item, read: Callable) -> str:
    """Returns what comes of a song."""
    return item.problem or outcome_of(item, read, GRID, Rules()).reason or "phrases"


def _most_memory() -> int:
    """Returns the most bytes that this process has held. `getrusage` would count what its parent held before."""
    status = pathlib.Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    peak = next(
        line for line in status.read_text("ascii", "ignore").splitlines() if line.startswith("VmHWM:")
    )
    return int(peak.split()[1]) * 1024


def main() -> None:
    """Reads the files of a folder, a line of JSON each: this process may crash on one."""
    kind, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    if kind in SOURCES:
        source = SOURCES[kind](folder)
        tasks = {item.name: functools.partial(_song, item, source.read) for item in source.items}
    else:
        tasks = {path.name: functools.partial(_phrases, path) for path in sorted(folder.iterdir())}
    for name, task in tasks.items():
        begun = time.process_time()  # a busy machine is no fault of the file
        try:
            outcome = task()
        except Exception as error:  # what the campaign is to find
            outcome = f"Traceback: {type(error).__name__}: {error}"
        memory = _most_memory()
        line = {"name": name, "outcome": outcome, "seconds": time.process_time() - begun, "memory": memory}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
