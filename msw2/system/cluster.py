"""Work on a Ray cluster. Ray schedules it, places it on cores or GPUs, and does again what a lost node had in hand.

Ray is imported where a cluster is joined and in its own processes, and by nothing else. All nodes have the same msw2,
and share the folder in which the command is called: tasks read and write the very paths that the command would.
"""

import collections
import contextlib
import os
import pathlib
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msw2
from msw2.system.nodes import ClusterError, Place, done
from msw2.system.remote_commands import Ears, KilledError, RemoteCommand, run_command
from msw2.system.workers import AHEAD, Item, Result

RETRIES = 5  # times that a task is done again after its node, or its process, has died
PATIENCE = 10.0  # seconds for the head to answer


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
        remote = self._ray.remote(done).options(num_cpus=1, max_retries=RETRIES)
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
        remote = self._ray.remote(done).options(max_retries=RETRIES, **self._resources(1))
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
    ) -> RemoteCommand:
        """Starts `python -m <module>` on a node that has a GPU free, where there are GPUs, or else some cores.

        It is started again elsewhere if its node dies.

        Args:
            module: its dotted name.
            arguments: of its command line.
            hear: takes each line that it writes to standard error.
            threads: cores that it needs.
        """
        if self._ears is None:
            self._ears = self._ray.remote(Ears).options(num_cpus=0, **self._here()).remote()
        remote = self._ray.remote(run_command).options(
            max_retries=RETRIES, retry_exceptions=[KilledError], **self._resources(threads)
        )
        self._commands += 1
        started = remote.remote(self._place, module, list(arguments), self._ears, self._commands)
        return RemoteCommand(self._ray, started, self._ears, self._commands, hear)

    def _resources(self, threads: int) -> dict[str, int]:
        return {"num_gpus": 1, "num_cpus": 1} if self.gpus else {"num_cpus": threads}

    def _here(self) -> dict[str, Any]:
        """Returns options that bind an actor to this node, which has to live anyway."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: PLC0415 - as above

        node = self._ray.get_runtime_context().get_node_id()
        return {"scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False)}
