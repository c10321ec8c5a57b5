"""Work that one process at a time may do, on one machine or on several that share a folder.

A lock is a file with the name of the process that holds it. The kernel gives it free when that process ends, however
it ends. Machines may share a folder without sharing the kernel's locks, so the holder also touches its file every few
seconds: what nobody touches any more is taken over.
"""

import contextlib
import errno
import fcntl
import os
import pathlib
import threading
import time
from collections.abc import Iterator

from msw2.system.files import naming
from msw2.system.owners import Owner

BEAT = 5.0  # seconds between touches
STALE = 20.0  # seconds without one, after which the process of another machine counts as gone
POLL = 0.2
UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


class LockedError(Exception):
    """Work that another process is doing; the message says which."""


@contextlib.contextmanager
def alone(path: str | os.PathLike, *, wait: float = 0.0) -> Iterator[None]:
    """Holds a lock while the block runs. The file is gone afterwards.

    Args:
        path: of the lock's file; missing folders are made.
        wait: seconds to wait for another process.

    Raises:
        LockedError: if another process holds the lock, and keeps it.
        OSError: if the file cannot be written.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + wait
    while (file := _taken(path)) is None:
        if time.monotonic() >= until:
            holder = _holder(path)
            raise LockedError(f"process {holder.pid} on {holder.host}" if holder else "another process")
        time.sleep(POLL)
    ended = threading.Event()
    beating = threading.Thread(target=_beat, args=(file, ended), daemon=True)
    beating.start()
    try:
        yield
    finally:
        ended.set()
        beating.join()
        path.unlink(missing_ok=True)  # before it is free: no one else may take a file that goes
        os.close(file)


def clear(path: str | os.PathLike) -> None:
    """Removes the file of a lock that a killed process left. Where its work is done, nobody takes the lock again.

    Args:
        path: of the lock's file, which need not be there.
    """
    path = pathlib.Path(path)
    holder = _holder(path)
    if path.exists() and (holder is None or holder.is_gone):
        with contextlib.suppress(LockedError, OSError), alone(path):
            pass


def _taken(path: pathlib.Path) -> int | None:
    """Returns the open file of a lock that this process now holds; None if another one has it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        if not _is_free(file):
            return None
        if not _is_same(file, path):
            return _taken(path)
        if not _is_alive_elsewhere(path):
            _sign(file, path)
            kept, file = file, -1
            return kept
        return None
    finally:
        if file >= 0:
            os.close(file)


def _sign(file: int, path: pathlib.Path) -> None:
    """Writes into a lock who holds it, or removes the lock if that fails."""
    try:
        with naming(path):
            os.ftruncate(file, 0)
            os.pwrite(file, Owner.me().text().encode(), 0)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _is_free(file: int) -> bool:
    """Asks the kernel for the lock, and returns whether it gave it; true where it has no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
    return True


def _is_same(file: int, path: pathlib.Path) -> bool:
    """Returns whether an open file still is the one at a path: its holder may have removed it."""
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False


def _is_alive_elsewhere(path: pathlib.Path) -> bool:
    """Returns whether a process holds the lock without the kernel's knowledge. To tell takes a while."""
    holder = _holder(path)
    if holder is None or holder == Owner.me() or holder.is_gone:
        return False
    if holder.is_here:
        return True
    begun, until = _touched(path), time.monotonic() + STALE
    while time.monotonic() < until:
        if _touched(path) != begun:
            return True
        time.sleep(POLL)
    return False


def _holder(path: pathlib.Path) -> Owner | None:
    try:
        return Owner.parse(path.read_text("utf-8", "replace"))
    except OSError:
        return None


def _touched(path: pathlib.Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def _beat(file: int, ended: threading.Event) -> None:
    while not ended.wait(BEAT):
        with contextlib.suppress(OSError):
            os.utime(file)
