"""Random numbers of a row: the same on whichever device it is."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from msw2.models import draws
from msw2.models.layers import Sampling


@pytest.mark.parametrize("drawing", [lambda x, g: draws.normal(x, g, stddev=2.0), draws.uniform])
def test_devices_draw_for_their_rows_what_one_device_draws_for_all(drawing):
    whole = drawing(tf.zeros([7, 3]), keras.random.SeedGenerator(5)).numpy()
    parts = []
    for first, end in ((0, 2), (2, 4), (4, 7)):
        with draws.sharing(tf.constant(first), tf.constant(end - first), tf.constant(7)):
            parts.append(drawing(tf.zeros([end - first, 3]), keras.random.SeedGenerator(5)).numpy())
    assert np.array_equal(np.concatenate(parts), whole)
    assert len(np.unique(whole)) == 21


def test_a_layer_may_see_several_units_of_a_row():
    whole = draws.uniform(tf.zeros([8, 3]), keras.random.SeedGenerator(5)).numpy()
    with draws.sharing(tf.constant(1), tf.constant(2), tf.constant(4)):  # rows 1 and 2 of 4, two units each
        part = draws.uniform(tf.zeros([4, 3]), keras.random.SeedGenerator(5)).numpy()
    assert np.array_equal(part, whole[2:6])


def test_alone_a_layer_draws_as_keras_does():
    layer, twin = Sampling("multiplier", 0.5, seed=3), keras.random.SeedGenerator(3)
    drawn = layer(tf.ones([4, 6]), always=True).numpy()
    assert np.array_equal(drawn, 1 + keras.random.normal((4, 3), stddev=0.5, seed=twin).numpy())
