"""The parent's side of the workers: starting them, giving turns, stopping them."""

import contextlib
import dataclasses
import json
import multiprocessing.connection
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

from msw2.benchmarks.rounds import Contender, Slice, next_amount
from msw2.benchmarks.worker import READY

PAUSE = 0.1  # seconds between turns: threads that wait for more work by spinning have given up by then
LAST_LINES = 30  # a worker's last words, shown when it dies


class WorkerError(Exception):
    """A worker that ended of itself; the message is one sentence for the user."""


class Worker:
    """One process of one contender or more.

    Args:
        name: of the contender, for messages.
        job: see `worker`.
    """

    def __init__(self, name: str, job: dict):
        self.name = name
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `stop`
        # A session of its own: Ctrl-C reaches the parent alone, which then stops the workers.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "msw2.benchmarks.worker", json.dumps(job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            start_new_session=True,
            # Several processes may share a GPU, and TensorFlow takes all of its memory otherwise.
            env=os.environ | {"TF_FORCE_GPU_ALLOW_GROWTH": "true"},
        )
        self.output = self._process.stdout

    def wait(self) -> None:
        """Waits until the job is prepared.

        Raises:
            WorkerError: if the process ends instead.
        """
        if self._line() != READY:
            raise self._dead()

    def send(self, amount: int, call: dict) -> None:
        """Releases one slice.

        Raises:
            WorkerError: if the process has ended.
        """
        try:
            print(json.dumps({"amount": amount, "call": call}), file=self._process.stdin, flush=True)
        except BrokenPipeError as error:
            raise self._dead() from error

    def receive(self) -> dict:
        """Returns the answer to `send`: seconds, units, samples, memory.

        Raises:
            WorkerError: if the process ends instead.
        """
        line = self._line()
        if not line:
            raise self._dead()
        return json.loads(line)

    def stop(self) -> None:
        """Ends the process, whatever it does, and those that it has started."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self.output.close()
        self._errors.close()
        with contextlib.suppress(BrokenPipeError):  # an order that it did not live to read
            self._process.stdin.close()

    def _line(self) -> str:
        return self.output.readline().strip()

    def _dead(self) -> WorkerError:
        """Shows the last that the process said, and returns the error."""
        status = self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode("utf-8", "replace").splitlines()[-LAST_LINES:]
        print("\n".join(said), file=sys.stderr, flush=True)
        return WorkerError(f"the worker of {self.name} ended with status {status}; its last words are above")


class Workers:
    """The processes of a comparison; a context manager that stops them.

    Args:
        contenders: of the comparison. All their processes start at the same time.

    Raises:
        WorkerError: if one ends before it is ready.
    """

    def __init__(self, contenders: tuple[Contender, ...]):
        self._workers: dict[str, Worker] = {}
        try:
            for contender in contenders:
                for job in contender.jobs:
                    if _key(job) not in self._workers:
                        self._workers[_key(job)] = Worker(contender.name, job)
            for worker in self._workers.values():
                worker.wait()
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends all processes."""
        for worker in self._workers.values():
            worker.stop()

    def calibrated(self, contender: Contender, seconds: float) -> Contender:
        """Returns the contender with an amount that takes about so many seconds, and warms it up.

        Its processes run side by side here too, and share the cores as in a turn.
        """
        amount, call = 1, contender.call
        self._together(contender, amount, call)  # whatever is done once only, such as tracing
        if contender.amount:
            return contender
        for _ in range(8):
            took = self._longest(contender, amount, call)
            if took >= seconds / 4:
                break
            amount = next_amount(amount, took, seconds)
        return dataclasses.replace(contender, amount=next_amount(amount, took, seconds))

    def run(self, contender: Contender) -> Slice:
        """Runs one slice of a calibrated contender, and nothing else meanwhile."""
        time.sleep(PAUSE)
        start = time.perf_counter()
        answers = self._together(contender, contender.amount, contender.call)
        wall = time.perf_counter() - start
        return summary(contender, answers, wall)

    def _longest(self, contender: Contender, amount: int, call: dict) -> float:
        return max(answer["seconds"] for answer in self._together(contender, amount, call))

    def _together(self, contender: Contender, amount: int, call: dict) -> list[dict]:
        """Releases the processes as `side_by_side` trains tracks: some at a time, the last one beside them."""
        waiting = [self._workers[_key(job)] for job in contender.jobs]
        limit = contender.at_once or len(waiting)
        running, answers = {}, []
        while waiting or running:
            while waiting and (len(running) < limit or (len(waiting) == 1 and limit > 1)):
                worker = waiting.pop(0)
                worker.send(amount, call)
                running[worker.output.fileno()] = worker
            for stream in multiprocessing.connection.wait([worker.output for worker in running.values()]):
                answers.append(running.pop(stream.fileno()).receive())
        return answers


def summary(contender: Contender, answers: list[dict], wall: float) -> Slice:
    """Returns what came of one turn.

    Args:
        contender: whose turn it was.
        answers: of its processes.
        wall: seconds from the release of the first to the answer of the last.
    """
    rate = sum(answer["units"] / answer["seconds"] for answer in answers)
    return Slice(
        figure=wall if contender.timed else rate,
        memory=max(answer["memory"] for answer in answers),
        samples=tuple(sample for answer in answers for sample in answer["samples"]),
    )


def free_ports(count: int) -> list[int]:
    """Returns ports of this machine that nothing listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


def _key(job: dict) -> str:
    return json.dumps(job, sort_keys=True)
