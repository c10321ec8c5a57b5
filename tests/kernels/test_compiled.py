"""The compiled functions against NumPy in float64, in every variant that this CPU runs.

`make sanitize` runs this file alone, without TensorFlow and without conftest.py.
"""

import platform
import shutil
import subprocess
import sysconfig

import numpy as np
import pytest

from msw2.kernels import compiled

FLAGS = {
    "generic": [],
    "avx2": ["-mavx2"],
    "avx512": ["-mavx512f"],
    "avx512bf16": ["-mavx512bf16"],
    "amx": ["-mamx-bf16"],
}
ERROR = {False: 1e-5, True: 2e-2}  # by bfloat16


@pytest.fixture(params=compiled.VARIANTS)
def variant(request, monkeypatch):
    """Each set of instructions, in turn."""
    if request.param not in compiled.available():
        pytest.skip(f"{request.param} is not compiled, or this CPU does not run it")
    monkeypatch.setattr(compiled, "library", lambda: compiled.load(request.param))
    return request.param


@pytest.fixture(params=[False, True], ids=["float32", "bfloat16"])
def bfloat16(request, variant):
    if request.param and not compiled.has_bfloat16():
        pytest.skip("these instructions do not multiply bfloat16")
    return request.param


def test_what_the_compiler_here_can_compile_is_there():
    compiler = (sysconfig.get_config_var("CC") or "cc").split()
    if shutil.which(compiler[0]) is None:
        pytest.skip("there is no C compiler")
    x86 = platform.machine().lower() in {"x86_64", "amd64"}
    missing = []
    for name, flags in FLAGS.items() if x86 else [("generic", [])]:
        command = [*compiler, *flags, "-x", "c", "-fsyntax-only", "-"]
        if not subprocess.run(command, input=b"", capture_output=True, check=False).returncode:
            missing += [] if compiled.load(name) else [name]
    assert not missing, (
        f"there is a C compiler, but msw2 was installed without its compiled functions {', '.join(missing)}: "
        "run `make install`, or `python setup.py build_ext --inplace` to see why"
    )


def test_the_best_variant_that_the_cpu_runs_is_used():
    names = compiled.available()
    assert sorted(names, key=compiled.VARIANTS.index, reverse=True) == list(names)
    if names:
        assert names[-1] == "generic"
        assert compiled.library() is compiled.load(names[0])
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        flags = set(file.read().split())
    if "generic" in names and "fma" in flags:
        assert ("avx2" in names) == ("avx2" in flags)
        assert ("avx512" in names) == ("avx512vl" in flags)
        assert ("avx512bf16" in names) == ("avx512_bf16" in flags)


def test_bfloat16_is_for_the_variants_that_multiply_it(variant):
    assert compiled.has_bfloat16() == (variant in {"avx512bf16", "amx"})


def test_without_a_compiler_nothing_is_there(monkeypatch):
    monkeypatch.setattr(compiled, "available", lambda: ())
    assert compiled.library() is None
    assert not compiled.has_bfloat16()


def oracle(projected, kernel, d_states, hard):
    projected, kernel, d_states = (array.astype(np.float64) for array in (projected, kernel, d_states))
    gate = (lambda x: np.clip(0.2 * x + 0.5, 0, 1)) if hard else (lambda x: 1 / (1 + np.exp(-x)))
    slope = (lambda y: 0.2 * ((y > 0) & (y < 1))) if hard else (lambda y: y * (1 - y))
    zeros = np.zeros((projected.shape[1], kernel.shape[0]))
    hidden, cells, gates = [zeros], [zeros], []
    for step in projected:
        i, f, c, o = np.split(step + hidden[-1] @ kernel, 4, axis=-1)
        i, f, c, o = gate(i), gate(f), np.tanh(c), gate(o)
        cells.append(f * cells[-1] + i * c)
        hidden.append(o * np.tanh(cells[-1]))
        gates.append((i, f, c, o))
    d_hidden, d_cell, made = zeros, zeros, []
    for t in reversed(range(len(projected))):
        i, f, c, o = gates[t]
        squashed = np.tanh(cells[t + 1])
        d_hidden = d_hidden + d_states[t]
        d_cell = d_cell + d_hidden * o * (1 - squashed**2)
        parts = [
            d_cell * c * slope(i),
            d_cell * cells[t] * slope(f),
            d_cell * i * (1 - c**2),
            d_hidden * squashed * slope(o),
        ]
        made.append(np.concatenate(parts, axis=-1))
        d_hidden, d_cell = made[-1] @ kernel.T, d_cell * f
    return np.stack(hidden), np.stack(cells), np.stack(made[::-1])


def given(rng, *shapes):
    return [rng.normal(0, scale, shape).astype(np.float32) for scale, shape in shapes]


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize(
    ("steps", "batch", "units"),
    [(1, 1, 1), (5, 3, 4), (7, 9, 21), (3, 8, 16), (6, 17, 84), (4, 32, 128), (3, 49, 40)],
)
def test_states_and_gradient_are_those_of_numpy(bfloat16, steps, batch, units, hard):
    shapes = (2, (steps, batch, 4 * units)), (0.3, (units, 4 * units)), (1, (steps, batch, units))
    projected, kernel, d_states = given(np.random.default_rng(0), *shapes)  # some gates saturate
    how = {"hard": hard, "bfloat16": bfloat16}
    hidden, cells, gates = compiled.forward(projected, kernel, **how)
    d_projected = compiled.backward(d_states, kernel, gates, cells, **how)
    expected = oracle(projected, kernel, d_states, hard)
    for found, wanted in zip((hidden, cells, d_projected), expected, strict=True):
        assert found.dtype == np.float32
        off = np.abs(found - wanted) > ERROR[bfloat16] * max(1.0, np.abs(wanted).max())
        # Rounded, a hard gate may be just open where it is just shut, and then has another slope.
        assert off.mean() <= (1e-3 if hard and bfloat16 else 0)


def test_bfloat16_rounds_what_is_multiplied_and_only_on_request(variant):
    projected, kernel = given(np.random.default_rng(5), (1, (5, 32, 256)), (0.3, (64, 256)))
    exact, rounded = (
        compiled.forward(projected, kernel, hard=False, bfloat16=each)[0] for each in (False, True)
    )
    error = np.abs(exact - rounded).max()
    assert 1e-4 < error <= 1e-2 if compiled.has_bfloat16() else error == 0
    assert np.abs(exact - oracle(projected, kernel, exact[1:], False)[0]).max() < 1e-5


@pytest.mark.parametrize("batch", [3, 16, 37, 48])
def test_threads_share_the_rows_and_change_nothing(monkeypatch, bfloat16, batch):
    monkeypatch.setattr(compiled, "WORTH", 1.0)
    monkeypatch.setattr(compiled, "WORTH_IN_BFLOAT16", 1.0)
    parts, call = [], compiled._call
    monkeypatch.setattr(compiled, "_call", lambda name, *rest: parts.append(rest[1:3]) or call(name, *rest))
    shapes = (1, (4, batch, 84)), (1, (21, 84)), (1, (4, batch, 21))
    projected, kernel, d_states = given(np.random.default_rng(2), *shapes)

    def states_and_gradient(threads):
        how = {"hard": False, "bfloat16": bfloat16, "threads": threads}
        hidden, cells, gates = compiled.forward(projected, kernel, **how)
        return hidden, cells, gates, compiled.backward(d_states, kernel, gates, cells, **how)

    alone = states_and_gradient(1)
    for threads in (2, 3, 9):
        for one, other in zip(alone, states_and_gradient(threads), strict=True):
            assert np.array_equal(one, other)
    last = parts[-4:]  # of nine threads
    assert set(last) == {(first, min(16, batch - first)) for first in range(0, batch, 16)}


def test_the_same_preactivations_of_all_steps_are_given_once(bfloat16):
    once, kernel = given(np.random.default_rng(6), (1, (1, 19, 20)), (0.3, (5, 20)))
    found = compiled.forward(once, kernel, hard=False, steps=4, bfloat16=bfloat16)
    wanted = compiled.forward(np.repeat(once, 4, axis=0), kernel, hard=False, bfloat16=bfloat16)
    for ours, theirs in zip(found, wanted, strict=True):
        assert np.array_equal(ours, theirs)


def test_an_empty_batch_has_empty_states(bfloat16):
    projected, kernel = np.zeros((4, 0, 20), np.float32), np.zeros((5, 20), np.float32)
    hidden, cells, gates = compiled.forward(projected, kernel, hard=False, bfloat16=bfloat16)
    assert hidden.shape == cells.shape == (5, 0, 5)
    d_projected = compiled.backward(hidden[1:], kernel, gates, cells, hard=False, bfloat16=bfloat16)
    assert d_projected.shape == (4, 0, 20)


def test_little_work_stays_with_one_thread(monkeypatch, bfloat16):
    parts = []
    monkeypatch.setattr(
        compiled, "_call", lambda name, arrays, *numbers: parts.append((numbers[0], *numbers[3:5]))
    )
    sizes = (5, 128), (5, 512), (48, 128), (48, 256)
    for steps, units in sizes:
        kernel = np.zeros((units, 4 * units), np.float32)
        projected = np.zeros((steps, 32, 4 * units), np.float32)
        compiled.forward(projected, kernel, hard=True, bfloat16=bfloat16, threads=2)
    shared = sizes[3:] if bfloat16 else sizes[1:]
    assert sorted(parts) == sorted([(0, *each) for each in sizes] + [(16, *each) for each in shared])


@pytest.mark.parametrize("transposed", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("sizes", [(1, 1, 1), (3, 70, 5), (16, 32, 16), (33, 31, 65), (50, 200, 36)])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.usefixtures("variant")
def test_a_product_is_that_of_numpy(monkeypatch, transposed, sizes, threads):
    monkeypatch.setattr(compiled, "WORTH_IN_BFLOAT16", 1.0)
    rows, inner, columns = sizes
    rng = np.random.default_rng(4)
    left = rng.normal(0, 1, (rows, inner)).astype(np.float32)
    right = (10.0 ** rng.uniform(-6, 6, (inner, columns))).astype(np.float32)  # of very different sizes
    stored = [
        np.ascontiguousarray(each.T) if t else each for each, t in zip((left, right), transposed, strict=True)
    ]
    found = compiled.product(*stored, transposed=transposed, threads=threads)
    assert found.dtype == np.float32
    assert found.shape == (rows, columns)
    wide = left.astype(np.float64), right.astype(np.float64)
    sizes = np.abs(wide[0]) @ np.abs(wide[1])  # of what is added up
    error = 2.0**-7 if compiled.has_bfloat16() else 2.0**-20
    assert error / 1000 < np.max(np.abs(found - wide[0] @ wide[1]) / sizes) <= error


@pytest.mark.usefixtures("variant")
def test_a_product_over_nothing_is_zero():
    made = compiled.product(np.zeros((3, 0), np.float32), np.zeros((0, 2), np.float32))
    assert np.array_equal(made, np.zeros((3, 2)))


@pytest.mark.usefixtures("variant")
def test_gates_far_out_saturate_and_what_is_no_number_stays_none():
    projected = np.array([[[1e9, -1e9, -1e9, 1e9]], [[0.0, np.nan, 0.0, 0.0]]], np.float32)
    hidden, cells, gates = compiled.forward(projected, np.zeros((1, 4), np.float32), hard=False)
    np.testing.assert_allclose(gates[0, 0], [1.0, 0.0, -1.0, 1.0], atol=1e-6)
    assert cells[1, 0, 0] == pytest.approx(-1.0, abs=1e-6)
    assert hidden[1, 0, 0] == pytest.approx(np.tanh(-1.0), abs=1e-6)
    assert np.isnan(cells[2, 0, 0])
    assert np.isnan(hidden[2, 0, 0])


@pytest.mark.parametrize("background", [-1.0, 0.0, 0.25])
@pytest.mark.parametrize("share", [0.0, 0.03, 1.0])
@pytest.mark.parametrize(
    ("steps", "batch", "features", "units"), [(1, 1, 1, 1), (5, 3, 7, 6), (4, 32, 84, 160)]
)
@pytest.mark.usefixtures("variant")
def test_a_projection_and_its_gradient_are_those_of_numpy(  # noqa: PLR0917 - of pytest
    steps, batch, features, units, share, background
):
    rng = np.random.default_rng(3)
    differs = rng.random((steps, batch, features)) < share
    sequences = np.where(differs, rng.normal(0, 1, differs.shape), background).astype(np.float32)
    sequences[0, 0, 0] = 0.5
    shapes = (0.5, (features, units)), (0.5, (units,)), (1, (steps, batch, units))
    kernel, bias, d_projected = given(rng, *shapes)
    found = (
        compiled.project(sequences, kernel, bias, background),
        *compiled.project_backward(sequences, d_projected, background),
    )
    wide = [array.astype(np.float64) for array in (sequences, kernel, bias, d_projected)]
    expected = (
        wide[0] @ wide[1] + wide[2],
        np.einsum("sbp,sbu->pu", wide[0], wide[3]),
        wide[3].sum(axis=(0, 1)),
    )
    for ours, wanted in zip(found, expected, strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, wanted, atol=1e-5 * max(1.0, np.abs(wanted).max()))


def floats(*shape):
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: compiled.forward(floats(2, 3, 8), floats(2, 8).astype(float), hard=False),
            TypeError,
            "kernel is float64, not a float32 array",
        ),
        (
            lambda: compiled.forward([[1.0]], floats(2, 8), hard=False),
            TypeError,
            "projected is list, not a float32 array",
        ),
        (
            lambda: compiled.forward(floats(2, 3, 8), floats(2, 9), hard=False),
            ValueError,
            "kernel has shape (2, 9), not (units, 4 x units)",
        ),
        (
            lambda: compiled.forward(floats(2, 3, 4), floats(2, 8), hard=False),
            ValueError,
            "projected has shape (2, 3, 4), not (any, any, 8)",
        ),
        (
            lambda: compiled.forward(floats(2, 3, 8), floats(8, 2).T, hard=False),
            ValueError,
            "kernel is not contiguous",
        ),
        (
            lambda: compiled.forward(floats(4, 3, 8), floats(2, 8), hard=False, steps=5),
            ValueError,
            "projected has 4 steps, not 1 or 5",
        ),
        (
            lambda: compiled.backward(
                floats(2, 3, 2), floats(2, 8), floats(2, 3, 8), floats(2, 3, 2), hard=False
            ),
            ValueError,
            "cells has shape (2, 3, 2), not (3, 3, 2)",
        ),
        (
            lambda: compiled.backward(
                floats(2, 4, 2), floats(2, 8), floats(2, 3, 8), floats(3, 3, 2), hard=False
            ),
            ValueError,
            "d_states has shape (2, 4, 2), not (2, 3, 2)",
        ),
        (
            lambda: compiled.product(floats(2, 3), floats(4, 5)),
            ValueError,
            "right has shape (4, 5), not (3, any)",
        ),
        (
            lambda: compiled.product(floats(2, 3), floats(4, 5), transposed=(True, True)),
            ValueError,
            "right has shape (4, 5), not (any, 2)",
        ),
        (
            lambda: compiled.project(floats(2, 3, 4), floats(5, 6), floats(6), 0.0),
            ValueError,
            "kernel has shape (5, 6), not (4, any)",
        ),
        (
            lambda: compiled.project(floats(2, 3, 4), floats(4, 6), floats(5), 0.0),
            ValueError,
            "bias has shape (5,), not (6)",
        ),
        (
            lambda: compiled.project_backward(floats(2, 3, 4), floats(2, 2, 6), 0.0),
            ValueError,
            "d_projected has shape (2, 2, 6), not (2, 3, any)",
        ),
        (
            lambda: compiled.forward(floats(1, 1, 4), floats(1, 4), hard=False, steps=2**29),
            ValueError,
            "forward takes sizes up to 536870911, not 536870912",
        ),
    ],
)
def test_what_does_not_fit_never_enters_c(monkeypatch, call, error, message):
    monkeypatch.setattr(compiled, "library", lambda: None)  # to enter it would be an AttributeError
    monkeypatch.setattr(compiled, "_empty", lambda *shape: np.empty(0))
    with pytest.raises(error) as refused:
        call()
    assert str(refused.value) == message
