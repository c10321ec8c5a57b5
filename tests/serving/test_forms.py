"""Phrases as notes and as PNG images in the graph, against notes drawn by hand and against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from msw2.music.grid import Grid
from msw2.serving.contract import phrase_of_png, png_of_phrase
from msw2.serving.forms import (
    cells_of_notes,
    cells_of_png,
    cells_of_song_png,
    forms,
    notes_of_cells,
    png_of_cells,
    song_forms,
)
from msw2.serving.signatures import written

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
    np.testing.assert_array_equal(cells_of_notes(found["notes"], SMALL, 2), cells.reshape(3, 2, 4, 3, 5))


def test_notes_may_overlap_in_any_order_and_a_drum_is_short():
    notes = [[5, 61, 3, 2], [0, 0, 0, 0], [1, 61, 5, 2], [1, 60, 7, 0], [1, 60, 2, 0], [-7, 999, 0, 9]]
    expected = np.zeros((8, 3, 5), bool)
    expected[1:8, 1, 2] = True
    expected[1, 0, 0] = True
    found = cells_of_notes(tf.constant([notes], tf.int32), SMALL, 2)
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
        cells_of_notes(tf.constant([[[0, 60, 1, 1], note]], tf.int32), SMALL, 2)


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
    assert form.read(written[form.specs[0].name]).shape == (0, 2, 4, 3, 5)


SONGS = np.random.default_rng(5).random((2, 6, 4, 3, 5)) < 0.4  # of three phrases


@pytest.mark.parametrize("form", song_forms(SMALL), ids=lambda form: form.suffix)
def test_songs_go_through_every_form(form):
    inputs = written(form, tf.constant(SONGS))
    cells = tf.function(form.read)(*inputs.values()).numpy()
    np.testing.assert_array_equal(cells, SONGS)
    if form.suffix == "_notes":
        assert inputs["bars"].tolist() == [6, 6]
        assert inputs["notes"][..., 0].max() == 23  # steps are counted over the song
    if form.suffix == "_png":
        found = [phrase_of_png(content, SMALL, 6) for content in inputs["png_bytes"].tolist()]
        np.testing.assert_array_equal(found, SONGS)


@pytest.mark.parametrize("bars", [[6, 4], [0, 0], [3, 3], [66, 66], [-2, -2], []])
def test_songs_of_other_lengths_are_refused(bars):
    notes = tf.zeros([len(bars), 1, 4], tf.int32)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="songs are of whole phrases of 2 bars, up to 64"
    ):
        song_forms(SMALL)[1].read(notes, tf.constant(bars, tf.int32))


def test_a_note_behind_its_song_is_refused():
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"notes are \[step 0..4 x bars - 1, MIDI pitch 60"
    ):
        song_forms(SMALL)[1].read(tf.constant([[[16, 60, 1, 1]]], tf.int32), tf.constant([4]))


@pytest.mark.parametrize(
    ("songs", "message"),
    [
        ([b"", b"GIF89a"], "png_bytes are PNG images of 4 pixels a bar x 3 pixels, 8 bits, greyscale"),
        ([SONGS[0], SONGS[1, :4]], "all as long as the first"),
        ([SONGS[0, :3]] * 2, "songs are of whole phrases of 2 bars"),
        ([np.zeros((66, 4, 3, 5), bool)], "up to 64 bars"),
        ([SONGS[0, :, :3]], "png_bytes are PNG images of 4 pixels a bar"),
        ([SONGS[0].swapaxes(1, 2)], "png_bytes are PNG images of 4 pixels a bar"),
        ([], "songs are of whole phrases"),
    ],
)
def test_images_of_other_songs_are_refused(songs, message):
    content = [song if isinstance(song, bytes) else png_of_phrase(song) for song in songs]
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        tf.function(cells_of_song_png)(tf.constant(content, tf.string), SMALL)
