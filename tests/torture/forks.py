"""Commands in forked processes, killed at a chosen moment.

A command spends seconds on imports before it touches a file. Here one process has done them and has started nothing
of TensorFlow's. Each command is a fork of it, which begins at once.
"""

import dataclasses
import multiprocessing
import os
import pathlib
import random
import runpy
import signal
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection

ROOT = pathlib.Path(__file__).parents[2]
CONTEXT = multiprocessing.get_context("forkserver")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"}
PATIENCE = 20.0  # seconds that children may take to end after their parent


@dataclasses.dataclass(frozen=True)
class Moment:
    """When to kill a command.

    Attributes:
        seconds: after its start, or after that change.
        change: the number of a change to a file, from 1 on, that it is about to make; 0: it does not matter.
    """

    seconds: float
    change: int = 0

    @classmethod
    def drawn(cls, chance: random.Random, undisturbed: "Ended") -> "Moment":
        """Returns a moment at random: of the time that the command takes, or just before or after a change."""
        if chance.random() < 0.5 or not undisturbed.changes:
            return cls(chance.uniform(0, undisturbed.seconds))
        return cls(chance.choice([0.0, chance.uniform(0, 0.005)]), chance.randint(1, undisturbed.changes))


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        status: its exit status; minus the number of the signal that ended it.
        said: its standard error.
        seconds: that it took.
        changes: that Python made to files in its folder. Those of TensorFlow's own are not counted.
        orphans: whether a child of it lived on.
    """

    status: int
    said: str
    seconds: float
    changes: int
    orphans: bool

    @property
    def killed(self) -> bool:
        """Whether it was killed."""
        return self.status == -signal.SIGKILL

    @property
    def well(self) -> bool:
        """Whether it did its work."""
        return self.status == 0 and "Traceback" not in self.said and not self.orphans


def import_once(names: Iterable[str]) -> None:
    """Starts the process that has imported some commands."""
    CONTEXT.set_forkserver_preload([f"msw2.cli.{name}" for name in names])
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(ROOT)
    try:
        first = CONTEXT.Process(target=int)
        first.start()
        first.join()
    finally:
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before


def run(name: str, arguments: Sequence[str], folder: pathlib.Path, moment: Moment | None = None) -> Ended:
    """Runs a command in a folder, to its end or to a moment."""
    reader, writer = CONTEXT.Pipe(duplex=False)
    changes = CONTEXT.RawValue("i", 0)
    told = {"folder": str(folder.resolve()), "writer": writer, "changes": changes, "moment": moment}
    process = CONTEXT.Process(target=_command, args=(name, *arguments), kwargs=told)
    begun, said = time.monotonic(), []
    process.start()
    writer.close()
    listener = threading.Thread(target=_listen, args=(reader, said), daemon=True)
    listener.start()
    if moment and not moment.change:
        process.join(moment.seconds)
        process.kill()
    process.join()
    seconds = time.monotonic() - begun
    listener.join(PATIENCE)  # its children have the other end
    text = b"".join(said).decode("utf-8", "replace")
    return Ended(process.exitcode, text, seconds, changes.value, listener.is_alive())


def _listen(reader: Connection, said: list[bytes]) -> None:
    while content := os.read(reader.fileno(), 65536):
        said.append(content)
    reader.close()


def _command(name: str, *arguments: str, folder, writer, changes, moment) -> None:
    """Does what `python -m msw2.cli.<name>` does after its imports."""
    os.dup2(writer.fileno(), 2)
    writer.close()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.environ["PYTHONPATH"] = str(ROOT)  # for its children
    os.chdir(folder)
    sys.argv = [name, *arguments]
    if fit := sys.modules.get("msw2.training.fit"):
        fit.CHECKPOINT_EVERY = 0.3  # seconds: trainings of seconds keep their state, too
    _watch(folder, changes, moment)
    sys.modules.pop(f"msw2.cli.{name}", None)  # it becomes __main__
    resource_tracker._resource_tracker._fd = (
        None  # what it leaves in the system is not this campaign's to clear
    )
    try:
        runpy.run_module(f"msw2.cli.{name}", run_name="__main__", alter_sys=True)
    finally:
        # A process of its own waits for its workers before it frees their locks; a process of multiprocessing, after.
        threading._shutdown()


def _watch(folder: str, changes, moment: Moment | None) -> None:
    """Counts changes to files, and dies at the one that is asked for."""

    def hook(event, arguments):
        changing = arguments[2] & WRITES if event == "open" else event in CHANGES
        if not changing or isinstance(arguments[0], int):
            return
        if not os.path.abspath(os.fsdecode(arguments[0])).startswith(folder + os.sep):
            return
        changes.value += 1
        if moment and moment.change == changes.value:
            if not moment.seconds:
                _die(0.0)
            threading.Thread(target=_die, args=(moment.seconds,), daemon=True).start()

    sys.addaudithook(hook)


def _die(seconds: float) -> None:
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGKILL)
