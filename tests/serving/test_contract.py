"""Phrases as PNG images, without TensorFlow."""

import zlib

import numpy as np
import pytest

from msw2.music.grid import Grid
from msw2.serving.contract import phrase_of_png, png_header, png_of_phrase

SMALL = Grid(bars=2, steps=4, pitches=3, lowest_pitch=60, beat_resolution=1)
PHRASE = np.random.default_rng(4).random((2, 4, 3, 5)) < 0.5


def _chunk(kind, content):
    return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")


def _png(rows, width, height, depth=8, colour=0):
    """A PNG file of rows of bytes, written out by hand."""
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([depth, colour, 0, 0, 0])
    lines = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", lines) + _chunk(b"IEND", b"")


def test_columns_are_steps_rows_are_pitches_and_bits_are_tracks():
    rows = np.zeros((3, 8), np.uint8)
    rows[2, 5] = 0b10010  # bar 1, step 1, pitch 2: piano and strings
    rows[0, 3] = 0b00001  # bar 0, step 3, pitch 0: drums
    found = phrase_of_png(_png(rows, 8, 3), SMALL)
    assert found.dtype == bool
    assert np.argwhere(found).tolist() == [[0, 3, 0, 0], [1, 1, 2, 1], [1, 1, 2, 4]]


def test_an_image_gives_back_its_phrase():
    content = png_of_phrase(PHRASE)
    assert content.startswith(png_header(SMALL))
    np.testing.assert_array_equal(phrase_of_png(content, SMALL), PHRASE)


WHOLE = png_of_phrase(PHRASE)
SILENT = np.zeros((3, 8), np.uint8)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "phrases are PNG images of 8 x 3 pixels, 8 bits, greyscale"),
        (_png(SILENT.T, 3, 8), "phrases are PNG images of 8 x 3"),
        (_png(np.zeros((3, 24), np.uint8), 8, 3, colour=2), "phrases are PNG images"),
        (_png(np.zeros((3, 16), np.uint8), 8, 3, depth=16), "phrases are PNG images"),
        (WHOLE[:40], "a damaged PNG image"),
        (WHOLE[:-30], "a damaged PNG image"),
        (_png(SILENT + 32, 8, 3), "a pixel is 32, at most 31"),
    ],
)
def test_other_content_is_refused(content, message):
    with pytest.raises(ValueError, match=message):
        phrase_of_png(content, SMALL)
