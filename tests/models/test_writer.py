"""The network of the notes prior: its weights, what it holds impossible, what voices add."""

import numpy as np
import pytest
import tensorflow as tf

from msw2.models.references import FEATURES, OFFSETS
from msw2.models.writer import (
    IMPOSSIBLE,
    TRUST,
    VOICES,
    Writer,
    length_logits,
    pitch_logits,
    repeat_logits,
    start_logits,
    weight_shapes,
)

TRACKS, STEPS, PITCHES, WIDTH, NOTES = 5, 4, 7, 9, 3
NO_VOICE = np.full((NOTES, VOICES), -1, np.int32)


@pytest.fixture(scope="module")
def writer():
    return Writer(tracks=TRACKS, code=3, steps=STEPS, pitches=PITCHES, width=WIDTH, seed=1)


@pytest.fixture
def note():
    """Arguments of the logits of three notes, of tracks 4, 0, 2, where no voice says anything."""
    rng = np.random.default_rng(0)
    return {
        "state": tf.constant(rng.normal(size=(NOTES, WIDTH)), tf.float32),
        "trust": tf.constant(rng.normal(size=(NOTES, VOICES)), tf.float32),
        "track": tf.constant([4, 0, 2]),
        "voiced": tf.constant(NO_VOICE),
    }


@pytest.fixture
def heard():
    """What sounds where the notes begin."""
    rng = np.random.default_rng(1)
    return tf.constant(rng.random((NOTES, (TRACKS + 1) * PITCHES)) < 0.3, tf.float32)


def possible(logits):
    """Which classes each note may have, as lists."""
    found = np.asarray(logits)
    assert found.dtype == np.float32
    return [np.flatnonzero(row > IMPOSSIBLE).tolist() for row in found]


def test_its_weights_have_the_names_and_shapes_that_are_told_without_it(writer):
    found = {name: tuple(variable.shape) for name, variable in writer.variables().items()}
    sizes = {"tracks": TRACKS, "code": 3, "steps": STEPS, "pitches": PITCHES, "width": WIDTH}
    assert found == weight_shapes(**sizes)
    assert len(found) == sum(len(part.trainable_variables) for part in writer.parts)
    assert all(found != weight_shapes(**sizes | {name: size + 1}) for name, size in sizes.items())


def test_its_fresh_weights_are_those_of_its_seed(writer):
    again, other = (
        Writer(tracks=TRACKS, code=3, steps=STEPS, pitches=PITCHES, width=WIDTH, seed=seed).variables()
        for seed in (1, 2)
    )
    for name, variable in writer.variables().items():
        assert np.array_equal(variable.numpy(), again[name].numpy()), name
    assert not np.array_equal(again["unit.hidden.kernel"].numpy(), other["unit.hidden.kernel"].numpy())


def test_where_a_bar_has_ended_the_state_of_the_notes_begins_anew(writer):
    told = np.random.default_rng(2).normal(size=(1, 5, writer.notes.cell.kernel.shape[0])).astype(np.float32)
    told[..., -1] = [0, 0, 1, 0, 0]
    state = np.asarray(writer.notes(told))
    np.testing.assert_allclose(state[:, 2], 0, atol=1e-6)
    assert np.abs(state[:, 1]).max() > 0.01
    np.testing.assert_allclose(state[:, 3:], writer.notes(told[:, 3:]), atol=1e-6)


def test_a_start_lies_not_before_the_last_one_and_after_the_highest_pitch_beyond_it(writer, note):
    last = tf.constant([[STEPS, PITCHES], [2, 3], [1, PITCHES - 1]])
    logits = start_logits(writer, **note, last=last)
    assert logits.shape == (NOTES, STEPS + 1)
    assert possible(logits) == [[0, 1, 2, 3, 4], [2, 3, 4], [2, 3, 4]]
    final = start_logits(writer, **note, last=tf.constant([[3, PITCHES - 1]] * NOTES))
    assert possible(final) == [[STEPS]] * NOTES  # the end alone


def test_a_pitch_is_higher_than_the_last_at_the_same_start_and_free(writer, note, heard):
    taken = np.zeros((NOTES, PITCHES), bool)
    taken[1, 5], taken[2, [0, 6]] = True, True
    at = {"start": tf.constant([0, 2, 3]), "sounding": heard, "taken": tf.constant(taken)}
    last = tf.constant([[STEPS, PITCHES], [2, 3], [1, 4]])
    logits = pitch_logits(writer, **note, last=last, **at)
    assert logits.shape == (NOTES, PITCHES)
    assert possible(logits) == [[0, 1, 2, 3, 4, 5, 6], [4, 6], [1, 2, 3, 4, 5]]


def test_a_length_ends_within_the_bar(writer, note, heard):
    at = {"start": tf.constant([0, 3, 2]), "pitch": tf.constant([6, 0, 3]), "sounding": heard}
    logits = length_logits(writer, **note, **at)
    assert logits.shape == (NOTES, STEPS)
    assert possible(logits) == [[0, 1, 2, 3], [0], [0, 1]]


def test_a_unit_is_not_a_reference_that_is_not_known():
    rng = np.random.default_rng(3)
    alike = rng.random((2, len(OFFSETS), FEATURES)).astype(np.float32)
    alike[0, :, 0], alike[1, :, 0] = 0, np.arange(len(OFFSETS)) % 3 == 1
    given = rng.normal(size=(2, len(OFFSETS) + 1)).astype(np.float32)
    found = repeat_logits(tf.constant(given, tf.bfloat16), tf.constant(alike))
    assert possible(found) == [[14], [1, 4, 7, 10, 13, 14]]
    np.testing.assert_allclose(found[1, 4], given[1, 4], rtol=0.01)


def of_voices(writer, note, heard, kind, voiced):
    """The logits of starts, pitches or lengths, and how far the network's head follows each voice."""
    note = note | {"voiced": tf.constant(voiced)}
    start, pitch = tf.constant([1, 0, 2]), tf.constant([3, 5, 1])
    if kind == "start":
        last = tf.constant([[STEPS, PITCHES]] * NOTES)
        return start_logits(writer, **note, last=last), writer.start(note["state"])[1]
    if kind == "pitch":
        at = {"start": start, "sounding": heard, "taken": tf.zeros([NOTES, PITCHES], tf.bool)}
        last = tf.constant([[STEPS, PITCHES]] * NOTES)
        return pitch_logits(writer, **note, last=last, **at), writer.pitch([note["state"], heard, start])[1]
    read = [note["state"], heard, start, note["track"] * PITCHES + pitch]
    logits = length_logits(writer, **note, start=start, pitch=pitch, sounding=heard)
    return logits, writer.length(read)[1]


@pytest.mark.parametrize("kind", ["start", "pitch", "length"])
def test_voices_add_their_trust_to_what_they_propose_and_to_nothing_else(writer, note, heard, kind):
    voiced = NO_VOICE.copy()
    voiced[0, [1, 4, 14]] = 0, 0, 2
    voiced[2, 3] = 1
    silent, more = of_voices(writer, note, heard, kind, NO_VOICE)
    found, _ = of_voices(writer, note, heard, kind, voiced)
    added = np.asarray(found) - np.asarray(silent)
    trust = np.asarray(note["trust"]) + np.asarray(more)
    expected = np.zeros_like(added)
    expected[0, 0], expected[0, 2] = trust[0, 1] + trust[0, 4], trust[0, 14]
    expected[2, 1] = trust[2, 3]
    np.testing.assert_allclose(added, expected, atol=1e-5)
    np.testing.assert_allclose(np.asarray(more).mean(), TRUST, atol=0.5)  # before training


def test_each_track_has_logits_of_its_own(writer, note):
    last = tf.constant([[STEPS, PITCHES]] * NOTES)
    of_all = np.asarray(writer.start(note["state"])[0])
    assert of_all.shape == (NOTES, TRACKS, STEPS + 1)
    for track in range(TRACKS):
        made = start_logits(writer, **note | {"track": tf.fill([NOTES], track)}, last=last)
        np.testing.assert_allclose(made, of_all[:, track], atol=1e-6)
