"""Codes: fitted to bands made by hand, and what they make of cells."""

import dataclasses

import numpy as np
import pytest

from msw2.models import codes
from msw2.models.codes import Codes, random_codes

UNITS, TRACKS, CELLS, SIZE = 300, 5, 7, 4


@pytest.fixture(scope="module")
def band():
    """Means that are sums over cells: means [unit, track, number], cells [track, unit, cell], vectors, silence."""
    rng = np.random.default_rng(0)
    cells = rng.random((TRACKS, UNITS, CELLS)) < rng.uniform(0.1, 0.6, (TRACKS, 1, CELLS))
    vectors = rng.normal(size=(TRACKS, CELLS, SIZE)) * np.arange(1, 6)[:, None, None]
    silence = rng.normal(size=(TRACKS, SIZE))
    means = np.einsum("tuc,tcn->utn", cells, vectors) + silence
    return means.astype(np.float32), cells, vectors, silence


@pytest.fixture
def fitted(band, monkeypatch):
    monkeypatch.setattr(codes, "RIDGE", 0.0)
    return Codes.fit(band[0], iter(band[1]))


def by_track(array):
    """[track, unit, ...] to float32 [song, unit, track, ...]: two songs."""
    array = np.moveaxis(np.asarray(array, np.float32), 0, 1)
    return array.reshape(2, UNITS // 2, *array.shape[1:])


def scales(means):
    """Of each track, the mean of every number, and one deviation for all of them."""
    middle = means.mean(axis=0)
    return middle, np.sqrt(np.square(means - middle).mean(axis=(0, 2)))


def test_what_is_exactly_linear_is_fitted_exactly(band, fitted):
    means, cells, vectors, silence = band
    assert (fitted.cells, fitted.size) == (CELLS, SIZE)
    assert fitted.kernel.dtype == fitted.offset.dtype == np.float32
    middle, deviation = scales(means)
    np.testing.assert_allclose(fitted.kernel, vectors / deviation[:, None, None], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(fitted.offset, (silence - middle) / deviation[:, None], rtol=1e-3, atol=1e-3)
    found = np.asarray(fitted.of_cells(by_track(cells))).reshape(UNITS, TRACKS, SIZE)
    np.testing.assert_allclose(found, (means - middle) / deviation[:, None], rtol=1e-3, atol=2e-3)


def test_codes_have_mean_0_and_deviation_1_over_all_numbers_of_a_track(band, fitted):
    found = np.asarray(fitted.of_cells(by_track(band[1]))).reshape(UNITS, TRACKS, SIZE)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(np.square(found).mean(axis=(0, 2)), 1, atol=1e-3)
    assert np.square(found).mean(axis=0).std() > 0.1  # but not each number by itself


def test_a_cell_that_seldom_sounds_is_doubted():
    """One cell that sounds in 20 of 200 units moves the only number by 1: half of the evidence is the ridge."""
    cells = np.zeros((200, 1), bool)
    cells[:20] = True
    means = np.repeat(cells[:, None].astype(np.float32), TRACKS, axis=1)
    found = Codes.fit(means, [cells] * TRACKS)
    evidence = 200 * 0.1 * 0.9  # sum of squares about the mean
    kernel = evidence / (evidence + 20) / 0.3
    np.testing.assert_allclose(found.kernel, np.full((TRACKS, 1, 1), kernel), rtol=1e-4)
    np.testing.assert_allclose(found.offset, np.full((TRACKS, 1), -0.1 * kernel), rtol=1e-3)


def test_codes_of_probabilities_are_what_is_expected_of_them(fitted):
    chances = np.random.default_rng(2).random((2, 3, TRACKS, CELLS)).astype(np.float32)
    expected = np.einsum("sutc,tcn->sutn", chances, fitted.kernel.astype(np.float64)) + fitted.offset
    np.testing.assert_allclose(fitted.of_cells(chances), expected, atol=1e-4)


def test_codes_of_cells_in_half_precision_are_float32(fitted):
    cells = np.random.default_rng(3).random((2, 3, TRACKS, CELLS)) < 0.3
    found = fitted.of_cells(cells.astype(np.float16))
    assert found.dtype.name == "float32"
    np.testing.assert_allclose(found, fitted.of_cells(cells.astype(np.float32)), atol=0.02)


def test_a_track_that_never_sounds_has_codes_too(band):
    means, cells = band[0].copy(), band[1].copy()
    means[:, 2], cells[2] = [0.5, -1, 2, 0], False
    found = Codes.fit(means, iter(cells))
    found.check()
    assert not found.kernel[2].any()
    np.testing.assert_allclose(found.offset[2], 0, atol=1e-3)
    assert np.isfinite(found.kernel).all()
    assert np.isfinite(found.offset).all()
    assert found.kernel[3].any()


def test_random_codes_are_those_of_their_seed():
    made = random_codes(tracks=TRACKS, code=3, cells=11, seed=1)
    made.check()
    assert (made.kernel.shape, made.offset.shape, made.kernel.dtype) == ((5, 11, 3), (5, 3), np.float32)
    assert np.array_equal(made.kernel, random_codes(tracks=TRACKS, code=3, cells=11, seed=1).kernel)
    assert not np.array_equal(made.kernel, random_codes(tracks=TRACKS, code=3, cells=11).kernel)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"kernel": np.zeros((4, CELLS, SIZE))},
            r"kernel has the shape \[4, 7, 4\], not tracks, cells, numbers",
        ),
        ({"kernel": np.zeros((TRACKS, CELLS))}, r"kernel has the shape \[5, 7\], not tracks, cells, numbers"),
        ({"kernel": np.zeros((TRACKS, 0, SIZE))}, r"kernel has the shape \[5, 0, 4\], not tracks, .*"),
        ({"offset": np.zeros((TRACKS, 3))}, r"offset has the shape \[5, 3\], not \[5, 4\]"),
        ({"offset": np.zeros(TRACKS)}, r"offset has the shape \[5\], not \[5, 4\]"),
    ],
)
def test_arrays_that_do_not_fit_are_named(fitted, changes, message):
    fitted.check()
    with pytest.raises(ValueError, match=rf"^{message}$"):
        dataclasses.replace(fitted, **changes).check()
