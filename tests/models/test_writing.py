"""What the notes prior learns: sums of nats, against NumPy, and what its network sees."""

import numpy as np
import pytest
import tensorflow as tf

from msw2.models.codes import random_codes
from msw2.models.writer import Writer
from msw2.models.writing import Surprise, onsets, seen
from msw2.training.note_rows import repeats_of, rows_of

SONGS, BARS, TRACKS, STEPS, PITCHES = 2, 4, 5, 6, 7


@pytest.fixture(scope="module")
def surprise():
    writer = Writer(tracks=TRACKS, code=3, steps=STEPS, pitches=PITCHES, width=9)
    return Surprise(writer, random_codes(tracks=TRACKS, code=3, cells=STEPS * PITCHES))


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    cells = rng.random((SONGS, BARS, TRACKS, STEPS, PITCHES)) < 0.1
    cells[0, 2], cells[0, 3, 1], cells[1, 2, 3] = cells[0, 1], cells[0, 2, 1], cells[1, 1, 3]
    given = (rng.random((SONGS, BARS, TRACKS)) < 0.4).astype(np.float32)
    repeats = repeats_of(cells, given)
    told = {
        "cells": cells.reshape(SONGS, BARS, TRACKS, -1).astype(np.uint8),
        "given": given,
        "place": rng.random((SONGS, BARS, 2)).astype(np.float32),
        "repeats": repeats,
        "open": 1 - given,
    }
    learnt = (given == 0) & ~repeats.any(axis=3)
    return told | rows_of(cells, given, learnt, 6, rng)


def read(batch):
    return {name: tf.constant(array) for name, array in batch.items()}


def log_chances(logits):
    logits = logits.astype(np.float64)
    logits -= logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def test_it_sums_the_nats_of_repeats_starts_pitches_and_lengths(surprise, batch):
    found = surprise(read(batch)).numpy()
    repeat, *logits = (each.numpy() for each in surprise.logits(read(batch)))
    total, chances = 0.0, np.exp(log_chances(repeat))
    for unit in np.flatnonzero(batch["open"]):
        again = batch["repeats"].reshape(-1, 14)[unit] > 0
        # Where several references are the same, any of them is right.
        total -= np.log(chances[unit][:14][again].sum() if again.any() else chances[unit][14])
    expected = [total]
    for part, each in enumerate(logits):
        weight = batch["weight"].reshape(-1, 2)[:, min(part, 1)]
        places = np.flatnonzero(weight)
        told = batch["note"].reshape(-1, 3)[places, part]
        expected.append(-log_chances(each)[places, told].sum())
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert min(expected) > 1


def test_what_is_not_learnt_adds_nothing(surprise, batch):
    nothing = batch | {"weight": np.zeros_like(batch["weight"]), "open": np.zeros_like(batch["open"])}
    assert surprise(read(nothing)).numpy().tolist() == [0, 0, 0, 0]


def test_onsets_are_the_notes_that_begin_at_each_step(batch):
    cells = batch["cells"].astype(np.float32)
    found = onsets(tf.constant(cells), STEPS).numpy()
    rolls = cells.reshape(SONGS, BARS, TRACKS, STEPS, PITCHES)
    expected = np.zeros((SONGS, BARS, TRACKS, STEPS))
    for *unit, step, pitch in np.argwhere(rolls):
        expected[(*unit, step)] += step == 0 or not rolls[(*unit, step - 1, pitch)]
    assert np.array_equal(found, expected)


def test_what_sounds_where_a_note_begins_by_hand():
    here = np.zeros((2, TRACKS, PITCHES))
    here[0, 1, [2, 5]], here[0, 3, [0, 6]], here[1, 0, 4] = 1, 1, 1
    known = np.float32([[1, 1, 0, 0, 0], [0, 1, 1, 1, 1]])
    taken = np.zeros((2, PITCHES), bool)
    taken[0, [6, 3]], taken[1, 4] = True, True
    found = seen(tf.constant(here), known, tf.constant([3, 0]), tf.constant(taken), tf.float32).numpy()
    expected = np.zeros((2, TRACKS + 1, PITCHES))
    expected[0, 1, [2, 5]] = 1  # of a track that is written before
    expected[0, TRACKS, 6] = 1  # its own, held from the step before
    expected[1, TRACKS, 4] = 1
    assert np.array_equal(found, expected.reshape(2, -1))


def test_a_reference_that_is_not_known_is_not_read(surprise, batch):
    """What comes after a bar, and is not given, changes none of its logits."""
    other = batch["cells"].copy()
    later = batch["given"][:, 2:, :, None] == 0
    other[:, 2:] = np.where(later, 1 - other[:, 2:], other[:, 2:])
    first, second = (surprise.logits(read(batch | {"cells": each}))[0] for each in (batch["cells"], other))
    first, second = (each.numpy().reshape(SONGS, BARS, TRACKS, 15) for each in (first, second))
    np.testing.assert_allclose(first[:, :2], second[:, :2], atol=1e-5)
    assert np.abs(first[:, 3] - second[:, 3]).max() > 1e-3
