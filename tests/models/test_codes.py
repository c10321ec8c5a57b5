"""The space of the codes: fitted to bands made by hand, and how it is turned into means and drafts."""

import dataclasses

import numpy as np
import pytest

from msw2.models import codes
from msw2.models.codes import Codes
from msw2.music.tracks import TRACK_NAMES

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


def test_what_is_exactly_linear_is_fitted_exactly(band, fitted):
    means, cells, vectors, silence = band
    assert (fitted.cells, fitted.size) == (CELLS, SIZE)
    found = fitted.of_cells(by_track(cells))
    np.testing.assert_allclose(
        found, fitted.of_means(means.reshape(2, -1, TRACKS, SIZE)), rtol=1e-3, atol=2e-4
    )
    np.testing.assert_allclose(fitted.residual, 0, atol=1e-4)
    turned = np.einsum("tcn,tnd->tcd", vectors / fitted.scale[:, None, None], fitted.axes)
    np.testing.assert_allclose(fitted.kernel, turned, rtol=1e-3, atol=1e-3)
    nothing = fitted.to_means(fitted.of_cells(np.zeros((1, 1, TRACKS, CELLS), np.float32)))
    np.testing.assert_allclose(nothing[0, 0], silence, rtol=1e-3, atol=1e-3)


def test_codes_have_variance_1_on_average_along_principal_axes(band, fitted):
    found = np.asarray(fitted.of_means(band[0][None]))[0].astype(np.float64)
    for track in range(TRACKS):
        covariance = np.cov(found[:, track].T, bias=True)
        np.testing.assert_allclose(covariance, np.diag(fitted.variance[track]), atol=1e-4)
        assert np.trace(covariance) / SIZE == pytest.approx(1, abs=1e-4)
        assert (np.diff(fitted.variance[track]) <= 0).all()
        np.testing.assert_allclose(fitted.axes[track].T @ fitted.axes[track], np.eye(SIZE), atol=1e-5)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(fitted.middle, band[0].mean(axis=0), atol=1e-5)


def test_what_the_sum_leaves_out_is_told_for_each_track(band, monkeypatch):
    monkeypatch.setattr(codes, "RIDGE", 0.0)
    noise = np.random.default_rng(1).normal(size=band[0].shape) * np.array([0, 0.2, 0, 0.4, 0])[:, None]
    found = Codes.fit((band[0] + noise).astype(np.float32), iter(band[1]))
    expected = np.array([0, 0.2, 0, 0.4, 0]) / found.scale
    np.testing.assert_allclose(found.residual, expected, atol=0.02)


def test_a_cell_that_seldom_sounds_is_doubted():
    """One cell that sounds in 20 of 200 units moves the only number by 1: half of the evidence is the ridge."""
    cells = np.zeros((200, 1), bool)
    cells[:20] = True
    means = np.repeat(cells[:, None].astype(np.float32), TRACKS, axis=1)
    found = Codes.fit(means, [cells] * TRACKS)
    evidence = 200 * 0.1 * 0.9  # sum of squares about the mean
    expected = evidence / (evidence + 20) / found.scale[0]
    np.testing.assert_allclose(found.kernel[:, 0, 0] * found.axes[:, 0, 0], expected, rtol=1e-4)


def test_means_become_codes_and_means_again(band, fitted):
    means = band[0].reshape(2, -1, TRACKS, SIZE)
    found = np.asarray(fitted.of_means(means))
    expected = np.einsum(
        "sutn,tnd->sutd", (means - fitted.middle) / fitted.scale[:, None], fitted.axes.astype(np.float64)
    )
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(fitted.to_means(found), means, rtol=1e-4, atol=1e-4)


def test_codes_of_probabilities_are_what_is_expected_of_them(band, fitted):
    chances = np.random.default_rng(2).random((2, 3, TRACKS, CELLS)).astype(np.float32)
    expected = np.einsum("sutc,tcn->sutn", chances, fitted.kernel.astype(np.float64)) + fitted.offset
    np.testing.assert_allclose(fitted.of_cells(chances), expected, atol=1e-4)


def test_a_track_that_never_sounds_has_a_space_too(band):
    means, cells = band[0].copy(), band[1].copy()
    means[:, 2], cells[2] = [0.5, -1, 2, 0], False
    found = Codes.fit(means, iter(cells))
    found.check()
    for field in dataclasses.fields(Codes):
        assert np.isfinite(getattr(found, field.name)).all(), field.name
    made = np.asarray(found.to_means(found.of_means(means[None])))
    np.testing.assert_allclose(made[0], means, rtol=1e-4, atol=1e-3)


def test_with_the_axes_of_another_space_other_encoders_are_fitted(band, fitted, monkeypatch):
    means, cells, _, _ = band
    other = (1.1 * means[..., ::-1] + 0.3).astype(np.float32)
    found = Codes.fit(other, iter(cells), like=fitted)
    for name in ("middle", "scale", "axes"):
        assert np.array_equal(getattr(found, name), getattr(fitted, name))
    made = np.asarray(found.of_cells(by_track(cells)))
    np.testing.assert_allclose(made, found.of_means(other.reshape(2, -1, TRACKS, SIZE)), rtol=1e-3, atol=1e-3)
    seen = np.square(np.asarray(found.of_means(other[None]))[0]).mean(axis=0)
    np.testing.assert_allclose(found.variance, seen, rtol=1e-3)


def test_decoding_is_the_decoders_draft(tiny_sandwich, tiny_prior):
    space = tiny_prior.codes
    found = np.random.default_rng(3).normal(size=(2, 3, TRACKS, space.size)).astype(np.float32)
    kernel, bias = space.decoding(tiny_sandwich)
    assert (kernel.shape, bias.shape) == ((TRACKS, space.size, space.cells), (TRACKS, space.cells))
    assert kernel.dtype == bias.dtype == np.float32
    means = np.asarray(space.to_means(found)).reshape(6, TRACKS, space.size)
    for index, track in enumerate(TRACK_NAMES):
        draft = tiny_sandwich.get_layer(f"{track}_decoder").get_layer("draft")
        expected = 0.5 * (np.asarray(draft(means[:, index])) - 6)
        made = found[:, :, index].reshape(6, -1) @ kernel[index] + bias[index]
        np.testing.assert_allclose(made, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel": np.zeros((4, CELLS, SIZE))}, r"kernel has the shape \[4, 7, 4\], not \[5, 7, 4\]"),
        ({"kernel": np.zeros((TRACKS, CELLS))}, r"kernel has the shape \[5, 7\], not \[5, 0, 0\]"),
        ({"kernel": np.zeros((TRACKS, 0, SIZE))}, r"kernel has the shape \[5, 0, 4\], not \[5, 0, 4\]"),
        ({"middle": np.zeros((TRACKS, 3))}, r"middle has the shape \[5, 3\], not \[5, 4\]"),
        ({"axes": np.zeros((TRACKS, SIZE, 3))}, r"axes has the shape \[5, 4, 3\], not \[5, 4, 4\]"),
        ({"residual": np.zeros((TRACKS, 1))}, r"residual has the shape \[5, 1\], not \[5\]"),
        ({"variance": np.zeros((TRACKS, SIZE))}, "variance is not above 0"),
        ({"scale": np.array([1, 1, -1, 1, 1])}, "scale is not above 0"),
    ],
)
def test_arrays_that_do_not_fit_are_named(fitted, changes, message):
    fitted.check()
    with pytest.raises(ValueError, match=rf"^{message}$"):
        dataclasses.replace(fitted, **changes).check()
