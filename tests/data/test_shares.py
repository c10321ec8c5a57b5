"""Shares of a batch: all rows, each once, and each as it is in the whole batch."""

import numpy as np
import pytest
import tensorflow as tf

from msw2.data import pipeline
from msw2.data.shares import Share
from msw2.data.stored_units import Units
from msw2.music.grid import Grid

GRID = Grid(bars=1, steps=8, pitches=6, lowest_pitch=40, beat_resolution=2)


@pytest.mark.parametrize(
    ("rows", "bounds"),
    [
        (7, [(0, 2), (2, 4), (4, 7)]),
        (3, [(0, 1), (1, 2), (2, 3)]),
        (2, [(0, 2), (0, 2), (0, 2)]),  # fewer rows than devices: each has all of them
        (1, [(0, 1), (0, 1), (0, 1)]),
    ],
)
def test_shares_of_three_devices(rows, bounds):
    found = [Share(index, 3, 3).bounds(tf.constant(rows)) for index in range(3)]
    assert [(int(first), int(end)) for first, end in found] == bounds


def test_a_process_has_the_rows_of_all_its_devices():
    share = Share(1, 2, devices=4)
    assert share.of(tf.range(10)).numpy().tolist() == [5, 6, 7, 8, 9]
    assert share.of(tf.range(3)).numpy().tolist() == [0, 1, 2]


@pytest.fixture(scope="module")
def units():
    """Units of drums and of another track, in turns of three and two."""
    cells = np.random.default_rng(0).random((23, 8, 6)) < 0.3
    return Units.in_memory(cells, np.arange(23) % 5 < 3, GRID)


@pytest.mark.parametrize(
    "augmentation", [{}, {"max_shift": 3}, {"mixed": 0.7}, {"max_shift": 3, "mixed": 0.7}]
)
def test_shares_side_by_side_are_the_whole_batch(units, augmentation):
    how = {"batch_size": 9, "epoch_units": 20, "seed": 4, "first_epoch": 1, "epochs": 3, **augmentation}
    whole = list(pipeline.training_batches(units, **how).as_numpy_iterator())
    shares = [
        list(pipeline.training_batches(units, **how, share=Share(index, 3, 3)).as_numpy_iterator())
        for index in range(3)
    ]
    assert [len(batch[0]) for batch in whole] == [9, 9, 2, 9, 9, 2]
    for (inputs, targets), *parts in zip(whole, *shares, strict=True):
        assert [total for *_, total in parts] == [len(inputs)] * 3
        if len(inputs) == 2:
            for part in parts:
                assert np.array_equal(part[0], inputs)
            continue
        for index, expected in enumerate((inputs, targets)):
            assert np.array_equal(np.concatenate([part[index] for part in parts]), expected)
            assert [len(part[index]) for part in parts] == [3, 3, 3]


def test_a_share_reads_no_rows_but_its_own_and_those_that_these_are_mixed_with(units):
    read = []
    spied = Units(
        lambda rows: read.append(len(rows)) or units.read(rows), units.is_drum, units.sounding_cells, GRID
    )
    how = {
        "batch_size": 10,
        "epoch_units": 10,
        "seed": 4,
        "first_epoch": 0,
        "epochs": 1,
        "share": Share(0, 5, 5),
    }
    for mixed, expected in ((0.0, 2), (0.5, 4)):
        list(pipeline.training_batches(spied, **how, mixed=mixed))
        assert read == [expected]
        read.clear()


def test_shares_of_held_out_units(units):
    whole = [batch[0] for batch in pipeline.evaluation_batches(units, batch_size=21).as_numpy_iterator()]
    shares = [
        list(pipeline.evaluation_batches(units, batch_size=21, share=Share(index, 2, 2)).as_numpy_iterator())
        for index in range(2)
    ]
    for batch, *parts in zip(whole, *shares, strict=True):
        assert np.array_equal(np.concatenate([part[0] for part in parts]), batch)
        assert [int(part[2]) for part in parts] == [len(batch)] * 2
