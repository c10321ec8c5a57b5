"""Runs of version 0.1, before the sandwich was one model: their weights and their SavedModel answer as they did.

The archive holds two tiny runs with coarse weights (`tuned` and `released` maths), the answers that the version then
gave, and the SavedModel that it exported of the first.
"""

import pathlib
import tarfile

import numpy as np
import pytest
import tensorflow as tf

from msw2.inference.sampling import Sampler
from msw2.training.runs import Run

ARCHIVE = pathlib.Path(__file__).parents[1] / "fixtures" / "run-before.tar.xz"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("before")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(path, filter="data")
    return path


def answers(folder, name):
    with np.load(folder / name / "answers.npz", allow_pickle=False) as file:
        found = {key: file[key] for key in file.files}
    shape = found.pop("shape")
    cells = int(np.prod(shape))
    return {
        key: value if key == "latent" else np.unpackbits(value, count=cells).astype(bool).reshape(shape)
        for key, value in found.items()
    }


@pytest.mark.parametrize("name", ["tuned", "released"])
def test_weights_from_before_give_the_same_music(folder, name):
    run, then = Run.open(folder / name), answers(folder, name)
    assert run.config.precision == "float32"
    sampler = Sampler.of(run)
    now = {
        "restored": sampler.restore(then["given"]),
        "unrefined": sampler.restore(then["given"], refined=False),
        "generated": sampler.generate(3, seed=11, temperature=0.8),
    }
    for key, made in now.items():
        assert 0 < then[key].mean() < 1
        # A sum in another order moves a probability by 1e-7; of 241,920 cells none lies so near to a half.
        assert np.count_nonzero(made != then[key]) == 0, key


def test_a_saved_model_from_before_answers_as_the_weights_do_now(folder):
    then = answers(folder, "tuned")
    served = tf.saved_model.load(str(folder / "tuned" / "export" / "msw2" / "1")).signatures
    restored = served["restore"](pianoroll=tf.constant(then["given"]))["pianoroll"].numpy()
    assert np.array_equal(restored, then["restored"])
    latent = served["encode"](pianoroll=tf.constant(then["given"]))["latent"].numpy()
    np.testing.assert_allclose(latent, then["latent"], atol=1e-5)
