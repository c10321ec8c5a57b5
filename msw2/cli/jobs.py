"""The processes that train one run together, as a command of each of them meets them."""

import contextlib
import os
import pathlib
import time
from collections.abc import Iterator

from absl import flags

from msw2.cli import options
from msw2.data.store import Store
from msw2.training.device import set_up_device
from msw2.training.jobs import Job, JobError
from msw2.training.runs import PATIENCE, Run

POLL = 0.5  # seconds


@contextlib.contextmanager
def training() -> Iterator[Job]:
    """Sets up the device, and yields the job that `--strategy` asks for.

    When the block ends without an error, all processes wait for one another: none may go while the chief still writes.

    Raises:
        JobError: if the processes do not find one another, or one of them ends early.
    """
    set_up_device(flags.FLAGS.threads)
    job = Job.open(flags.FLAGS.strategy, os.environ.get("TF_CONFIG", ""))
    yield job
    job.wait()


def bound_run(store: Store, job: Job, *, finetuning: bool = False) -> Run:
    """Returns `options.bound_run`. The chief makes a new run, and then the other processes open it.

    Raises:
        JobError: if this process does not see the chief's run, or another one has ended.
        OptionError, RunError: as for `options.bound_run`.
    """
    if job.is_chief:
        run = options.bound_run(store, finetuning=finetuning)
        job.wait()
        return run
    job.wait()
    path, until = pathlib.Path(flags.FLAGS.run), time.monotonic() + PATIENCE
    while not ((path / "config.json").exists() and (path / "data.json").exists()):
        if time.monotonic() > until:  # shared folders take a while to show what is new
            raise JobError(
                f"the chief's run is not at {path.absolute()}: all processes of a job share its folder"
            )
        time.sleep(POLL)
    return options.bound_run(store, finetuning=finetuning, writes=False)
