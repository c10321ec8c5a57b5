"""Errors of the machine: a full disk, a folder that cannot be written, too little memory. Each is one sentence."""

import errno
import os
import re
import shutil
import sys

FULL = (errno.ENOSPC, errno.EDQUOT)
NO_SPACE = "No space left on device"
PATH = re.compile(rf"(?:^|}}}} )(/[^;]+?)(?:/\.msw2-[^;]*)?; {NO_SPACE}")  # without what is temporary
GOES_ON = "make room, and the same command goes on"


def sentence(error: BaseException) -> str | None:
    """Returns what to tell the user; None for an error that is not the machine's."""
    if isinstance(error, OSError):
        return _of_system(error)
    if isinstance(error, MemoryError):
        return _of_memory(str(error))
    # TensorFlow's errors, without importing it: commands that do not need it start at once.
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None or not isinstance(error, tensorflow.errors.OpError):
        return None
    if NO_SPACE in error.message:
        path = PATH.search(error.message)
        return _of_full_disk(path[1] if path else None)
    if isinstance(error, tensorflow.errors.ResourceExhaustedError):
        return _of_memory(error.message)
    return None


def _of_system(error: OSError) -> str:
    if error.errno in FULL:
        return _of_full_disk(error.filename)
    if error.errno is None or not error.filename:
        return str(error)
    return f"{_name(error.filename)}: {error.strerror}"


def _of_full_disk(path: str | bytes | None) -> str:
    if path is None:
        return f"the disk is full: {GOES_ON}"
    folder = os.path.abspath(_name(path))
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    free = shutil.disk_usage(folder).free / 1e6
    return f"{_name(path)} cannot be written: the disk is full ({free:.1f} MB are free): {GOES_ON}"


def _of_memory(detail: str) -> str:
    first = re.sub(r"^\{\{.*?\}\} ", "", (detail.strip().splitlines() or [""])[0])[
        :120
    ]  # without TensorFlow's node
    return (
        f"the memory does not suffice: ask for less, or close other programs{f' ({first})' if first else ''}"
    )


def _name(path: str | bytes) -> str:
    return os.fsdecode(path)
