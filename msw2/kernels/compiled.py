"""The compiled functions (`lstm.c`, `matrix.c`) on NumPy arrays: how they are found, checked and called.

This module needs no TensorFlow. All arrays are float32 and contiguous. Gates are in Keras's order: i, f, c, o.
"""

import concurrent.futures
import ctypes
import functools
import importlib.util
from collections.abc import Callable, Sequence

import numpy as np

# Instruction sets, in the order of `best_variant` in cpu.c. A CPU that runs one also runs those before it.
VARIANTS = ("generic", "avx2", "avx512", "avx512bf16", "amx")
ALIGNMENT = 64  # bytes; TensorFlow takes over such an array without a copy
TILE = 16  # rows that are multiplied together: fewer cost as much
LARGEST = 2**31 - 1  # C's int
# So many operations, a millisecond of work, are worth another thread. Each thread packs the kernel.
WORTH, WORTH_IN_BFLOAT16 = 1e8, 5e8


@functools.cache
def load(variant: str) -> ctypes.CDLL | None:
    """Returns the functions for an instruction set, or None if they were not compiled.

    This does not ask whether the CPU can run them: `available` does.
    """
    found = importlib.util.find_spec(f"{__package__}._{variant}")
    return ctypes.CDLL(found.origin) if found and found.origin else None


@functools.cache
def available() -> tuple[str, ...]:
    """Returns the variants that are compiled and that this CPU runs, the best first."""
    generic = load("generic")
    if generic is None:
        return ()
    return tuple(name for name in reversed(VARIANTS[: generic.best_variant() + 1]) if load(name))


def library() -> ctypes.CDLL | None:
    """Returns the functions that this process uses, or None if nothing is compiled."""
    return load(available()[0]) if available() else None


def has_bfloat16() -> bool:
    """Returns whether `bfloat16=True` makes products of bfloat16. Elsewhere it changes nothing."""
    return bool(library() and library().has_bfloat16())


def forward(
    projected: np.ndarray,
    kernel: np.ndarray,
    *,
    hard: bool,
    steps: int | None = None,
    bfloat16: bool = False,
    threads: int = 1,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Runs the recurrence of an LSTM from states of zero.

    Args:
        projected: preactivations without the recurrent product, [step, batch, 4 x unit]. With `steps` it may be
            [1, batch, 4 x unit]: every step then has the same.
        kernel: recurrent kernel [unit, 4 x unit].
        hard: whether gates are clip(x / 5 + 1 / 2, 0, 1) and not sigmoids.
        steps: number of steps; None: the steps of `projected`.
        bfloat16: whether factors of products are rounded to bfloat16, where the CPU multiplies bfloat16. Sums,
            states and gates stay float32.
        threads: threads that share the rows of the batch. Their number changes no result.

    Returns:
        hidden and cell states, each [step + 1, batch, unit], and gates [step, batch, 4 x unit]. The first states
        are zero.

    Raises:
        MemoryError: if memory runs out.
        TypeError: for an array that is not float32.
        ValueError: for shapes that do not fit, or an array that is not contiguous.
    """
    units = _units(kernel)
    given, batch, _ = _check("projected", projected, (None, None, 4 * units))
    steps = given if steps is None else steps
    if given not in {1, steps}:
        raise ValueError(f"projected has {given} steps, not 1 or {steps}")
    hidden, cells = (_empty(steps + 1, batch, units) for _ in range(2))
    gates = _empty(steps, batch, 4 * units)
    numbers = (batch, steps, units, hard, given < steps, bfloat16)
    arrays = (projected, kernel, gates, cells, hidden)
    _share("forward", arrays, numbers, work=2 * gates.size * units, threads=threads, bfloat16=bfloat16)
    return hidden, cells, gates


def backward(
    d_states: np.ndarray,
    kernel: np.ndarray,
    gates: np.ndarray,
    cells: np.ndarray,
    *,
    hard: bool,
    bfloat16: bool = False,
    threads: int = 1,
) -> np.ndarray:
    """Returns the gradient by `projected`, [step, batch, 4 x unit].

    Args:
        d_states: gradient by the hidden states after each step, [step, batch, unit].
        kernel: as `forward` had it.
        gates: as `forward` returned them.
        cells: as `forward` returned them.
        hard: as for `forward`.
        bfloat16: as for `forward`.
        threads: as for `forward`.

    Raises:
        MemoryError: if memory runs out.
        TypeError: for an array that is not float32.
        ValueError: for shapes that do not fit, or an array that is not contiguous.
    """
    units = _units(kernel)
    steps, batch, _ = _check("gates", gates, (None, None, 4 * units))
    _check("cells", cells, (steps + 1, batch, units))
    _check("d_states", d_states, (steps, batch, units))
    d_projected = _empty(steps, batch, 4 * units)
    arrays, numbers = (d_states, kernel, gates, cells, d_projected), (batch, steps, units, hard, bfloat16)
    _share("backward", arrays, numbers, work=2 * gates.size * units, threads=threads, bfloat16=bfloat16)
    return d_projected


def product(
    left: np.ndarray, right: np.ndarray, *, transposed: tuple[bool, bool] = (False, False), threads: int = 1
) -> np.ndarray:
    """Returns the product of two matrices, in bfloat16 if `has_bfloat16`, else in float32.

    Args:
        left: matrix [row, inner].
        right: matrix [inner, column].
        transposed: whether `left` and `right` are transposed first.
        threads: threads that share the rows. Their number changes no result in bfloat16.

    Raises:
        MemoryError: if memory runs out.
        TypeError: for an array that is not float32.
        ValueError: for shapes that do not fit, or an array that is not contiguous.
    """
    rows, inner = _check("left", left, (None, None))[:: -1 if transposed[0] else 1]
    columns = _check("right", right, (None, inner) if transposed[1] else (inner, None))[not transposed[1]]
    if not has_bfloat16():
        pair = zip((left, right), transposed, strict=True)
        return np.matmul(*(each.T if turned else each for each, turned in pair))
    made = _empty(rows, columns)
    numbers = (rows, inner, columns, *transposed)
    work = 2 * rows * inner * columns
    _share("product", (left, right, made), numbers, work=work, threads=threads, bfloat16=True)
    return made


def project(sequences: np.ndarray, kernel: np.ndarray, bias: np.ndarray, background: float) -> np.ndarray:
    """Returns `sequences @ kernel + bias`, fast where most features have one value, right for any.

    Args:
        sequences: [step, batch, feature].
        kernel: [feature, unit].
        bias: [unit].
        background: the value that most features have.

    Returns:
        [step, batch, unit].

    Raises:
        MemoryError: if memory runs out.
        TypeError: for an array that is not float32.
        ValueError: for shapes that do not fit, or an array that is not contiguous.
    """
    steps, batch, features = _check("sequences", sequences, (None, None, None))
    _, units = _check("kernel", kernel, (features, None))
    _check("bias", bias, (units,))
    projected = _empty(steps, batch, units)
    _call("project", (sequences, kernel, bias, projected), background, steps * batch, features, units)
    return projected


def project_backward(
    sequences: np.ndarray, d_projected: np.ndarray, background: float
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the gradients by kernel [feature, unit] and bias [unit] of `project`.

    Args:
        sequences: as for `project`.
        d_projected: gradient by what `project` returns, [step, batch, unit].
        background: as for `project`.

    Raises:
        MemoryError: if memory runs out.
        TypeError: for an array that is not float32.
        ValueError: for shapes that do not fit, or an array that is not contiguous.
    """
    steps, batch, features = _check("sequences", sequences, (None, None, None))
    *_, units = _check("d_projected", d_projected, (steps, batch, None))
    d_kernel, d_bias = _empty(features, units), _empty(units)
    arrays = (sequences, d_projected, d_kernel, d_bias)
    _call("project_backward", arrays, background, steps * batch, features, units)
    return d_kernel, d_bias


def _units(kernel: np.ndarray) -> int:
    """Returns the units of a recurrent kernel, after checking it."""
    units, width = _check("kernel", kernel, (None, None))
    if width != 4 * units:
        raise ValueError(f"kernel has shape {kernel.shape}, not (units, 4 x units)")
    return units


def _check(name: str, array: np.ndarray, shape: Sequence[int | None]) -> tuple[int, ...]:
    """Returns the shape of an array, after checking all that C relies on. None stands for any size."""
    if not isinstance(array, np.ndarray) or array.dtype != np.float32:
        raise TypeError(f"{name} is {getattr(array, 'dtype', type(array).__name__)}, not a float32 array")
    fits = len(array.shape) == len(shape)
    if not fits or any(one not in {None, other} for one, other in zip(shape, array.shape, strict=True)):
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(f"{name} has shape {array.shape}, not ({wanted})")
    if not array.flags.c_contiguous:
        raise ValueError(f"{name} is not contiguous")
    return array.shape


def _share(name: str, arrays, numbers: Sequence[int], *, work: float, threads: int, bfloat16: bool) -> None:
    """Calls a C function that works on some rows, once in each thread.

    Args:
        name: of the function.
        arrays: its arrays.
        numbers: its numbers, the count of all rows first.
        work: operations for all rows.
        threads: most threads to use.
        bfloat16: whether the products are bfloat16.
    """
    parts = _parts(numbers[0], work, threads, bfloat16 and has_bfloat16())
    _each(parts, lambda *part: _call(name, arrays, *part, *numbers))


def _parts(rows: int, work: float, threads: int, bfloat16: bool) -> list[tuple[int, int]]:
    """Returns the first row and the number of rows for each thread."""
    threads = min(threads, 1 + int(work / (WORTH_IN_BFLOAT16 if bfloat16 else WORTH)))
    share = TILE * max(1, -(-rows // (TILE * threads)))
    return [(first, min(share, rows - first)) for first in range(0, rows, share)]


def _each(parts: list[tuple[int, int]], function: Callable) -> None:
    """Calls a function for each part, in a thread each. C code lets other threads run."""
    tasks = [_pool().submit(function, *part) for part in parts[1:]]
    for part in parts[:1]:  # an empty batch has none
        function(*part)
    for task in tasks:
        task.result()


@functools.cache
def _pool() -> concurrent.futures.Executor:
    return concurrent.futures.ThreadPoolExecutor(thread_name_prefix="lstm")


def _call(name: str, arrays, *numbers: float) -> None:
    """Calls a C function with checked arrays, then numbers: a float is C's float, all others are C's int."""
    if max(numbers) > LARGEST // 4:  # C multiplies units by four
        raise ValueError(f"{name} takes sizes up to {LARGEST // 4}, not {max(numbers)}")
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in arrays]
    values = [(ctypes.c_float if isinstance(each, float) else ctypes.c_int)(each) for each in numbers]
    if getattr(library(), name)(*pointers, *values):
        raise MemoryError(f"no memory for {name} of sizes {', '.join(map(str, numbers))}")


def _empty(*shape: int) -> np.ndarray:
    """Returns an aligned float32 array that is not filled."""
    size = 4 * int(np.prod(shape))
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(np.float32).reshape(shape)
