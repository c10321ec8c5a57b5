"""Memory: how much there is for new processes, and that the C library keeps what a process frees."""

import ctypes
import pathlib
import re

KEPT = 2**28  # free bytes that the C library keeps; a step of 256 units at batch 32 uses some 100 MB
LARGEST = 2**25  # bytes of the largest block that it keeps; glibc allows no more
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # of mallopt(3)

_MEMINFO = pathlib.Path("/proc/meminfo")
_CGROUP = pathlib.Path("/sys/fs/cgroup")  # version 2, as containers see it


def available() -> float:
    """Returns the bytes that new processes can take without swapping: of the machine, or of a container's limit.

    It is infinite where the system does not tell.
    """
    free = re.search(r"^MemAvailable: +(\d+) kB$", _read(_MEMINFO), re.MULTILINE)
    limit, used = _read(_CGROUP / "memory.max"), _read(_CGROUP / "memory.current")
    cache = re.search(r"^inactive_file (\d+)$", _read(_CGROUP / "memory.stat"), re.MULTILINE)
    of_machine = 1024.0 * int(free[1]) if free else float("inf")
    if not (limit.strip().isdigit() and used.strip().isdigit()):  # no limit is the word `max`
        return of_machine
    return min(of_machine, int(limit) - int(used) + (int(cache[1]) if cache else 0))


def _read(path: pathlib.Path) -> str:
    """Returns the text of a file of the kernel; empty without one."""
    try:
        return path.read_text("utf-8")
    except OSError:
        return ""


def keep_freed() -> bool:
    """Tells the C library to keep freed memory, and returns whether it will (glibc does).

    A step allocates and frees tens of megabytes. glibc gives much of it back to the system by default, and takes it
    again in the next step. That makes two to three thousand page faults a step, for pages that the kernel first fills
    with zeros. They took a fifth of the time of stage 1.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return False
    options = ((_TRIM_THRESHOLD, KEPT), (_TOP_PAD, LARGEST), (_MMAP_THRESHOLD, LARGEST))
    return all([mallopt(ctypes.c_int(option), ctypes.c_int(value)) for option, value in options])
