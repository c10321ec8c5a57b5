"""Phrases as notes and as PNG images in the graph, against notes drawn by hand and against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from msw2.music.grid import Grid
from msw2.serving.contract import phrase_of_png, png_of_phrase
from msw2.serving.forms import cells_of_notes, cells_of_png, forms, notes_of_cells, png_of_cells

SMALL = Grid(bars=2, steps=4, pitches=3, lowest_pitch=60, beat_resolution=1)
PHRASES = np.random.default_rng(4).random((6, 2, 4, 3, 5)) < 0.4


def test_notes_are_step_midi_pitch_length_and_track():
    cells = np.zeros((3, 8, 3, 5), bool)  # [phrase, step, pitch, track]
    cells[0, 2:6, 1, 3] = True  # over the bar line
    cells[0, 7, 1, 3] = True
    cells[0, 0, 0, 1] = True
    cells[0, 4:6, 2, 0] = True  # two hits of the drums
    cells[2, :, 2, 4] = True
    found = notes_of_cells(tf.constant(cells.reshape(3, 2, 4, 3, 5)), SMALL)
    assert found["count"].numpy().tolist() == [5, 0, 1]
    assert found["notes"].dtype == found["count"].dtype == tf.int32
    assert found["notes"].numpy().tolist() == [
        [[4, 62, 1, 0], [5, 62, 1, 0], [0, 60, 1, 1], [2, 61, 4, 3], [7, 61, 1, 3]],
        [[0, 0, 0, 0]] * 5,
        [[0, 62, 8, 4]] + [[0, 0, 0, 0]] * 4,
    ]
    np.testing.assert_array_equal(cells_of_notes(found["notes"], SMALL), cells.reshape(3, 2, 4, 3, 5))


def test_notes_may_overlap_in_any_order_and_a_drum_is_short():
    notes = [[5, 61, 3, 2], [0, 0, 0, 0], [1, 61, 5, 2], [1, 60, 7, 0], [1, 60, 2, 0], [-7, 999, 0, 9]]
    expected = np.zeros((8, 3, 5), bool)
    expected[1:8, 1, 2] = True
    expected[1, 0, 0] = True
    found = cells_of_notes(tf.constant([notes], tf.int32), SMALL)
    np.testing.assert_array_equal(found.numpy()[0].reshape(8, 3, 5), expected)


@pytest.mark.parametrize(
    "note",
    [
        [-1, 60, 1, 1], [8, 60, 1, 1], [0, 59, 1, 1], [0, 63, 1, 1], [0, 60, 9, 1], [7, 60, 2, 1],
        [0, 60, -1, 1], [0, 60, 1, 5], [0, 60, 1, -1], [-(2**31), 60, 2**31 - 1, 1], [7, 60, 2, 0],
    ],
)  # fmt: skip
def test_notes_outside_the_phrase_are_refused(note):
    allowed = r"notes are \[step 0..7, MIDI pitch 60..62, length in steps .*, track 0..4\]"
    with pytest.raises(tf.errors.InvalidArgumentError, match=allowed):
        cells_of_notes(tf.constant([[[0, 60, 1, 1], note]], tf.int32), SMALL)


def test_an_image_of_the_graph_is_one_of_the_client():
    made = png_of_cells(tf.constant(PHRASES), SMALL).numpy()
    np.testing.assert_array_equal([phrase_of_png(content, SMALL) for content in made], PHRASES)
    sent = tf.constant([png_of_phrase(phrase) for phrase in PHRASES])
    np.testing.assert_array_equal(cells_of_png(sent, SMALL), PHRASES)


def test_images_of_other_kinds_are_refused():
    whole = png_of_phrase(PHRASES[0])
    other = png_of_phrase(PHRASES[0].reshape(1, 8, 3, 5)[:, :4])
    bright = tf.io.encode_png(np.full((3, 8, 1), 32, np.uint8)).numpy()
    for content, message in (
        (b"", "png_bytes are PNG images of 8 x 3 pixels, 8 bits, greyscale"),
        (other, "png_bytes are PNG images of 8 x 3"),
        (whole[:40], "Invalid PNG"),
        (bright, "pixels are 0..31"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            tf.function(cells_of_png)(tf.constant([whole, content]), SMALL)


@pytest.mark.parametrize("form", forms(SMALL), ids=lambda form: form.suffix)
def test_no_phrases_are_no_phrases_in_every_form(form):
    nothing = tf.zeros([0, 2, 4, 3, 5], tf.bool)
    written = form.write(nothing)
    assert all(len(value) == 0 for value in written.values())
    assert form.read(written[form.spec.name]).shape == (0, 2, 4, 3, 5)
