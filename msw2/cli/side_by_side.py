"""Training the tracks side by side: one process a track, as many at a time as there are cores, or on a cluster.

The networks of a track are too small to keep two cores busy, but two of them do. A GPU has one process at a time.
"""

import contextlib
import functools
import time
from collections.abc import Iterator
from typing import NamedTuple

from absl import flags

from msw2.cli import jobs, options
from msw2.cli.clusters import chosen_cluster
from msw2.cli.endings import end_stage
from msw2.cli.launch import OptionError
from msw2.data.store import Store
from msw2.system.cluster import Cluster
from msw2.system.commands import Command
from msw2.system.cores import cores
from msw2.system.progress import Board
from msw2.training.device import has_gpu
from msw2.training.feeds import epoch_steps
from msw2.training.jobs import Job
from msw2.training.runs import Run

POLL = 0.2  # seconds
# A process takes some ten seconds to start: shorter trainings follow one another in this one.
FEWEST_STEPS = 500


class Opened(NamedTuple):
    """What the flags of a training of tracks name.

    Attributes:
        tracks: their names.
        store: that they are trained on.
        run: that they are trained for; it fits the store.
        job: the devices that train one track.
    """

    tracks: tuple[str, ...]
    store: Store
    run: Run
    job: Job


@contextlib.contextmanager
def open_training() -> Iterator[Opened]:
    """Sets up the devices, and yields what the flags name.

    Raises:
        OptionError: for an unknown track; and if a cluster is to give each track one device, and a strategy several.
        JobError, RunError, StoreError: as for `jobs.training`, `jobs.bound_run` and `options.open_store`.
    """
    strategy = flags.FLAGS.strategy
    if flags.FLAGS.cluster and strategy != "none":
        raise OptionError(
            f"--cluster trains each track on one device, --strategy={strategy} on several: leave out one of them"
        )
    with jobs.training() as job:
        # The run last: what is refused makes none.
        tracks, store = options.chosen_tracks(), options.open_store()
        yield Opened(tracks, store, jobs.bound_run(store, job), job)


def train_chosen(opened: Opened, command: str, fit, *, kind: str, name: str, parts, epochs: int) -> None:
    """Trains what `--track` asks for and is not trained yet, and draws the loss.

    Args:
        opened: what `open_training` yields. Several devices train one track after another.
        command: `stage1` or `refine`.
        fit: function of run, store, track and job that trains one track; False if there was nothing to do.
        kind: of the stage, as in the names of its histories, `<track>_<kind>`.
        name: of the model, for titles.
        parts: function from a track to the names of the parts that are trained.
        epochs: of the training.
    """
    tracks, store, run, job = opened
    if len(tracks) == 1 and run.has(*parts(tracks[0])):
        print(f"{tracks[0]}: the {name} is trained already")
    untrained = [track for track in tracks if not run.has(*parts(track))]
    for track in tracks:
        if track not in untrained:
            end_stage(run, f"{track}_{kind}", f"{name} of {track}", trained=False)
    if not untrained:
        return
    steps = epochs * epoch_steps(run.config, store)
    with chosen_cluster() as cluster:
        if cluster or (not job.strategy and len(untrained) > 1 and steps >= FEWEST_STEPS):
            train(command, untrained, cluster)
            return
    for track in untrained:
        stage = f"{track}_{kind}"
        with run.alone(stage):
            fit(run, store, track, job)
        end_stage(run, stage, f"{name} of {track}", trained=True)


def train(command: str, tracks: list[str], cluster: Cluster | None = None) -> None:
    """Runs `python -m msw2.cli.<command> --track=...` for each track, with this command's flags.

    As many run at a time as there are cores, the last one beside them; on a GPU, or a single core, one after the
    other. On a cluster, all are started at once, and wait for a node with free cores or a GPU. One display has the
    progress of all.

    Args:
        command: `stage1` or `refine`.
        tracks: names of the tracks that are not trained yet.
        cluster: where they run; None: on this machine.

    Raises:
        OptionError: naming the track whose training failed; the others are stopped.
    """
    workers, threads = _shares(len(tracks), cluster)
    waiting, running, board = list(tracks), {}, Board(command, tracks, workers)
    start = functools.partial(cluster.command, threads=max(threads, 1)) if cluster else Command
    try:
        while waiting or running:
            # The last one shares the cores with those that run, rather than have one for itself at the end.
            while waiting and (len(running) < workers or (len(waiting) == 1 and workers > 1)):
                track = waiting.pop(0)
                hear = functools.partial(board.hear, track)
                running[track] = start(f"msw2.cli.{command}", _arguments(track, threads), hear)
                if not cluster:  # where it may wait for a node
                    board.started(track)
            time.sleep(POLL)
            for track, training in list(running.items()):
                status = training.status()
                if status:
                    raise OptionError(f"training {track} ended with status {status}; see above")
                if status == 0:
                    board.ended(track)
                    del running[track]
    finally:
        for training in running.values():
            training.stop()


def _shares(tracks: int, cluster: Cluster | None) -> tuple[int, int]:
    """Returns how many tracks are trained at a time, and the threads of each; 0: as many as there are cores.

    Raises:
        OptionError: if no node has as many cores as the flags ask for.
    """
    asked = flags.FLAGS.threads
    if cluster is None:
        threads = asked or cores()
        workers = 1 if has_gpu() else min(threads, tracks) or 1
        return workers, asked if workers == 1 else max(1, threads // workers)
    if asked > cluster.largest:
        raise OptionError(
            f"--threads={asked}, but the largest node of the cluster has {cluster.largest} cores"
        )
    return tracks, asked or max(1, min(cluster.cores // max(tracks, 1), cluster.largest))


def _arguments(track: str, threads: int) -> list[str]:
    """Returns the command line of a track's training."""
    own = flags.FLAGS.flags_by_module_dict()[options.__name__]
    given = [flag.serialize() for flag in own if not flag.using_default_value]
    # The last word wins: --track and --threads override what was given.
    return [*given, f"--track={track}", f"--threads={threads}"]
