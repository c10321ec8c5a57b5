"""Campaign: commands are killed at random moments and run again. In the end every file is what it is without kills."""

import hashlib
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
from mutations import GRID, song
from tally import Tally

from msw2.music.midi import write_song

ROOT = pathlib.Path(__file__).parents[2]
# Enough epochs for a model that plays in every bar.
SIZES = ("--preset=smoke", "--batch_size=8", "--bvae_epochs=60", "--refine_epochs=10", "--mfg_epochs=60")
SIZES += ("--transpose=0", "--mixed_bars=0")
RUN = ("--run=run", "--store=store")
FEW = ("--phrases=8", "--held_out=8", "--train_phrases=8", "--novelty_phrases=8", "--resamples=20")
COMMANDS = {
    "data": ("--midi=songs", "--store=store"),
    "stage1": (*RUN, *SIZES),
    "refine": (*RUN, *SIZES),
    "stage2": (*RUN, *SIZES),
    "generate": ("--run=run", "--songs=1", "--phrases=1"),
    "restore": (*RUN, "--songs=1"),
    "eval": (*RUN, *FEW),
    "export": ("--run=run",),
}
KILLS_IN_A_ROW = 4  # before a command may end
# TensorFlow writes a SavedModel in another order each time; what it answers is checked by the export itself.
ORDERLESS = {"saved_model.pb", "fingerprint.pb", "variables.index", "variables.data-00000-of-00001"}
TIMES = {"seconds"}  # columns of histories that no two runs share


def campaign(folder: pathlib.Path, *, kills: int, seed: int) -> Tally:
    """Makes everything once undisturbed, and once with kills.

    Args:
        folder: to work in.
        kills: in all, spread over the commands.
        seed: of the songs and the moments.
    """
    tally, chance = Tally("killed commands"), random.Random(seed)
    whole, killed = folder / "whole", folder / "killed"
    write_songs(killed / "songs", seed)
    seconds = finish(whole, seed)
    each = -(-kills // len(COMMANDS))
    for name in COMMANDS:
        left = each
        while left > 0:
            for _ in range(min(left, KILLS_IN_A_ROW)):
                _kill(tally, name, killed, chance.uniform(0, seconds[name]))
                left -= 1
            done = run(name, killed)
            if done.returncode or "Traceback" in done.stderr:
                tally.failed(f"{name}, after kills: status {done.returncode}: {done.stderr[-300:]}")
                return tally
            tally.held("ended after kills")
            if left > 0:  # another round needs something to do
                _forget(name, killed)
    _compare(tally, whole, killed)
    return tally


def finish(folder: pathlib.Path, seed: int) -> dict[str, float]:
    """Runs all commands undisturbed, and returns the seconds that each took.

    Raises:
        RuntimeError: if one fails.
    """
    write_songs(folder / "songs", seed)
    seconds = {}
    for name in COMMANDS:
        begun = time.monotonic()
        done = run(name, folder)
        seconds[name] = time.monotonic() - begun
        if done.returncode:
            raise RuntimeError(f"{name}, undisturbed: {done.stderr[-300:]}")
    return seconds


def write_songs(folder: pathlib.Path, seed: int) -> None:
    """Writes eight songs, enough for three splits."""
    for number in range(8):
        write_song(folder / f"{number}.mid", song(np.random.default_rng([seed, number])), GRID, 100 + number)


def start(name: str, folder: pathlib.Path) -> subprocess.Popen:
    """Starts a command of msw2 in a folder."""
    command = [sys.executable, "-m", f"msw2.cli.{name}", *COMMANDS[name]]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, **pipes)


def run(name: str, folder: pathlib.Path) -> subprocess.CompletedProcess:
    """Runs a command of msw2 in a folder, to its end."""
    process = start(name, folder)
    _, said = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, "", said)


def _kill(tally: Tally, name: str, folder: pathlib.Path, after: float) -> None:
    """Kills a command some seconds after its start; its children are left to themselves."""
    process = start(name, folder)
    try:
        process.communicate(timeout=after)
        tally.held("ended before the kill")
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        try:
            process.communicate(timeout=20)  # the children hold its standard error
            tally.held("killed")
        except subprocess.TimeoutExpired:
            tally.failed(f"{name}, killed after {after:.1f} s: a child lives on")


def _forget(name: str, folder: pathlib.Path) -> None:
    """Removes what a command made."""
    made = {
        "data": ["store"],
        "stage1": ["run"],
        "refine": ["run/weights/*_refiner.weights.h5"],
        "stage2": ["run/weights/mfg_*", "run/weights/prior.npz"],
        "generate": ["run/samples/generated"],
        "restore": ["run/samples/restored"],
        "eval": ["run/eval"],
        "export": ["run/export"],
    }
    for pattern in made[name]:
        for path in folder.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _compare(tally: Tally, whole: pathlib.Path, killed: pathlib.Path) -> None:
    """Compares two folders, file for file."""
    mine, theirs = _digests(killed), _digests(whole)
    for name in sorted(mine.keys() | theirs.keys()):
        if name not in theirs:
            tally.failed(f"{name} is left over")
        elif name not in mine:
            tally.failed(f"{name} is missing")
        elif mine[name] != theirs[name]:
            tally.failed(f"{name} is another one")
        else:
            tally.held("the same file")


def _digests(folder: pathlib.Path) -> dict[str, str]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(_lasting(path)).hexdigest() for path in paths}


def _lasting(path: pathlib.Path) -> bytes:
    """Returns what of a file no clock has a part in."""
    if path.name in ORDERLESS:
        return b""
    content = path.read_bytes()
    if path.parent.name != "history" or path.suffix != ".csv":
        return content
    header, *lines = [line.split(",") for line in content.decode().splitlines()]
    kept = [index for index, column in enumerate(header) if column not in TIMES]
    return "\n".join(",".join(line[index] for index in kept) for line in (header, *lines)).encode()
