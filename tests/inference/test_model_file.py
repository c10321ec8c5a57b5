"""A sandwich in one file: whole and half precision."""

import io
import json
import re
import zipfile

import h5py
import keras
import numpy as np
import pytest

from msw2.inference import trained
from msw2.inference.band import Band
from msw2.inference.model_file import CONFIG, WEIGHTS, ModelFile, rounded, write_model_file
from msw2.inference.trained import open_trained
from msw2.models import prior_arrays
from msw2.training.runs import RunError


@pytest.fixture(scope="module")
def band(smoke_run):
    return Band.load(smoke_run.path)


@pytest.fixture(scope="module")
def halved(band, tmp_path_factory):
    path = tmp_path_factory.mktemp("half") / "small.keras"
    band.save(path, half=True)
    return path


def kernels_of_s(model):
    encoders = [layer for layer in model.layers if layer.name.endswith("_encoder")]
    return [encoder.get_layer("s").kernel for encoder in encoders]


def test_half_precision_rounds_each_weight_once_and_computes_in_float32(band, halved):
    loaded = Band.load(halved)
    assert len(band.model.weights) == len(loaded.model.weights) > 100
    noise = {id(kernel) for kernel in kernels_of_s(band.model)}
    assert len(noise) == 6  # of five BVAEs and the MFG-VAE
    for before, after in zip(band.model.weights, loaded.model.weights, strict=True):
        assert after.dtype == before.dtype
        expected = before.numpy()
        if expected.dtype == np.float32:
            if expected.ndim > 1:
                expected = rounded(expected, 1 if id(before) in noise else 8)
            expected = expected.astype(np.float16).astype(np.float32)
        np.testing.assert_array_equal(after.numpy(), expected, err_msg=before.path)
    points = band.prior.points.astype(np.float16).astype(np.float32)
    assert loaded.prior.points.dtype == np.float32
    np.testing.assert_array_equal(loaded.prior.points, points)
    np.testing.assert_array_equal(loaded.prior.neighbours, band.prior.neighbours)
    assert loaded.model.compute_dtype == "float32"


def test_a_notes_prior_is_rounded_too_and_opened(
    tiny_sandwich, tiny_config, tiny_prior, tmp_path, monkeypatch
):
    monkeypatch.setattr(prior_arrays, "FEWEST", 2**12)
    sizes = {}
    for half in (False, True):
        write_model_file(tmp_path / "m.keras", tiny_sandwich, tiny_config, tiny_prior, half=half)
        sizes[half] = (tmp_path / "m.keras").stat().st_size
        _, found = ModelFile.open(tmp_path / "m.keras").load_sandwich()
        assert found.weights.keys() == tiny_prior.weights.keys()
        for name, weight in tiny_prior.weights.items():
            mine = found.weights[name]
            assert np.array_equal(mine, weight) == (not half or weight.size < 2**12)
            assert (np.abs(mine - weight).max(axis=-1) <= 0.04 * weight.std(axis=-1)).all()
    assert sizes[True] < 0.35 * sizes[False]


def test_a_matrix_is_rounded_to_a_power_of_two_within_an_eighth_of_its_deviation():
    matrix = np.array([[0.7, -0.7, 0.03], [-0.7, 0.7, -0.04]], np.float32)
    # deviation 0.572, an eighth of it 0.0714: the step is 1 / 16
    found = rounded(matrix)
    np.testing.assert_array_equal(found * 16, [[11, -11, 0], [-11, 11, -1]])
    np.testing.assert_array_equal(rounded(matrix, 1) * 2, [[1, -1, 0], [-1, 1, 0]])  # the step is a half
    vector = np.array([0.7, 0.03, 0.011], np.float32)
    np.testing.assert_array_equal(rounded(vector), vector)
    np.testing.assert_array_equal(rounded(np.zeros((2, 3), np.float32)), np.zeros((2, 3)))


def test_keras_itself_loads_half_precision(halved):
    assert keras.models.load_model(halved).get_layer("bass_encoder").weights[0].dtype == "float32"


def test_no_weight_of_float32_is_left_in_a_half_file(halved):
    with zipfile.ZipFile(halved) as archive:
        content = io.BytesIO(archive.read(WEIGHTS))
    kinds = set()
    with h5py.File(content, "r") as file:
        file.visititems(lambda _, member: kinds.add(str(member.dtype)) if hasattr(member, "dtype") else None)
    assert "float16" in kinds
    assert "float32" not in kinds


def test_the_same_model_gives_the_same_bytes(band, halved, tmp_path):
    band.save(tmp_path / "again.keras", half=True)
    assert (tmp_path / "again.keras").read_bytes() == halved.read_bytes()


def test_a_file_says_what_it_is_and_where_its_music_goes(band, halved, smoke_run):
    opened = open_trained(halved)
    assert isinstance(opened, ModelFile)
    assert opened.config == smoke_run.config
    assert opened.preset == "smoke"
    assert str(opened.path) == "msw2-small"  # in the current folder


def test_damage_inside_a_member_is_a_sentence(halved, tmp_path):
    content = bytearray(halved.read_bytes())
    with zipfile.ZipFile(halved) as archive:
        at = archive.getinfo(CONFIG).header_offset + 30 + len(CONFIG)
    content[at + 20 : at + 30] = b"\xff" * 10
    other = tmp_path / "bits.keras"
    other.write_bytes(content)
    with pytest.raises(RunError, match=rf"^{other} is damaged, or no \.keras file of msw2$"):
        open_trained(other)


def test_weights_that_are_not_in_the_package_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr(trained, "WEIGHTS", tmp_path)
    with pytest.raises(RunError, match=r"^this installation of msw2 lacks the packaged weights demo \("):
        open_trained("demo")


def test_a_config_that_is_no_object_is_refused(halved, tmp_path):
    other = tmp_path / "list.keras"
    with zipfile.ZipFile(halved) as source, zipfile.ZipFile(other, "w") as target:
        for name in source.namelist():
            target.writestr(name, json.dumps([1]) if name == CONFIG else source.read(name))
    with pytest.raises(RunError, match=rf"^{other} is damaged, or no \.keras file of msw2$"):
        open_trained(other)


def test_shared_objects_are_counted_and_not_named_by_their_place_in_memory(halved):
    with zipfile.ZipFile(halved) as archive:
        numbers = [
            int(found) for found in re.findall(rb'"shared_object_id": (\d+)', archive.read("config.json"))
        ]
    assert numbers
    assert sorted(set(numbers)) == list(range(1, max(numbers) + 1))
    assert numbers[0] == 1
