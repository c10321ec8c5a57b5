"""Weight files: the same bytes for the same weights, whatever else the process did."""

import pathlib

import h5py
import keras
import numpy as np
import pytest

from msw2.models.weights import read_weights, write_weights
from msw2.system.records import RecordError


def make(seed):
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="output")], name="part")


def test_weights_come_back_and_keras_reads_the_file(tmp_path):
    first, second, third = make(1), make(2), make(3)
    write_weights(first, tmp_path / "part.weights.h5")
    read_weights(second, tmp_path / "part.weights.h5")
    third.load_weights(tmp_path / "part.weights.h5")
    for a, b, c in zip(first.get_weights(), second.get_weights(), third.get_weights(), strict=True):
        assert np.array_equal(a, b)
        assert np.array_equal(a, c)


def test_an_optimizer_is_no_part_of_the_weights(tmp_path):
    model, path = make(1), tmp_path / "part.weights.h5"
    write_weights(model, path)
    before = path.read_bytes()
    for _ in range(2):  # the second optimizer has another name
        model.compile("adam", "mse")
        model.optimizer.build(model.trainable_variables)
    write_weights(model, path)
    assert path.read_bytes() == before
    with h5py.File(path) as file:
        assert "optimizer" not in file


def test_a_file_is_read_once(tmp_path, monkeypatch):
    path, opened, read = tmp_path / "part.weights.h5", [], pathlib.Path.read_bytes
    write_weights(make(1), path)

    def read_and_lose(self):
        opened.append(self)
        content = read(self)
        self.unlink()
        return content

    monkeypatch.setattr(pathlib.Path, "read_bytes", read_and_lose)
    model = make(2)
    read_weights(model, path)
    assert opened == [path]
    for a, b in zip(model.get_weights(), make(1).get_weights(), strict=True):
        assert np.array_equal(a, b)


def test_a_file_without_a_checksum_is_read_and_one_of_another_model_is_refused(tmp_path):
    path = tmp_path / "part.weights.h5"
    make(1).save_weights(path)
    model = make(2)
    read_weights(model, path)
    for a, b in zip(model.get_weights(), make(1).get_weights(), strict=True):
        assert np.array_equal(a, b)
    for layers in ([keras.layers.Dense(3, name="output")], [keras.layers.Dense(2), keras.layers.Dense(2)]):
        other = keras.Sequential([keras.Input((3,)), *layers])
        with pytest.raises(RecordError, match="damaged or of another model"):
            read_weights(other, path)


def test_what_is_not_there_is_no_file(tmp_path):
    with pytest.raises(RecordError, match="damaged or of another model"):
        read_weights(make(1), tmp_path / "none.weights.h5")
