"""Files of priors: what is written is read again, rounded or not, and what is damaged is named."""

import dataclasses
import io

import numpy as np
import pytest

from msw2.models import prior_arrays
from msw2.models.notes_prior import NotesPrior
from msw2.models.prior import Prior
from msw2.models.prior_file import load_prior, read_prior

SIZES = ("units", "latent", "steps", "pitches", "width")


def written(prior, **options):
    file = io.BytesIO()
    prior.write(file, **options)
    return file.getvalue()


def arrays_of(prior):
    arrays = {"kernel": prior.codes.kernel, "offset": prior.codes.offset}
    return arrays | {f"network.{name}": weight for name, weight in prior.weights.items()}


def changed(prior, changes):
    """The file of a prior with some arrays changed, or None for one that is missing."""
    arrays = {name: getattr(prior, name) for name in SIZES} | arrays_of(prior) | changes
    file = io.BytesIO()
    np.savez(file, **{name: array for name, array in arrays.items() if array is not None})
    return io.BytesIO(file.getvalue())


def test_what_is_saved_is_loaded(tiny_prior, tmp_path):
    tiny_prior.save(tmp_path / "prior.npz")
    again = load_prior(tmp_path / "prior.npz")
    assert isinstance(again, NotesPrior)
    assert [getattr(again, name) for name in SIZES] == [2, 4, 8, 6, 16]
    for name, array in arrays_of(tiny_prior).items():
        found = arrays_of(again)[name]
        assert found.dtype == np.float32
        assert np.array_equal(found, array), name
    for name, variable in again.network().variables().items():
        assert np.array_equal(variable.numpy(), tiny_prior.weights[name]), name
    assert written(again) == (tmp_path / "prior.npz").read_bytes() == written(tiny_prior)
    assert [path.name for path in tmp_path.iterdir()] == ["prior.npz"]


def test_a_prior_of_gaussians_is_one_still():
    prior = Prior.isotropic(3, 2, 0.5)
    again = read_prior(io.BytesIO(written(prior)))
    assert isinstance(again, Prior)
    assert (again.units, again.latent, again.noise) == (3, 2, 0.5)


def test_rounded_a_large_matrix_is_off_by_half_a_step_and_what_is_small_stays(tiny_prior, monkeypatch):
    monkeypatch.setattr(prior_arrays, "FEWEST", 400)
    content = written(tiny_prior, half=True)
    assert len(content) < 0.3 * len(written(tiny_prior))
    again, rounded = arrays_of(read_prior(io.BytesIO(content))), 0
    for name, array in arrays_of(tiny_prior).items():
        found = again[name]
        assert found.dtype == np.float32
        if array.ndim < 2 or array.size < 400:
            assert np.array_equal(found, array), name
            continue
        rounded += 1
        step = np.maximum(np.abs(array).max(axis=-1) / 127, array.std(axis=-1) / 16)
        assert (np.abs(array - found).max(axis=-1) <= 0.5001 * step).all(), name
    assert rounded > 20
    with np.load(io.BytesIO(content)) as archive:
        assert archive["kernel"].dtype == np.int8
        assert archive["kernel_step"].shape == (5, 48, 1)
        assert archive["network.note.pitch_told.embeddings"].dtype == np.int8
        assert archive["network.unit.hidden.bias"].dtype == np.float32


def test_a_matrix_of_zeros_is_rounded_to_zeros(monkeypatch):
    monkeypatch.setattr(prior_arrays, "FEWEST", 1)
    found = prior_arrays.rounded("x", np.zeros((2, 3, 4), np.float32))
    assert not found["x"].any()
    assert np.isfinite(found["x_step"]).all()


BIAS = "network.unit.hidden.bias"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": np.int64(0)}, r"units is int64 \[\], not one whole number of 1 to 65535"),
        ({"latent": np.float64(4)}, r"latent is float64 \[\], not one whole number of 1 to 65535"),
        ({"pitches": None}, r"no pitches\.npy in the \.npz file"),
        ({"steps": np.int64(9)}, "48 cells are not 9 steps of 6 pitches"),
        (
            {"steps": np.int64(6), "pitches": np.int64(8)},
            r"network\.unit\.hidden\.kernel has the shape \[122, 512\], not \[112, 512\]",
        ),
        (
            {"width": np.int64(17)},
            r"network\.bars\.bars\.kernel has the shape \[768, 64\], not \[768, 68\]",
        ),
        ({BIAS: None}, r"no network\.unit\.hidden\.bias\.npy in the \.npz file"),
        (
            {BIAS: np.zeros(511, np.float32)},
            r"network\.unit\.hidden\.bias has the shape \[511\], not \[512\]",
        ),
        (
            {BIAS: np.full(512, np.nan, np.float32)},
            r"network\.unit\.hidden\.bias is float32 \[512\], not finite numbers",
        ),
        (
            {BIAS: np.zeros(512, np.int32)},
            r"network\.unit\.hidden\.bias is int32 \[512\], not finite numbers",
        ),
        ({"offset": np.zeros((5, 2), np.float32)}, r"offset has the shape \[5, 2\], not \[5, 3\]"),
        ({"kernel": np.zeros((4, 48, 3), np.float32)}, r"kernel has the shape \[4, 48, 3\], not tracks, .*"),
        ({"kernel": np.zeros((5, 48, 3), np.int8)}, r"no kernel_step\.npy in the \.npz file"),
        (
            {"kernel": np.zeros((5, 48, 3), np.int8), "kernel_step": np.ones((5, 1, 3), np.float32)},
            r"kernel_step has the shape \[5, 1, 3\], not one step a row",
        ),
        (
            {"kernel": np.ones((5, 48, 3), np.int8), "kernel_step": np.float32(np.inf)},
            r"kernel is float32 \[5, 48, 3\], not finite numbers",
        ),
        (
            {"kernel": np.ones((5, 48, 3), np.int8), "kernel_step": np.int64(2)},
            r"kernel is int64 \[5, 48, 3\], not finite numbers",
        ),
    ],
)
def test_what_is_damaged_is_named(tiny_prior, changes, message):
    with pytest.raises(ValueError, match=rf"^({message})") as refused:
        read_prior(changed(tiny_prior, changes))
    assert "\n" not in str(refused.value)


def test_a_truncated_file_is_refused(tiny_prior):
    content = written(tiny_prior)
    for end in (10, len(content) // 2, len(content) - 40):
        with pytest.raises(ValueError, match=r"damaged|no "):
            read_prior(io.BytesIO(content[:end]))


def test_one_step_for_a_whole_array_is_read_too(tiny_prior):
    rounded = {"kernel": np.full((5, 48, 3), 3, np.int8), "kernel_step": np.float32(0.5)}
    assert (read_prior(changed(tiny_prior, rounded)).codes.kernel == 1.5).all()


def test_of_a_config_and_a_network_it_has_their_sizes_and_numbers(tiny_prior, tiny_config):
    wide = dataclasses.replace(tiny_config, unit="phrase")
    assert (tiny_prior.units, tiny_prior.latent, tiny_prior.steps) == (2, 4, 8)
    writer = tiny_prior.network()
    assert NotesPrior.of(wide, tiny_prior.codes, writer).steps == 16
    assert tiny_prior.sizes == {"tracks": 5, "code": 3, "steps": 8, "pitches": 6, "width": 16}
