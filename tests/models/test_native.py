"""What is compiled against NumPy in float64, at sizes that fill its tiles and that do not."""

import itertools

import numpy as np
import pytest

from msw2.models import native

pytestmark = pytest.mark.skipif(not native.library(), reason="no C compiler was there at installation")


PRODUCTS = {"bfloat16": 1, "three of bfloat16": 3, "float32": 0}
ERROR = {"bfloat16": 2e-2, "three of bfloat16": 3e-5, "float32": 1e-5}


@pytest.fixture(autouse=True, params=PRODUCTS)
def products(request):
    wanted = PRODUCTS[request.param]
    if native.use_tiles(wanted) != wanted:
        assert not native.has_tiles(wanted)
        pytest.skip("this CPU does not multiply so")
    assert native.has_tiles(wanted) == (wanted > 0)
    yield request.param
    native.use_tiles(3)


@pytest.fixture
def one_product(products):
    if products != "bfloat16":
        pytest.skip("perceptrons are made of one product of bfloat16")


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


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize(
    ("steps", "batch", "units"),
    [(1, 1, 1), (5, 3, 4), (7, 9, 21), (3, 8, 16), (6, 17, 84), (4, 32, 128), (3, 49, 40)],
)
def test_states_and_gradient_are_those_of_numpy(products, steps, batch, units, hard):
    rng = np.random.default_rng(0)
    projected = rng.normal(0, 2, (steps, batch, 4 * units)).astype(np.float32)  # some gates saturate
    kernel = rng.normal(0, 0.3, (units, 4 * units)).astype(np.float32)
    d_states = rng.normal(0, 1, (steps, batch, units)).astype(np.float32)
    hidden, cells, gates = native.forward(projected, kernel, hard)
    d_projected = native.backward(d_states, kernel, gates, cells, hard)
    expected = oracle(projected, kernel, d_states, hard)
    for found, wanted in zip((hidden, cells, d_projected), expected, strict=True):
        assert found.dtype == np.float32
        off = np.abs(found - wanted) > ERROR[products] * max(1.0, np.abs(wanted).max())
        # Rounded, a hard gate may be just open where it is just shut, and then has another slope.
        assert off.mean() <= (1e-3 if hard and products == "bfloat16" else 0)


@pytest.mark.parametrize("batch", [3, 16, 37, 48])
def test_threads_share_the_rows_and_change_nothing(monkeypatch, batch):
    monkeypatch.setattr(native, "WORTH", 1.0)
    monkeypatch.setattr(native, "WORTH_IN_TILES", 1.0)
    parts, call = [], native._call
    monkeypatch.setattr(native, "_call", lambda name, *rest: parts.append(rest[1:3]) or call(name, *rest))
    rng = np.random.default_rng(2)
    projected, kernel, d_states = (
        rng.normal(0, 1, shape).astype(np.float32) for shape in ((4, batch, 84), (21, 84), (4, batch, 21))
    )

    def states_and_gradient(threads):
        hidden, cells, gates = native.forward(projected, kernel, False, threads=threads)
        d_projected = native.backward(d_states, kernel, gates, cells, False, threads=threads)
        return hidden, cells, gates, d_projected

    alone = states_and_gradient(1)
    for threads in (2, 3, 9):
        for one, other in zip(alone, states_and_gradient(threads), strict=True):
            assert np.array_equal(one, other)
    assert set(parts[-4:]) == {
        (first, min(16, batch - first)) for first in range(0, batch, 16)
    }  # of nine threads


def test_the_same_preactivations_of_all_steps_are_given_once():
    rng = np.random.default_rng(6)
    once = rng.normal(0, 1, (1, 19, 20)).astype(np.float32)
    kernel = rng.normal(0, 0.3, (5, 20)).astype(np.float32)
    found = native.forward(once, kernel, False, steps=4)
    for ours, wanted in zip(found, native.forward(np.repeat(once, 4, axis=0), kernel, False), strict=True):
        assert np.array_equal(ours, wanted)
    with pytest.raises(ValueError, match="preactivations of 4 steps are not those of 5"):
        native.forward(np.repeat(once, 4, axis=0), kernel, False, steps=5)


def test_an_empty_batch_has_empty_states():
    projected, kernel = np.zeros((4, 0, 20), np.float32), np.zeros((5, 20), np.float32)
    hidden, cells, gates = native.forward(projected, kernel, False)
    assert hidden.shape == cells.shape == (5, 0, 5)
    assert native.backward(hidden[1:], kernel, gates, cells, False).shape == (4, 0, 20)


def test_little_work_stays_with_one_thread(monkeypatch, products):
    parts = []
    monkeypatch.setattr(
        native, "_call", lambda name, arrays, *numbers: parts.append((numbers[0], *numbers[3:5]))
    )
    sizes = (5, 128), (5, 512), (48, 128), (48, 256)
    for steps, units in sizes:
        kernel = np.zeros((units, 4 * units), np.float32)
        native.forward(np.zeros((steps, 32, 4 * units), np.float32), kernel, True, threads=2)
    shared = sizes[1:] if products == "float32" else sizes[3:]
    assert sorted(parts) == sorted([(0, *each) for each in sizes] + [(16, *each) for each in shared])


@pytest.mark.parametrize("transposed", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("sizes", [(1, 1, 1), (3, 70, 5), (16, 32, 16), (33, 31, 65), (50, 200, 36)])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_product_is_that_of_numpy(monkeypatch, products, transposed, sizes, threads):
    monkeypatch.setattr(native, "WORTH", 1.0)
    monkeypatch.setattr(native, "WORTH_IN_TILES", 1.0)
    rows, inner, columns = sizes
    rng = np.random.default_rng(4)
    left = rng.normal(0, 1, (rows, inner)).astype(np.float32)
    right = (10.0 ** rng.uniform(-6, 6, (inner, columns))).astype(np.float32)  # of very different sizes
    stored = [
        np.ascontiguousarray(each.T) if t else each for each, t in zip((left, right), transposed, strict=True)
    ]
    found = native.product(*stored, transposed=transposed, threads=threads)
    assert found.dtype == np.float32 and found.shape == (rows, columns)
    wide = left.astype(np.float64), right.astype(np.float64)
    sizes = np.abs(wide[0]) @ np.abs(wide[1])  # of what is added up
    error = {"bfloat16": 2.0**-7, "three of bfloat16": 2.0**-15, "float32": 2.0**-20}[products]
    assert error / 1000 < np.max(np.abs(found - wide[0] @ wide[1]) / sizes) <= error


def test_a_product_over_nothing_is_zero():
    assert np.array_equal(native.product(np.zeros((3, 0)), np.zeros((0, 2))), np.zeros((3, 2)))


def test_products_are_made_as_they_are_wanted(products):
    assert native.tiles_in_use() == PRODUCTS[products]
    rng = np.random.default_rng(5)
    projected = rng.normal(0, 1, (5, 32, 256)).astype(np.float32)
    kernel = rng.normal(0, 0.3, (64, 256)).astype(np.float32)
    hidden = native.forward(projected, kernel, False)[0]
    native.use_tiles(0)
    error = np.abs(hidden - native.forward(projected, kernel, False)[0]).max()
    low, high = {"bfloat16": (1e-4, 1e-2), "three of bfloat16": (1e-8, 1e-5), "float32": (-1, 0)}[products]
    assert low < error <= high


def test_gates_far_out_saturate_and_what_is_no_number_stays_none():
    projected = np.array([[[1e9, -1e9, -1e9, 1e9]], [[0.0, np.nan, 0.0, 0.0]]], np.float32)
    hidden, cells, gates = native.forward(projected, np.zeros((1, 4), np.float32), False)
    np.testing.assert_allclose(gates[0, 0], [1.0, 0.0, -1.0, 1.0], atol=1e-6)
    assert cells[1, 0, 0] == pytest.approx(-1.0, abs=1e-6)
    assert hidden[1, 0, 0] == pytest.approx(np.tanh(-1.0), abs=1e-6)
    assert np.isnan(cells[2, 0, 0]) and np.isnan(hidden[2, 0, 0])


def test_an_array_that_is_not_contiguous_is_read_as_it_is():
    rng = np.random.default_rng(1)
    projected, kernel = rng.normal(0, 1, (4, 3, 20)), rng.normal(0, 0.3, (20, 5))
    plain = native.forward(projected.astype(np.float32), kernel.T.astype(np.float32, order="C"), False)
    strided = native.forward(projected, kernel.T, False)
    for one, other in zip(plain, strided, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("share", [0.0, 0.03, 1.0])
@pytest.mark.parametrize(
    ("steps", "batch", "pitches", "units"), [(1, 1, 1, 1), (5, 3, 7, 6), (4, 32, 84, 160)]
)
def test_a_projection_and_its_gradient_are_those_of_numpy(steps, batch, pitches, units, share):
    rng = np.random.default_rng(3)
    pianoroll = np.where(rng.random((steps, batch, pitches)) < share, 1, -1).astype(np.float32)
    pianoroll[0, 0, 0] = 0.25  # neither silent nor sounding
    kernel, bias = (rng.normal(0, 0.5, shape).astype(np.float32) for shape in ((pitches, units), units))
    d_projected = rng.normal(0, 1, (steps, batch, units)).astype(np.float32)
    found = native.project(pianoroll, kernel, bias), *native.project_backward(pianoroll, d_projected)
    wide = [array.astype(np.float64) for array in (pianoroll, kernel, bias, d_projected)]
    expected = (
        wide[0] @ wide[1] + wide[2],
        np.einsum("sbp,sbu->pu", wide[0], wide[3]),
        wide[3].sum(axis=(0, 1)),
    )
    for ours, wanted in zip(found, expected, strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, wanted, atol=1e-5 * max(1.0, np.abs(wanted).max()))


def perceptron_oracle(rows, weights, d_made):
    rows, d_made, *weights = (array.astype(np.float64) for array in (rows, d_made, *weights))
    states, layers = [rows], list(zip(weights[::2], weights[1::2], strict=True))
    for kernel, bias in layers:
        states.append(np.maximum(states[-1] @ kernel + bias, 0))
    made = states[-2] @ kernel + bias
    gradients = []
    for (kernel, _), before in zip(reversed(layers), states[-2::-1], strict=True):
        gradients[:0] = [before.T @ d_made, d_made.sum(axis=0)]
        d_made = (d_made @ kernel.T) * (before > 0)
    return made, gradients


def dense_weights(rng, sizes):
    """Kernels of He's deviation, so that states neither die out nor grow, and biases."""
    weights = []
    for features, units in itertools.pairwise(sizes):
        kernel = rng.normal(0, np.sqrt(2 / features), (features, units))
        weights += [kernel.astype(np.float32), rng.normal(0, 0.3, units).astype(np.float32)]
    return weights


@pytest.mark.usefixtures("one_product")
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (1, (1, 1, 1)),
        (20, (5, 3)),
        (37, (84, 33, 16, 5)),
        (301, (40, 65, 84)),
        (700, (84, 96, 64, 32, 84)),
    ],
)
def test_a_perceptron_and_its_gradient_are_those_of_numpy(monkeypatch, count, sizes, threads):
    monkeypatch.setattr(native, "WORTH_IN_TILES", 1.0)
    rng = np.random.default_rng(7)
    rows = np.where(rng.random((count, sizes[0])) < 0.1, 0.9, -1 + 0.1 * rng.random((count, sizes[0])))
    weights = dense_weights(rng, sizes)
    d_made = rng.normal(0.5, 1, (count, sizes[-1])).astype(np.float32)
    made, kept = native.perceptron(rows.astype(np.float32), *weights, threads=threads)
    found = native.perceptron_backward(d_made, kept, *weights, threads=threads)
    wanted, gradients = perceptron_oracle(rows, weights, d_made)
    assert [each.dtype for each in (made, kept, *found)] == [np.float32, np.uint16] + [np.float32] * len(
        found
    )
    assert np.linalg.norm(made - wanted) <= 5e-3 * np.linalg.norm(wanted)
    for index, (ours, theirs) in enumerate(zip(found, gradients, strict=True)):
        last = index >= len(found) - 2  # before it, a state may be just positive where it is just not
        assert ours.shape == theirs.shape
        assert np.linalg.norm(ours - theirs) <= (5e-3 if last else 5e-2) * np.linalg.norm(theirs)


@pytest.mark.usefixtures("one_product")
def test_a_perceptron_tells_apart_what_is_nearly_silent():
    rng = np.random.default_rng(8)
    above = (10.0 ** rng.uniform(-5, -3, (50, 84))).astype(
        np.float32
    )  # far less than a step of bfloat16 at -1
    kernel, bias = dense_weights(rng, (84, 7))
    made, kept = native.perceptron(above - 1, kernel, bias)
    above = (above - 1).astype(np.float64) + 1  # as near as float32 is
    error = np.abs(made - ((above - 1) @ kernel.astype(np.float64) + bias))
    assert np.all(error <= 2.0**-7 * (above @ np.abs(kernel)) + 1e-5)
    d_made = rng.normal(0, 1, (50, 7)).astype(np.float32)
    d_kernel, d_bias = native.perceptron_backward(d_made, kept, kernel, bias)
    error = np.abs(d_kernel + d_bias - above.T @ d_made.astype(np.float64))
    assert np.all(error <= 2.0**-7 * (above.T @ np.abs(d_made)) + 1e-5)


@pytest.mark.usefixtures("one_product")
def test_a_perceptron_of_no_rows_has_gradients_of_zero():
    weights = dense_weights(np.random.default_rng(9), (3, 4, 2))
    made, kept = native.perceptron(np.zeros((0, 3), np.float32), *weights)
    assert made.shape == (0, 2)
    gradients = native.perceptron_backward(made, kept, *weights)
    assert [each.shape for each in gradients] == [(3, 4), (4,), (4, 2), (2,)]
    assert not any(each.any() for each in gradients)


@pytest.mark.usefixtures("one_product")
def test_what_is_no_number_stays_none_in_a_perceptron():
    rows = np.full((40, 3), -1, np.float32)
    rows[17, 1] = np.nan
    made, _ = native.perceptron(rows, *dense_weights(np.random.default_rng(9), (3, 4, 2)))
    assert np.isnan(made[17]).all() and np.isfinite(np.delete(made, 17, axis=0)).all()
