"""The arrays of a notes prior's file: written as they are or rounded to a byte a number, and read with checks."""

import zipfile

import numpy as np

from msw2.music import npz

MAX_BYTES = 2**31  # of an array
FEWEST = 2**16  # numbers of an array that is rounded: what is smaller costs little, and much may depend on it
LEVELS = 127  # steps from 0 to the largest number that is kept
STEPS_A_DEVIATION = 16  # at most: fewer would be heard, and more pack badly
_STEP = "{}_step"  # name of the steps that a rounded array counts in


def rounded(name: str, array: np.ndarray) -> dict[str, np.ndarray]:
    """Returns what the file has of a large array of matrices: whole numbers, and the step that they count.

    Args:
        name: of the array.
        array: float32 [..., row, column]. Each row has a step of its own: one row of large numbers, such as that which
            closes the gates of `Writer.notes`, leaves the others as exact as they are without it.

    Returns:
        `name`, int8 of -127..127, and `name`_step, float32 [..., row, 1]; for a small array itself, as it is.
    """
    if array.size < FEWEST or array.ndim < 2:
        return {name: array}
    largest = np.abs(array).max(axis=-1, keepdims=True)
    deviation = array.std(axis=-1, keepdims=True)
    step = np.maximum(largest / LEVELS, deviation / STEPS_A_DEVIATION)
    step = np.where(step > 0, step, 1.0).astype(np.float32)  # a row of zeros
    return {name: np.round(array / step).astype(np.int8), _STEP.format(name): step}


def read_array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """Reads an array that was written as it is, or what `rounded` made of it: float32.

    Raises:
        ValueError: with its name, if it is missing, damaged, or does not hold finite numbers.
    """
    array = npz.array(archive, name, MAX_BYTES)
    if array.dtype == np.int8:
        step = npz.array(archive, _STEP.format(name), MAX_BYTES)
        if step.ndim and step.shape != (*array.shape[:-1], 1):
            raise ValueError(f"{_STEP.format(name)} has the shape {list(step.shape)}, not one step a row")
        array = array * step
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        raise ValueError(f"{name} is {array.dtype} {list(array.shape)}, not finite numbers")
    return array.astype(np.float32)


def read_size(archive: zipfile.ZipFile, name: str) -> int:
    """Reads one whole number of 1 to 65,535.

    Raises:
        ValueError: with its name, if it is anything else.
    """
    found = npz.array(archive, name, MAX_BYTES)
    if found.dtype.kind not in "iu" or found.ndim or not 1 <= int(found) < 2**16:
        raise ValueError(f"{name} is {found.dtype} {list(found.shape)}, not one whole number of 1 to 65535")
    return int(found)
