"""Reading .npz files of unknown origin: nothing is unpickled, sizes are checked before anything is read."""

import contextlib
import os
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from msw2.music.midi import SongError

MAX_MEMBERS = 4096


@contextlib.contextmanager
def opened(path: str | os.PathLike) -> Iterator[zipfile.ZipFile]:
    """Opens an .npz file, and turns whatever is wrong with it, then or later, into SongError."""
    try:
        with zipfile.ZipFile(path) as archive:
            if len(archive.infolist()) > MAX_MEMBERS:
                raise SongError(f"too many members: {len(archive.infolist())}, at most {MAX_MEMBERS}")
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise SongError(f"damaged .npz file: {error}") from error
    except (NotImplementedError, RuntimeError) as error:  # unknown compression, encryption
        raise SongError(f"unreadable .npz file: {error}") from error
    except OSError as error:
        raise SongError(f"cannot be read: {error.strerror or error}") from error


def member(archive: zipfile.ZipFile, name: str, max_bytes: int) -> zipfile.ZipInfo:
    """Returns the entry of a member; `zipfile` never reads more of it than its declared size.

    Raises:
        SongError: if it is not there or declares more than `max_bytes`.
    """
    try:
        info = archive.getinfo(name)
    except KeyError as error:
        raise SongError(f"no {name} in the .npz file") from error
    if info.file_size > max_bytes:
        raise SongError(f"{name} too large: {info.file_size} bytes, at most {max_bytes}")
    return info


def header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Reads the header of an array: (shape, is Fortran order, dtype).

    Raises:
        SongError: if it is no array, or an array of Python objects, which only unpickling could read.
    """
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # headers by Python 2, as LPD's own may be
            shape, fortran, dtype = readers[np.lib.format.read_magic(file)](file)
    except (ValueError, KeyError) as error:
        raise SongError(f"damaged array: {' '.join(str(error).split())[:100]}") from error
    if dtype.hasobject:
        raise SongError("array of pickled objects")
    return shape, fortran, dtype


def array(archive: zipfile.ZipFile, name: str, max_bytes: int) -> np.ndarray:
    """Returns the array `name`.npy of at most `max_bytes`.

    Raises:
        SongError: if it is missing, too large, shorter than its header says, or not plain numbers.
    """
    info = member(archive, f"{name}.npy", max_bytes)
    with archive.open(info) as file:
        shape, fortran, dtype = header(file)
        if any(length < 0 for length in shape):
            raise SongError(f"damaged array: {name} has shape {shape}")
        count = int(np.prod([int(length) for length in shape], dtype=object)) if shape else 1
        if count * dtype.itemsize > info.file_size:
            raise SongError(f"damaged array: {name} is shorter than its shape {shape}")
        flat = np.frombuffer(file.read(count * dtype.itemsize), dtype)
    if len(flat) != count:
        raise SongError(f"damaged array: {name} is shorter than its shape {shape}")
    return flat.reshape(shape, order="F" if fortran else "C")
