"""Files of priors: what is written is read again, rounded or not, and what is damaged is named."""

import dataclasses
import io

import numpy as np
import pytest

from msw2.models import prior_arrays
from msw2.models.codes import Codes
from msw2.models.diffusion import DiffusionPrior
from msw2.models.prior import Prior
from msw2.models.prior_file import load_prior, read_prior


def written(prior, **options):
    file = io.BytesIO()
    prior.write(file, **options)
    return file.getvalue()


def arrays_of(prior):
    arrays = {field.name: getattr(prior.codes, field.name) for field in dataclasses.fields(Codes)}
    return arrays | {f"weight_{index:03}": weight for index, weight in enumerate(prior.weights)}


def test_what_is_saved_is_loaded(tiny_prior, tmp_path):
    tiny_prior.save(tmp_path / "prior.npz")
    again = load_prior(tmp_path / "prior.npz")
    assert isinstance(again, DiffusionPrior)
    assert (again.units, again.latent, again.width, again.layers) == (2, 4, 64, 2)
    for name, array in arrays_of(tiny_prior).items():
        found = arrays_of(again)[name]
        assert found.dtype == np.float32
        assert np.array_equal(found, array), name
    for mine, weight in zip(again.network().get_weights(), tiny_prior.weights, strict=True):
        assert np.array_equal(mine, weight)
    assert written(again) == (tmp_path / "prior.npz").read_bytes() == written(tiny_prior)
    assert [path.name for path in tmp_path.iterdir()] == ["prior.npz"]


def test_a_prior_of_gaussians_is_one_still():
    prior = Prior.isotropic(3, 2, 0.5)
    again = read_prior(io.BytesIO(written(prior)))
    assert isinstance(again, Prior)
    assert (again.units, again.latent, again.noise) == (3, 2, 0.5)


def test_rounded_a_large_matrix_is_off_by_half_a_step_and_what_is_small_stays(tiny_prior, monkeypatch):
    monkeypatch.setattr(prior_arrays, "FEWEST", 400)
    variance = tiny_prior.codes.variance.copy()
    variance[0] = [50, 1e-3, 1e-3]  # a narrow direction, which no rounding may make 0
    prior = dataclasses.replace(tiny_prior, codes=dataclasses.replace(tiny_prior.codes, variance=variance))
    content = written(prior, half=True)
    assert len(content) < 0.45 * len(written(prior))
    again, rounded = arrays_of(read_prior(io.BytesIO(content))), 0
    for name, array in arrays_of(prior).items():
        found = again[name]
        assert found.dtype == np.float32
        if array.ndim < 2 or array.size < 400:
            assert np.array_equal(found, array), name
            continue
        rounded += 1
        for matrix, made in zip(
            array.reshape(-1, *array.shape[-2:]), found.reshape(-1, *found.shape[-2:]), strict=True
        ):
            step = max(np.abs(matrix).max() / 127, matrix.std() / 16)
            assert np.abs(matrix - made).max() <= 0.5001 * step, name
    assert rounded > 10
    with np.load(io.BytesIO(content)) as archive:
        assert archive["kernel"].dtype == np.int8
        assert archive["kernel_step"].shape == (5, 1, 1)


def test_a_matrix_of_zeros_is_rounded_to_zeros(monkeypatch):
    monkeypatch.setattr(prior_arrays, "FEWEST", 1)
    found = prior_arrays.rounded("x", np.zeros((2, 3, 4), np.float32))
    assert not found["x"].any()
    assert np.isfinite(found["x_step"]).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": np.int64(0)}, r"units is int64 \[\], not one whole number of 1 to 65535"),
        ({"latent": np.float64(4)}, r"latent is float64 \[\], not one whole number of 1 to 65535"),
        ({"width": np.int64(65)}, "width 65 is not a multiple of 64"),
        ({"width": np.int64(128)}, r"weight_000 has the shape \[45, 64\], not \[45, 128\]"),
        ({"layers": np.int64(3)}, r"weight_033 has the shape \[5, 64, 48\], not \[64, 192\]"),
        ({"layers": np.int64(60_000)}, r"weight_033 has the shape \[5, 64, 48\], not \[64, 192\]"),
        ({"weight_003": None}, r"no weight_003\.npy in the \.npz file"),
        ({"weight_001": np.zeros(63, np.float32)}, r"weight_001 has the shape \[63\], not \[64\]"),
        (
            {"weight_001": np.full(64, np.nan, np.float32)},
            r"weight_001 is float32 \[64\], not finite numbers",
        ),
        ({"weight_001": np.zeros(64, np.int32)}, r"weight_001 is int32 \[64\], not finite numbers"),
        ({"variance": np.zeros((5, 3), np.float32)}, "variance is not above 0"),
        ({"middle": np.zeros((5, 2), np.float32)}, r"middle has the shape \[5, 2\], not \[5, 3\]"),
        ({"kernel": np.zeros((5, 48, 3), np.int8)}, r"no kernel_step\.npy in the \.npz file"),
        (
            {"kernel": np.zeros((5, 48, 3), np.int8), "kernel_step": np.ones((5, 48, 1), np.float32)},
            r"kernel_step has the shape \[5, 48, 1\], not one step a matrix",
        ),
        (
            {"kernel": np.ones((5, 48, 3), np.int8), "kernel_step": np.float32(np.inf)},
            r"kernel is float32 \[5, 48, 3\], not finite numbers",
        ),
        (
            {"kernel": np.ones((5, 48, 3), np.int8), "kernel_step": np.int64(2)},
            r"kernel is int64 \[5, 48, 3\]",
        ),
    ],
)
def test_what_is_damaged_is_named(tiny_prior, changes, message):
    sizes = {name: getattr(tiny_prior, name) for name in ("units", "latent", "width", "layers")}
    arrays = {
        name: array for name, array in (sizes | arrays_of(tiny_prior) | changes).items() if array is not None
    }
    file = io.BytesIO()
    np.savez(file, **arrays)
    with pytest.raises(ValueError, match=rf"^({message})"):
        read_prior(io.BytesIO(file.getvalue()))


def test_a_truncated_file_is_refused(tiny_prior):
    content = written(tiny_prior)
    for end in (10, len(content) // 2, len(content) - 40):
        with pytest.raises(ValueError, match=r"damaged|no "):
            read_prior(io.BytesIO(content[:end]))


def test_one_step_for_a_whole_array_is_read_too(tiny_prior):
    """Files before had one."""
    sizes = {name: getattr(tiny_prior, name) for name in ("units", "latent", "width", "layers")}
    file = io.BytesIO()
    rounded = {"kernel": np.full((5, 48, 3), 3, np.int8), "kernel_step": np.float32(0.5)}
    np.savez(file, **sizes, **arrays_of(tiny_prior) | rounded)
    assert (read_prior(io.BytesIO(file.getvalue())).codes.kernel == 1.5).all()
