"""Reading .npz files of unknown origin: nothing is unpickled, sizes are checked before anything is read."""

import contextlib
import math
import os
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from msw2.music.midi import SongError

MAX_MEMBERS = 4096
MAX_AXES = 32  # NumPy's own limit before version 2
MAX_CELLS = 2**60  # more could not be addressed, whatever an axis of length 0 says
# What Python and NumPy raise for the text of a header that is none.
UNPARSED = (
    *(ValueError, KeyError, TypeError, SyntaxError, OverflowError, RecursionError, MemoryError, IndexError),
    *(struct.error, tokenize.TokenError),
)


@contextlib.contextmanager
def opened(path: str | os.PathLike | BinaryIO) -> Iterator[zipfile.ZipFile]:
    """Opens an .npz file, or reads an open one, and turns whatever is wrong with it, then or later, into SongError."""
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
        SongError: if it is no array, one of too many axes or cells, or an array of Python objects, which only
            unpickling could read.
    """
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # headers by Python 2, as LPD's own may be, and nonsense
            shape, fortran, dtype = readers[np.lib.format.read_magic(file)](file)
    except UNPARSED as error:
        raise SongError(f"damaged array: {' '.join(str(error).split())[:100]}") from error
    if dtype.hasobject:
        raise SongError("array of pickled objects")
    if dtype.names or dtype.subdtype or not dtype.itemsize:
        raise SongError(f"damaged array: {str(dtype)[:60]} is no plain number")
    if len(shape) > MAX_AXES or math.prod(max(1, length) for length in shape) > MAX_CELLS:
        raise SongError(f"damaged array: {len(shape)} axes, too many or too long")
    if any(length < 0 for length in shape):
        raise SongError(f"damaged array: shape {shape}")
    return shape, fortran, dtype


def array(archive: zipfile.ZipFile, name: str, max_bytes: int) -> np.ndarray:
    """Returns the array `name`.npy of at most `max_bytes`.

    Raises:
        SongError: if it is missing, too large, shorter than its header says, or not plain numbers.
    """
    info = member(archive, f"{name}.npy", max_bytes)
    with archive.open(info) as file:
        shape, fortran, dtype = header(file)
        count = math.prod(shape)
        if count * dtype.itemsize > info.file_size:
            raise SongError(f"damaged array: {name} is shorter than its shape {shape}")
        content = file.read(count * dtype.itemsize)
    if len(content) != count * dtype.itemsize:
        raise SongError(f"damaged array: {name} is shorter than its shape {shape}")
    flat = np.frombuffer(content, dtype)
    return flat.reshape(shape, order="F" if fortran else "C")
