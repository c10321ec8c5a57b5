"""Campaign: commands are killed at random moments and run again. In the end every file is what it is without kills."""

import functools
import hashlib
import os
import pathlib
import random
import shutil
import subprocess
import sys
from collections.abc import Callable

import forks
import numpy as np
from forks import ROOT, Ended, Moment
from mutations import GRID, song
from tally import Tally

from msw2.music.midi import write_song

# Enough epochs for a model that plays in every bar. One BVAE for all tracks takes a fifth of the time.
SIZES = (
    "--preset=smoke",
    "--batch_size=8",
    "--shared",
    "--bvae_epochs=20",
    "--refine_epochs=10",
    "--mfg_epochs=60",
)
SIZES += ("--transpose=0", "--mixed_bars=0", "--finetune_epochs=3")
RUN = ("--run=run", "--store=store")
FEW = ("--phrases=8", "--held_out=8", "--train_phrases=8", "--novelty_phrases=8", "--resamples=20")
COMMANDS = {
    "data": ("--midi=songs", "--store=store"),
    "stage1": (*RUN, *SIZES),
    "refine": (*RUN, *SIZES),
    "stage2": (*RUN, *SIZES),
    "finetune": (*RUN, *SIZES),
    "generate": ("--run=run", "--songs=1", "--phrases=1"),
    "restore": (*RUN, "--songs=1"),
    "eval": (*RUN, *FEW),
    "figures": RUN,
    "page": ("--folder=run/samples",),
    "compare": ("--real=songs", "--made=run/samples"),
    "export": ("--run=run",),
}
# What each makes: files that are gone are made again.
MADE = {
    "data": ["store"],
    "stage1": ["run"],
    "refine": ["run/weights/*_refiner.weights.h5", "run/weights/thresholds.json"],
    "stage2": ["run/weights/mfg_*", "run/weights/prior.npz", "run/weights/thresholds.json"],
    "finetune": ["run/weights/finetuned"],
    "generate": ["run/samples/generated"],
    "restore": ["run/samples/restored"],
    "eval": ["run/eval"],
    "figures": ["run/figures"],
    "page": ["run/samples/index.html"],
    "compare": ["compare"],
    "export": ["run/export"],
}
KILLS_IN_A_ROW = 5  # before a command may end
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
    undisturbed = finish(whole, seed)
    for index, name in enumerate(COMMANDS):
        share = kills // len(COMMANDS) + (index < kills % len(COMMANDS))
        moment = functools.partial(Moment.drawn, chance, undisturbed[name])
        while share > 0:
            share -= _kill(tally, name, killed, min(share, KILLS_IN_A_ROW), moment)
            if not _end(tally, name, killed):
                return tally
            _compare(tally, whole, killed, partly=True)
            counts = ", ".join(f"{count} {outcome}" for outcome, count in tally.counts.items())
            print(f"{name}: {share} kills left; so far {counts}", file=sys.stderr, flush=True)
            if share > 0:  # another round needs something to do
                _forget(name, killed)
        done = run(name, killed)  # as anyone runs it, with its imports
        if done.returncode or "Traceback" in done.stderr:
            tally.failed(f"{name}, after all kills: status {done.returncode}: {done.stderr[-300:]}")
    _compare(tally, whole, killed)
    return tally


def finish(folder: pathlib.Path, seed: int) -> dict[str, Ended]:
    """Runs all commands undisturbed, and returns how each ended.

    Raises:
        RuntimeError: if one fails.
    """
    write_songs(folder / "songs", seed)
    forks.import_once(COMMANDS)
    ended = {}
    for name, arguments in COMMANDS.items():
        ended[name] = forks.run(name, arguments, folder)
        if not ended[name].well:
            raise RuntimeError(f"{name}, undisturbed: {ended[name].said[-300:]}")
    return ended


def write_songs(folder: pathlib.Path, seed: int) -> None:
    """Writes eight songs, enough for three splits."""
    for number in range(8):
        write_song(folder / f"{number}.mid", song(np.random.default_rng([seed, number])), GRID, 100 + number)


def run(name: str, folder: pathlib.Path) -> subprocess.CompletedProcess:
    """Runs a command of msw2 in a folder, to its end."""
    command = [sys.executable, "-m", f"msw2.cli.{name}", *COMMANDS[name]]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)


def _kill(tally: Tally, name: str, folder: pathlib.Path, times: int, moment: Callable[[], Moment]) -> int:
    """Kills a command that goes on each time; returns how often, fewer times if it ended before."""
    for kills in range(times):
        chosen = moment()
        ended = forks.run(name, COMMANDS[name], folder, chosen)
        if ended.orphans:
            tally.failed(f"{name}, killed at {chosen}: a child lives on")
        elif ended.killed:
            tally.held("killed at a change" if chosen.change else "killed at a time")
            if name == "export" and (folder / "run" / "export" / "msw2" / "1").exists():
                _forget(name, folder)  # it was done: what comes next would be another version
        elif ended.well:
            tally.held("ended before the kill")
            return kills
        else:
            tally.failed(f"{name}, before {chosen}: status {ended.status}: {ended.said[-300:]}")
            return kills
    return times


def _end(tally: Tally, name: str, folder: pathlib.Path) -> bool:
    """Lets a command end, and returns whether it did its work."""
    ended = forks.run(name, COMMANDS[name], folder)
    if ended.well:
        tally.held("ended after kills")
    else:
        tally.failed(f"{name}, after kills: status {ended.status}: {ended.said[-300:]}")
    return ended.well


def _forget(name: str, folder: pathlib.Path) -> None:
    """Removes what a command made."""
    for pattern in MADE[name]:
        for path in folder.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _compare(tally: Tally, whole: pathlib.Path, killed: pathlib.Path, *, partly: bool = False) -> None:
    """Compares two folders, file for file.

    Args:
        tally: what it finds.
        whole: made undisturbed, by all commands.
        killed: made with kills.
        partly: whether it is not all there yet.
    """
    mine, theirs = _digests(killed), _digests(whole)
    wrong = [f"{name} is left over" for name in sorted(mine.keys() - theirs.keys())]
    wrong += [] if partly else [f"{name} is missing" for name in sorted(theirs.keys() - mine.keys())]
    both = sorted(mine.keys() & theirs.keys())
    wrong += [f"{name} is another one" for name in both if mine[name] != theirs[name]]
    for line in wrong:
        if line not in tally.failures:
            tally.failed(line)
    if not partly:
        tally.counts["the same file"] += sum(mine[name] == theirs[name] for name in both)


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
