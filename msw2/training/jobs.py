"""The processes that train one run together, by `tf.distribute`: which there are, and what they agree on."""

import contextlib
import dataclasses
import json
import sys
from collections.abc import Iterator

import tensorflow as tf

from msw2.config import Config
from msw2.data.shares import Share
from msw2.training.runs import RunError

STRATEGIES = ("none", "mirrored", "multiworker")
KINDS = ("chief", "worker")  # of the processes, in the order of their numbers
EXAMPLE = '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, "task": {"type": "worker", "index": 0}}'
# What TensorFlow raises where another process has gone; others are errors of this process itself.
GONE = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)


class JobError(RunError):
    """Processes that cannot train together (any more); the message is one sentence for the user."""


@dataclasses.dataclass(frozen=True)
class Task:
    """This process among those of its job.

    Attributes:
        index: its number, from 0. Number 0 is the chief: it alone writes files.
        hosts: `host:port` of each process.
    """

    index: int
    hosts: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "Task":
        """Reads the environment variable TF_CONFIG, as Kubernetes' TFJob and Vertex AI set it.

        Raises:
            JobError: if it is missing, or does not say which processes there are and which of them this is.
        """
        if not text:
            raise JobError(
                f"the strategy multiworker needs the environment variable TF_CONFIG, such as {EXAMPLE}"
            )
        try:
            told = json.loads(text)
            cluster, kind, index = told["cluster"], told["task"]["type"], int(told["task"]["index"])
            hosts = {name: [str(host) for host in cluster[name]] for name in cluster if cluster[name]}
        except (KeyError, RecursionError, TypeError, ValueError) as error:
            raise JobError(f"TF_CONFIG is {text[:200]!r}, not of the form {EXAMPLE}") from error
        if other := [name for name in (*hosts, kind) if name not in KINDS]:
            raise JobError(
                f"TF_CONFIG has a {other[0]!r}: the processes of a training are {' and '.join(KINDS)}"
            )
        if not 0 <= index < len(hosts.get(kind, ())):
            raise JobError(f"TF_CONFIG says that this is {kind} {index} of {len(hosts.get(kind, ()))}")
        numbered = [(name, place) for name in KINDS for place in range(len(hosts.get(name, ())))]
        return cls(numbered.index((kind, index)), tuple(hosts[name][place] for name, place in numbered))


@dataclasses.dataclass(frozen=True)
class Job:
    """The devices that train one run, in one process or in several.

    Attributes:
        strategy: TensorFlow's; None: this process alone, on one device.
        task: this process among others; None: it is the only one.
    """

    strategy: tf.distribute.Strategy | None = None
    task: Task | None = None

    @classmethod
    def open(cls, name: str, config: str) -> "Job":
        """Makes the strategy, and waits for the other processes. Call it before anything is computed.

        Args:
            name: one of STRATEGIES.
            config: text of TF_CONFIG, for `multiworker`.

        Raises:
            JobError: if TF_CONFIG does not fit, or the processes do not find one another.
            ValueError: for an unknown strategy.
        """
        if name == "none":
            return cls()
        if name == "mirrored":
            found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
            return cls(tf.distribute.MirroredStrategy([device.name for device in found]))
        if name != "multiworker":
            raise ValueError(f"strategy {name!r} is not one of {', '.join(STRATEGIES)}")
        task = Task.parse(config)
        others = len(task.hosts) - 1
        if others:
            print(f"process {task.index} of the job waits for {others} more", file=sys.stderr, flush=True)
        try:
            return cls(tf.distribute.MultiWorkerMirroredStrategy(), task)
        except (tf.errors.OpError, RuntimeError) as error:
            told = str(error).splitlines()[0]
            raise JobError(
                f"the processes {', '.join(task.hosts)} do not find one another: {told}"
            ) from error

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the files of the run. The others help, and only read."""
        return self.task is None or self.task.index == 0

    @property
    def processes(self) -> int:
        """How many processes there are."""
        return len(self.task.hosts) if self.task else 1

    @property
    def devices(self) -> int:
        """How many devices there are, in all processes."""
        return self.strategy.num_replicas_in_sync if self.strategy else 1

    @property
    def share(self) -> Share:
        """What this process computes of each batch."""
        return Share(self.task.index if self.task else 0, self.processes, self.devices)

    def scope(self) -> contextlib.AbstractContextManager:
        """Has the variables that are made in a block be those of all devices."""
        return self.strategy.scope() if self.strategy else contextlib.nullcontext()

    def require_rows_apart(self, config: Config, stage: str) -> None:
        """Checks that a model makes of each row of a batch what it makes of it alone.

        Raises:
            JobError: if a refiner normalises over the batch: it would see the share of its device alone.
        """
        if self.devices > 1 and config.refine == "bars":
            raise JobError(
                f"{stage} with refine=bars normalises over the whole batch, which {self.devices} devices do not see: "
                "train it with --strategy=none"
            )

    def wait(self) -> None:
        """Waits until all processes are here.

        Raises:
            JobError: if one of them has ended.
        """
        self.chiefs([tf.zeros(())])

    def chiefs(self, values: list) -> list:
        """Returns for each tensor what it is in the chief, in all processes.

        Args:
            values: tensors, of the same shapes and dtypes in all processes.

        Raises:
            JobError: if a process has ended.
        """
        if self.processes == 1:
            return values

        @tf.function
        def spread(values):
            def replica(values):
                context = tf.distribute.get_replica_context()
                first = tf.equal(context.replica_id_in_sync_group, 0)
                sums = tf.distribute.ReduceOp.SUM
                # One by one: TensorFlow packs those of a list together, and they differ in dtype.
                return [
                    context.all_reduce(sums, tf.where(first, each, tf.zeros_like(each))) for each in values
                ]

            return self.strategy.run(replica, args=(values,))

        with self.together():
            made = spread(values)
            return [self.strategy.experimental_local_results(each)[0] for each in made]

    def total(self, value: int) -> int:
        """Returns the sum of a number over all processes.

        Raises:
            JobError: if a process has ended.
        """
        if self.processes == 1:
            return value
        with self.together():
            sums = tf.distribute.ReduceOp.SUM
            return (
                int(self.strategy.reduce(sums, tf.constant(value), axis=None))
                * self.processes
                // self.devices
            )

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Computes with the other processes while the block runs.

        Raises:
            JobError: if one of them has ended.
        """
        try:
            yield
        except tf.errors.OpError as error:
            if self.processes == 1 or not (isinstance(error, GONE) or "ollective" in error.message):
                raise
            raise JobError(
                "another process of the job has ended, and its own last line says why: "
                "start all of them again, and they go on from the last checkpoint"
            ) from error


ALONE = Job()
