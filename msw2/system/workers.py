"""Work in other processes, in order. A process that crashes costs one item."""

import collections
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 8  # tasks in hand per worker: enough to keep all busy while one is slow, and bounds the memory


def map_in_order(
    task: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Iterator[tuple[Item, Result | None]]:
    """Yields (item, task(item)) in the order of the items; None where a worker process died on the item.

    Args:
        task: a module-level function, or a partial of one.
        items: may be endless; a few are taken ahead.
        workers: processes; 0 does the work in this one, which a crash then takes along.
    """
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
                # Any of the tasks in hand may be to blame: do them again, each by itself.
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
    """Yields (item, result or None), at most one task in hand, so that a crash has one possible cause."""
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
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
    try:
        pool.submit(int).result()
    except BrokenProcessPool as error:
        raise RuntimeError(
            "worker processes cannot start: a script needs `if __name__ == '__main__':`, or workers=0"
        ) from error
    return pool


def _submit(pool: ProcessPoolExecutor, task: Callable, item: object) -> Future:
    """Submits a task; a pool that is found broken gives a future that says so."""
    try:
        return pool.submit(task, item)
    except BrokenProcessPool as error:
        future = Future()
        future.set_exception(error)
        return future
