"""Work on a Ray cluster. Ray schedules it, places it on cores or GPUs, and does again what a lost node had in hand.

Ray is imported when a cluster is joined, and by nothing else. All nodes have the same msw2, and share the folder in
which the command is called: tasks read and write the very paths that the command would.
"""

import collections
import contextlib
import os
import pathlib
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msw2
from msw2.system import children
from msw2.system.progress import REPORTING
from msw2.system.workers import AHEAD, Item, Result

RETRIES = 5  # times that a task is done again after its node, or its process, has died
PATIENCE = 10.0  # seconds for the head to answer
POLL = 0.5  # seconds between looks at what commands have said


class ClusterError(Exception):
    """A cluster that cannot be used; the message is one sentence for the user."""


class Place(NamedTuple):
    """Where a command was called, which its tasks have to be like.

    Attributes:
        folder: the current folder.
        version: of msw2.
    """

    folder: str
    version: str


class KilledError(Exception):
    """A command that a signal ended: it may end well on another node."""


@contextlib.contextmanager
def joined(address: str, *, talking: bool = False) -> Iterator["Cluster"]:
    """Joins a Ray cluster while the block runs.

    Args:
        address: `auto` for the cluster of this machine, or the host and port of its head.
        talking: whether what tasks print comes out here, with the name of their node.

    Raises:
        ClusterError: if Ray is not installed, or there is no such cluster.
    """
    try:
        import ray  # noqa: PLC0415 - commands that work on this machine alone do not need it
    except ImportError as error:
        raise ClusterError("Ray is not installed: pip install 'msw2[ray]'") from error
    _answers(address)
    # Nodes that share this msw2, rather than have one of their own, find it where it is.
    source = str(pathlib.Path(msw2.__file__).parents[1])
    path = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))
    try:
        ray.init(
            address=address,
            runtime_env={"env_vars": {"PYTHONPATH": path}},
            log_to_driver=talking,
            logging_level="ERROR",
        )
    except Exception as error:  # Ray's own, ValueErrors and ConnectionErrors among them
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ClusterError(
            f"no Ray cluster at {address!r} ({reason:.200}): start one with `ray start --head`"
        ) from error
    try:
        yield Cluster(ray)
    finally:
        ray.shutdown()


def _answers(address: str) -> None:
    """Checks that something listens at an address: Ray itself would try for minutes.

    Raises:
        ClusterError: if not.
    """
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.removeprefix("ray://"), int(port)), timeout=PATIENCE).close()
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"no Ray cluster at {address!r} ({error}): `ray start --head` says the host and port of its head"
        ) from error


class Cluster:
    """A Ray cluster that this process has joined.

    Args:
        ray: the module.

    Attributes:
        cores: of all nodes.
        largest: cores of the node that has most.
        gpus: of all nodes.
    """

    def __init__(self, ray: Any):
        self._ray, self._ears, self._commands = ray, None, 0
        self._place = Place(os.getcwd(), msw2.__version__)
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        self.cores = int(sum(node.get("CPU", 0) for node in nodes))
        self.largest = int(max(node.get("CPU", 0) for node in nodes))
        self.gpus = int(sum(node.get("GPU", 0) for node in nodes))

    def map_in_order(
        self, task: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Result | None]]:
        """Yields (item, task(item)) in the order of the items; see `workers.map_in_order`. A task has one core."""
        remote = self._ray.remote(_done).options(num_cpus=1, max_retries=RETRIES)
        waiting, items = collections.deque(), iter(items)
        while True:
            while len(waiting) < AHEAD * max(self.cores, 1) and (item := next(items, None)) is not None:
                waiting.append((item, remote.remote(self._place, task, item)))
            if not waiting:
                return
            item, started = waiting.popleft()
            with self._told():
                try:
                    result = self._get(started)
                except self._ray.exceptions.WorkerCrashedError:  # each time that it was done
                    result = None
            yield item, result

    def start(self, task: Callable[..., Result], *arguments: Any) -> Any:
        """Starts a task that has a GPU, where there are GPUs, or else a core.

        Args:
            task: a module-level function.
            *arguments: its arguments, results of started tasks among them: it begins when they are there.
        """
        remote = self._ray.remote(_done).options(max_retries=RETRIES, **self._resources(1))
        return remote.remote(self._place, task, *arguments)

    def result(self, started: Any) -> Any:
        """Waits for a started task, and returns its result.

        Raises:
            ClusterError: if Ray gave it up.
            Exception: what the task raised.
        """
        with self._told():
            return self._get(started)

    def _get(self, started: Any) -> Any:
        """Waits for a result, and raises what the task raised."""
        try:
            return self._ray.get(started)
        except self._ray.exceptions.RayTaskError as error:
            raise (error.cause or error) from error

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Makes a sentence of what Ray gives up: a task whose nodes died again and again, a cluster that is gone."""
        try:
            yield
        except self._ray.exceptions.RayError as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ClusterError(
                f"the cluster gave a task up ({reason:.200}): the same command goes on"
            ) from error

    def command(
        self, module: str, arguments: Sequence[str], hear: Callable[[str], None], *, threads: int
    ) -> "Command":
        """Starts `python -m <module>` on a node that has a GPU free, where there are GPUs, or else some cores.

        It is started again elsewhere if its node dies.

        Args:
            module: its dotted name.
            arguments: of its command line.
            hear: takes each line that it writes to standard error.
            threads: cores that it needs.
        """
        if self._ears is None:
            self._ears = self._ray.remote(_Ears).options(num_cpus=0, **self._here()).remote()
        remote = self._ray.remote(_command).options(
            max_retries=RETRIES, retry_exceptions=[KilledError], **self._resources(threads)
        )
        self._commands += 1
        started = remote.remote(self._place, module, list(arguments), self._ears, self._commands)
        return Command(self._ray, started, self._ears, self._commands, hear)

    def _resources(self, threads: int) -> dict[str, int]:
        return {"num_gpus": 1, "num_cpus": 1} if self.gpus else {"num_cpus": threads}

    def _here(self) -> dict[str, Any]:
        """Returns options that bind an actor to this node, which has to live anyway."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: PLC0415 - as above

        node = self._ray.get_runtime_context().get_node_id()
        return {"scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False)}


class Command:
    """A command that runs on some node, or waits for one.

    Args:
        ray: the module.
        started: stands for its exit status.
        ears: the actor that gets its lines.
        number: that the actor knows it by.
        hear: takes the lines here.
    """

    def __init__(self, ray: Any, started: Any, ears: Any, number: int, hear: Callable[[str], None]):
        self._ray, self._started, self._ears, self._number, self._hear = ray, started, ears, number, hear
        self._looked = time.monotonic()

    def status(self) -> int | None:
        """Passes its lines on, and returns its exit status; None as long as it runs.

        Raises:
            ClusterError: if the node that it was on cannot run it.
        """
        ended, _ = self._ray.wait([self._started], timeout=0)
        if ended or time.monotonic() - self._looked >= POLL:
            self._looked = time.monotonic()
            for line in self._ray.get(self._ears.take.remote(self._number)):
                self._hear(line)
        if not ended:
            return None
        try:
            return self._ray.get(self._started)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, ClusterError):
                raise error.cause from error
            self._hear(str(error.cause))
        except self._ray.exceptions.RayError as error:
            self._hear(str(error).splitlines()[0])
        return 1

    def stop(self) -> None:
        """Ends it, and waits for that."""
        self._ray.cancel(self._started, force=True)
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.get(self._started)


class _Ears:
    """An actor: gets the lines of commands, and keeps them until they are taken."""

    def __init__(self):
        self._lines: dict[int, list[str]] = {}

    def hear(self, command: int, line: str) -> None:
        """Gets a line."""
        self._lines.setdefault(command, []).append(line)

    def take(self, command: int) -> list[str]:
        """Returns the lines of a command since they were last taken."""
        return self._lines.pop(command, [])


def _done(place: Place, task: Callable[..., Result], *arguments: Any) -> Result:
    """Does a task on whatever node this is."""
    _enter(place)
    return task(*arguments)


def _command(place: Place, module: str, arguments: list[str], ears: Any, number: int) -> int:
    """Runs a command on whatever node this is, and returns its exit status."""
    import ray  # noqa: PLC0415 - this is a process of Ray

    _enter(place)
    heard = None
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True, "errors": "replace"}
    with children.start(module, arguments, env=os.environ | {REPORTING: "1"}, **pipes) as child:
        for line in child.stderr:
            heard = ears.hear.remote(number, line)
    if heard is not None:
        ray.get(heard)  # the last line arrives before the status
    if child.returncode < 0:
        raise KilledError(f"{module} was ended by signal {-child.returncode} on {socket.gethostname()}")
    return child.returncode


def _enter(place: Place) -> None:
    """Goes to the folder of the command that this is a task of."""
    if place.version != msw2.__version__:
        raise ClusterError(
            f"node {socket.gethostname()} has msw2 {msw2.__version__}, not {place.version}: install the same on all"
        )
    try:
        os.chdir(place.folder)
    except OSError as error:
        raise ClusterError(
            f"node {socket.gethostname()} has no folder {place.folder}: call the command in a folder that all share"
        ) from error
