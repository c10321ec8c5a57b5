"""Training the tracks side by side: one process a track, as many at a time as there are cores.

The networks of a track are too small to keep two cores busy, but two of them do. A GPU has one process at a time.
"""

import os
import subprocess
import threading
import time

from absl import flags

from msw2.cli import options
from msw2.cli.endings import end_stage
from msw2.cli.launch import OptionError
from msw2.data.store import Store
from msw2.system import children
from msw2.system.cores import cores
from msw2.system.progress import REPORTING, Board
from msw2.training.device import has_gpu, set_up_device
from msw2.training.feeds import epoch_steps
from msw2.training.runs import Run

POLL = 0.2  # seconds
# A process takes some ten seconds to start: shorter trainings follow one another in this one.
FEWEST_STEPS = 500


def open_training() -> tuple[tuple[str, ...], Store, Run]:
    """Sets up the device and returns what the flags name: the tracks, the store, and a run that fits it."""
    set_up_device(flags.FLAGS.threads)
    # The run last: what is refused makes none.
    tracks, store = options.chosen_tracks(), options.open_store()
    return tracks, store, options.bound_run(store)


def train_chosen(opened, command: str, fit, *, kind: str, name: str, parts, epochs: int) -> None:
    """Trains what `--track` asks for and is not trained yet, and draws the loss.

    Args:
        opened: what `open_training` returns.
        command: `stage1` or `refine`.
        fit: function of run, store and track that trains one track; False if there was nothing to do.
        kind: of the stage, as in the names of its histories, `<track>_<kind>`.
        name: of the model, for titles.
        parts: function from a track to the names of the parts that are trained.
        epochs: of the training.
    """
    tracks, store, run = opened
    if len(tracks) == 1 and run.has(*parts(tracks[0])):
        print(f"{tracks[0]}: the {name} is trained already")
    untrained = [track for track in tracks if not run.has(*parts(track))]
    for track in set(tracks) - set(untrained):
        end_stage(run, f"{track}_{kind}", f"{name} of {track}", trained=False)
    if len(untrained) > 1 and epochs * epoch_steps(run.config, store) >= FEWEST_STEPS:
        train(command, untrained)
        return
    for track in untrained:
        stage = f"{track}_{kind}"
        with run.alone(stage):
            fit(run, store, track)
        end_stage(run, stage, f"{name} of {track}", trained=True)


def train(command: str, tracks: list[str]) -> None:
    """Runs `python -m msw2.cli.<command> --track=...` for each track, with this command's flags.

    As many run at a time as there are cores, the last one beside them; on a GPU, or a single core, one after the
    other. One display has the progress of all.

    Args:
        command: `stage1` or `refine`.
        tracks: names of the tracks that are not trained yet.

    Raises:
        OptionError: naming the track whose training failed; the others are stopped.
    """
    threads = flags.FLAGS.threads or cores()
    workers = 1 if has_gpu() else min(threads, len(tracks)) or 1
    each = flags.FLAGS.threads if workers == 1 else max(1, threads // workers)
    waiting, running, board = list(tracks), {}, Board(command, tracks, workers)
    try:
        while waiting or running:
            # The last one shares the cores with those that run, rather than have one for itself at the end.
            while waiting and (len(running) < workers or (len(waiting) == 1 and workers > 1)):
                track = waiting.pop(0)
                running[track] = _Training(command, track, each, board)
                board.started(track)
            time.sleep(POLL)
            for track, training in list(running.items()):
                status = training.process.poll()
                if status:
                    training.reader.join()
                    raise OptionError(f"training {track} ended with status {status}; see above")
                if status == 0:
                    training.reader.join()
                    board.ended(track)
                    del running[track]
    finally:
        for training in running.values():
            training.process.terminate()
        for training in running.values():
            training.process.wait()


class _Training:
    """The process of a track's training, and the thread that shows on a board what it writes."""

    def __init__(self, command: str, track: str, threads: int, board: Board):
        values = flags.FLAGS
        own = values.flags_by_module_dict()[options.__name__]
        given = [flag.serialize() for flag in own if not flag.using_default_value]
        # The last word wins: --track and --threads override what was given.
        arguments = [*given, f"--track={track}", f"--threads={threads}"]
        self.process = children.start(
            f"msw2.cli.{command}",
            arguments,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",  # what cannot be decoded must not end the reader
            env=os.environ | {REPORTING: "1"},
        )
        self.reader = threading.Thread(target=self._read, args=(track, board), daemon=True)
        self.reader.start()

    def _read(self, track: str, board: Board) -> None:
        for line in self.process.stderr or ():
            board.hear(track, line)
