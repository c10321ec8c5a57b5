"""Work in other processes, in order. A process that crashes costs one item.

The processes are this machine's, or a cluster's: `cluster.Cluster` does the same on several machines.
"""

import collections
import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol, TypeVar

from msw2.system import children

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 8  # tasks in hand per worker: enough to keep all busy while one is slow, and bounds the memory


class Elsewhere(Protocol):
    """Workers of other machines."""

    def map_in_order(
        self, task: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Result | None]]:
        """Does what the function of this name does."""

    def start(self, task: Callable[..., Result], *arguments: Any) -> Any:
        """Starts a task, and returns what stands for its result, as an argument of other tasks, too."""

    def result(self, started: Any) -> Any:
        """Waits for a started task, and returns its result."""


class Here:
    """Tasks of this process, one after the other: what `Elsewhere` starts on other machines."""

    def start(self, task: Callable[..., Result], *arguments: Any) -> Result:
        """Does a task, and returns its result."""
        return task(*arguments)

    def result(self, started: Result) -> Result:
        """Returns the result of a started task."""
        return started


def in_groups(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    """Returns the items in groups of a size; the last group may be smaller."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def map_in_order(
    task: Callable[[Item], Result], items: Iterable[Item], workers: int | Elsewhere
) -> Iterator[tuple[Item, Result | None]]:
    """Yields (item, task(item)) in the order of the items. The result is None if a worker process died on the item.

    Args:
        task: a module-level function, or a partial of one.
        items: may be endless; a few are taken ahead.
        workers: processes of this machine; 0 does the work in this process. A crash then ends this process. Or a
            cluster.
    """
    if not isinstance(workers, int):
        yield from workers.map_in_order(task, items)
        return
    if workers == 0:
        yield from ((item, task(item)) for item in items)
        return
    items = iter(items)
    pool = _pool(workers)
    waiting: collections.deque[tuple[Item, Future]] = collections.deque()
    try:
        while True:
            while len(waiting) < AHEAD * workers and (item := next(items, None)) is not None:
                waiting.append((item, _submit(pool, task, item)))
            if not waiting:
                return
            item, future = waiting[0]
            try:
                result = future.result()
            except BrokenProcessPool:
                # Any of the tasks in hand may be to blame. Do them again, each by itself.
                pool.shutdown(wait=False, cancel_futures=True)
                suspects = [suspect for suspect, _ in waiting]
                waiting.clear()
                yield from _one_by_one(task, suspects)
                pool = _pool(workers)
                continue
            waiting.popleft()
            yield item, result
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _one_by_one(task: Callable, items: Iterable) -> Iterator[tuple]:
    """Yields (item, result or None). At most one task is in hand, so a crash has one possible cause."""
    pool = _pool(1)
    try:
        for item in items:
            try:
                yield item, pool.submit(task, item).result()
            except BrokenProcessPool:
                yield item, None
                pool = _pool(1)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _pool(workers: int) -> ProcessPoolExecutor:
    """Returns a pool of fresh processes: TensorFlow's threads do not survive a fork.

    Raises:
        RuntimeError: if they cannot start; no item is to blame.
    """
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=children.tie, initargs=(os.getpid(),))
    try:
        with _without_interrupts():
            # All start now: each takes a task, though the first may do more than one.
            started = [pool.submit(int) for _ in range(workers)]
        started[0].result()
    except BrokenProcessPool as error:
        raise RuntimeError(
            "worker processes cannot start: a script needs `if __name__ == '__main__':`, or workers=0"
        ) from error
    return pool


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Holds Ctrl-C back while processes start. They inherit that, and so never say a word of their own about it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _submit(pool: ProcessPoolExecutor, task: Callable, item: object) -> Future:
    """Submits a task. A broken pool gives a future that says so."""
    try:
        return pool.submit(task, item)
    except BrokenProcessPool as error:
        future = Future()
        future.set_exception(error)
        return future
