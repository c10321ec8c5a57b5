"""Training the tracks side by side: one process a track, as many at a time as there are cores.

The networks of a track are too small to keep two cores busy, but two of them do.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time

from absl import flags

from msw2.cli import options
from msw2.cli.launch import OptionError

DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)
POLL = 0.2  # seconds


def train(command: str, tracks: list[str]) -> None:
    """Runs `python -m msw2.cli.<command> --track=...` for each track, with this command's flags.

    On a GPU, or on a single core, one after the other.

    Args:
        command: `stage1` or `refine`.
        tracks: names of the tracks that are not trained yet.

    Raises:
        OptionError: naming the track whose training failed; the others are stopped.
    """
    import tensorflow as tf  # noqa: PLC0415 - only for the question below

    cores = flags.FLAGS.threads or len(os.sched_getaffinity(0))
    workers = 1 if tf.config.list_physical_devices("GPU") else min(cores, len(tracks)) or 1
    threads = flags.FLAGS.threads if workers == 1 else max(1, cores // workers)
    waiting, running = list(tracks), {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                track = waiting.pop(0)
                # The last of an odd number will soon be alone: its two directions then run side by side.
                alone = not waiting and len(tracks) % workers == 1
                running[track] = _start(command, track, cores if alone else threads)
            time.sleep(POLL)
            for track, process in list(running.items()):
                status = process.poll()
                if status:
                    raise OptionError(f"training {track} ended with status {status}; see above")
                if status == 0:
                    del running[track]
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait()


def _start(command: str, track: str, threads: int) -> subprocess.Popen:
    values = flags.FLAGS
    own = values.flags_by_module_dict()[options.__name__]
    given = [flag.serialize() for flag in own if not flag.using_default_value]
    # The last word wins: --track and --threads override what was given.
    arguments = [*given, f"--track={track}", f"--threads={threads}"]
    return subprocess.Popen(
        [sys.executable, "-m", f"msw2.cli.{command}", *arguments],
        preexec_fn=_die_with_parent,  # noqa: PLW1509 - a single system call: no lock of another thread is taken
    )


def _die_with_parent() -> None:
    """Asks the kernel to end this process when its parent ends, however that ends (Linux)."""
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGTERM)
