"""What is compiled (`lstm.c`, `perceptron.c`, `matrix.c`), where there was a C compiler when msw2 was installed."""

import concurrent.futures
import ctypes
import functools
import importlib.util
import itertools
from collections.abc import Callable

import numpy as np

ALIGNMENT = 64  # bytes; TensorFlow takes over an array that is so aligned without a copy
TILE = 16  # rows that are multiplied together: fewer cost as much
DEPTH = 32  # numbers of bfloat16 in a row of a tile
# Operations for which another thread is worth waking: a millisecond, by vectors and in tiles. Each packs the kernel.
WORTH, WORTH_IN_TILES = 1e8, 5e8


@functools.cache
def library() -> ctypes.CDLL | None:
    """Returns the compiled functions, or None if there are none."""
    found = importlib.util.find_spec("msw2.models._native")
    if not found or not found.origin:
        return None
    compiled = ctypes.CDLL(found.origin)
    compiled.use_tiles(3)
    return compiled


def use_tiles(products: int) -> int:
    """Says of how many products of bfloat16 one of float32 is made, where the CPU multiplies these.

    It does so in tiles, with AMX, or with AVX512_BF16 in vectors, where three products are not worth it.

    Args:
        products: 3, as it is at first: right to some 1e-6 of the sizes of what is added up, where float32 is to some
            1e-7; 1: what is multiplied is rounded to bfloat16, right to 1e-2; 0: none, tiles are not used.

    Returns:
        how many it will be: 0 where that is not to be had. See `tiles.h`.
    """
    return library().use_tiles(products) if library() else 0


def has_tiles(products: int) -> bool:
    """Returns whether `use_tiles` would do as it is told."""
    return bool(library() and library().has_tiles(products))


def tiles_in_use() -> int:
    """Returns what `use_tiles` did."""
    return library().tiles_in_use() if library() else 0


def forward(
    projected: np.ndarray, kernel: np.ndarray, hard: bool, *, steps: int | None = None, threads: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Runs a recurrence, float32 throughout.

    Args:
        projected: preactivations [step, batch, 4 x unit] but for the recurrent product, gates i-f-c-o; or the
            same for all, [1, batch, 4 x unit].
        kernel: recurrent kernel [unit, 4 x unit].
        hard: whether gates are clip(x / 5 + 1 / 2, 0, 1), in place of sigmoids.
        steps: how many there are, where `projected` does not say it.
        threads: that share the rows of the batch; they change no number.

    Returns:
        hidden and cell states [step + 1, batch, unit], both from zero, and gates [step, batch, 4 x unit].

    Raises:
        MemoryError: if there is no memory.
        ValueError: for `steps` that are not those of `projected`.
    """
    given, batch, width = projected.shape
    steps = given if steps is None else steps
    if given not in {1, steps}:
        raise ValueError(f"preactivations of {given} steps are not those of {steps}")
    hidden, cells = (_empty(steps + 1, batch, width // 4) for _ in range(2))
    gates = _empty(steps, batch, width)
    arrays, sizes = (projected, kernel, gates, cells, hidden), (batch, steps, width // 4)
    same = given < steps
    _share(threads, 2 * gates.size * (width // 4), "forward", arrays, *sizes, hard, same)
    return hidden, cells, gates


def backward(
    d_states: np.ndarray,
    kernel: np.ndarray,
    gates: np.ndarray,
    cells: np.ndarray,
    hard: bool,
    *,
    threads: int = 1,
) -> np.ndarray:
    """Returns the gradient by `projected` from that by the states [step, batch, unit], and what `forward` left.

    Raises:
        MemoryError: if there is no memory.
    """
    steps, batch, width = gates.shape
    d_projected = _empty(steps, batch, width)
    arrays, sizes = (d_states, kernel, gates, cells, d_projected), (batch, steps, width // 4)
    _share(threads, 2 * gates.size * (width // 4), "backward", arrays, *sizes, hard)
    return d_projected


def product(
    left: np.ndarray, right: np.ndarray, *, transposed: tuple[bool, bool] = (False, False), threads: int = 1
) -> np.ndarray:
    """Returns the product of two matrices, each of them transposed or not, in tiles where they are in use.

    Raises:
        MemoryError: if there is no memory.
    """
    if not tiles_in_use():
        return np.matmul(
            *(each.T if turned else each for each, turned in zip((left, right), transposed, strict=True))
        )
    rows, inner = left.shape[::-1] if transposed[0] else left.shape
    columns = right.shape[0 if transposed[1] else 1]
    made = _empty(rows, columns)
    arrays = (left, right, made)
    _share(threads, 2 * rows * inner * columns, "product", arrays, rows, inner, columns, *transposed)
    return made


def project(pianoroll: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Returns `pianoroll @ kernel + bias`, [step, batch, unit]: fast where nearly all is -1, right for any input.

    Args:
        pianoroll: [step, batch, pitch].
        kernel: [pitch, unit].
        bias: [unit].

    Raises:
        MemoryError: if there is no memory.
    """
    steps, batch, pitches = pianoroll.shape
    projected = _empty(steps, batch, len(bias))
    _call("project", (pianoroll, kernel, bias, projected), steps * batch, pitches, len(bias))
    return projected


def project_backward(pianoroll: np.ndarray, d_projected: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the gradients by kernel and bias from that by what `project` returns.

    Raises:
        MemoryError: if there is no memory.
    """
    steps, batch, pitches = pianoroll.shape
    units = d_projected.shape[-1]
    d_kernel, d_bias = _empty(pitches, units), _empty(units)
    _call("project_backward", (pianoroll, d_projected, d_kernel, d_bias), steps * batch, pitches, units)
    return d_kernel, d_bias


def perceptron(rows: np.ndarray, *weights: np.ndarray, threads: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Runs dense layers, all but the last with ReLU, in tiles of bfloat16; wants `tiles_in_use`.

    Right to 1e-2, as one product of bfloat16 is (`use_tiles`), wherever rows are near -1 to the same part of how far
    they are from there.

    Args:
        rows: float32 [row, feature], mostly near -1.
        weights: kernel [feature, unit] and bias [unit] of each layer in turn.
        threads: that share the rows; they change no number.

    Returns:
        What the last layer makes, float32 [row, unit]; and what `perceptron_backward` needs.

    Raises:
        MemoryError: if there is no memory.
    """
    sizes = _sizes(weights)
    made = _empty(len(rows), sizes[-1])
    lines = TILE * -(-len(rows) // TILE)
    kept = _empty(lines * sum(-(-size // DEPTH) * DEPTH for size in sizes[:-1]) // 2).view(np.uint16)

    def run(*part):
        _call_layers("perceptron", (rows, weights[::2], weights[1::2], kept, made), sizes, *part, len(rows))

    _each(_parts(threads, 2 * len(rows) * _multiplied(sizes), len(rows)), run)
    return made, kept


def perceptron_backward(
    d_made: np.ndarray, kept: np.ndarray, *weights: np.ndarray, threads: int = 1
) -> list[np.ndarray]:
    """Returns the gradients by the weights of `perceptron`, in their order, from that by what it made.

    Raises:
        MemoryError: if there is no memory.
    """
    sizes, rows = _sizes(weights), len(d_made)
    parts = _parts(threads, 4 * rows * _multiplied(sizes), rows) or [(0, 0)]
    gradients = {part: [_empty(*weight.shape) for weight in weights] for part in parts}

    def run(*part):
        own = gradients[part]
        arrays = d_made, weights[::2], kept, own[::2], own[1::2]
        _call_layers("perceptron_backward", arrays, sizes, *part, rows)

    _each(parts, run)
    return [sum(each[1:], each[0]) for each in zip(*gradients.values(), strict=True)]


def _sizes(weights) -> list[int]:
    return [len(weights[0]), *(len(bias) for bias in weights[1::2])]


def _multiplied(sizes: list[int]) -> int:
    return sum(one * other for one, other in itertools.pairwise(sizes))


def _call_layers(name: str, arrays, sizes: list[int], *numbers: int) -> None:
    """Calls a function of arrays, and of lists of them that have one a layer."""
    held = []  # until C is done

    def pointer(array):
        if isinstance(array, np.ndarray):
            held.append(np.ascontiguousarray(array))
            return ctypes.c_void_p(held[-1].ctypes.data)
        held.append((ctypes.c_void_p * len(array))(*(pointer(each) for each in array)))
        return held[-1]

    pointers = [pointer(array) for array in arrays]
    layers = (ctypes.c_int * len(sizes))(*sizes)
    if getattr(library(), name)(
        *pointers, layers, *(ctypes.c_int(each) for each in (len(sizes) - 1, *numbers))
    ):
        raise MemoryError(f"no memory for {name}, sizes {', '.join(map(str, sizes))}")


def _share(threads: int, work: float, name: str, arrays, rows: int, *numbers: int) -> None:
    """Calls a function that takes which of the rows to work on, for all of them, which are so many operations."""
    arrays = [np.ascontiguousarray(array, np.float32) for array in arrays]  # once for all threads
    _each(_parts(threads, work, rows), lambda *part: _call(name, arrays, *part, rows, *numbers))


def _parts(threads: int, work: float, rows: int) -> list[tuple[int, int]]:
    """Returns first row and number of the rows for each thread, where all rows are so many operations."""
    threads = min(threads, 1 + int(work / (WORTH_IN_TILES if tiles_in_use() else WORTH)))
    share = TILE * max(1, -(-rows // (TILE * threads)))
    return [(first, min(share, rows - first)) for first in range(0, rows, share)]


def _each(parts: list[tuple[int, int]], function: Callable) -> None:
    """Calls a function for each part, in a thread each; one that calls C lets the others run."""
    tasks = [_pool().submit(function, *part) for part in parts[1:]]
    for part in parts[:1]:  # there is none of an empty batch
        function(*part)
    for task in tasks:
        task.result()


@functools.cache
def _pool() -> concurrent.futures.Executor:
    return concurrent.futures.ThreadPoolExecutor(thread_name_prefix="lstm")


def _call(name: str, arrays, *numbers: int) -> None:
    arrays = [np.ascontiguousarray(array, np.float32) for array in arrays]  # results are so already
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in arrays]
    if getattr(library(), name)(*pointers, *(ctypes.c_int(number) for number in numbers)):
        raise MemoryError(f"no memory for {name}, sizes {', '.join(map(str, numbers))}")


def _empty(*shape: int) -> np.ndarray:
    size = 4 * int(np.prod(shape))
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(np.float32).reshape(shape)
