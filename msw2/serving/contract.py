"""What the SavedModel and its clients agree on. Imports neither TensorFlow nor Keras."""

import io

import numpy as np
from PIL import Image

from msw2.music.grid import Grid
from msw2.music.tracks import TRACK_NAMES

MODEL = "msw2"  # name under which it is served
MAX_TEMPERATURE = 10.0  # far beyond 1, the prior as fitted; nothing but noise is left there

PIANOROLL, NOTES, COUNT, PNG, LATENT = (
    "pianoroll",
    "notes",
    "count",
    "png_bytes",
    "latent",
)  # inputs and outputs
AS_NOTES, AS_PNG = "_notes", "_png"  # how the names of signatures end, by the form of their phrases

HEADER_BYTES = 26
MAX_PIXEL = 2 ** len(TRACK_NAMES) - 1


def png_header(grid: Grid) -> bytes:
    """Returns how the PNG file of every phrase begins: its size, eight bits a pixel, greyscale.

    What begins otherwise is refused before it is decompressed: a small file may hold a huge picture.
    """
    size = (grid.bars * grid.steps).to_bytes(4, "big") + grid.pitches.to_bytes(4, "big")
    return b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + size + b"\x08\x00"


def png_kind(grid: Grid) -> str:
    """Returns in words what `png_header` demands."""
    return f"PNG images of {grid.bars * grid.steps} x {grid.pitches} pixels, 8 bits, greyscale"


def png_of_phrase(phrase: np.ndarray) -> bytes:
    """Returns a phrase as a PNG file, without loss: a column a step, a row a pitch, and in each pixel a bit a track.

    Args:
        phrase: bool [bar, step, pitch, track].
    """
    cells = phrase.reshape(-1, *phrase.shape[2:])
    pixels = np.packbits(cells, axis=-1, bitorder="little")[..., 0]
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels.T)).save(file, "PNG")
    return file.getvalue()


def phrase_of_png(content: bytes, grid: Grid) -> np.ndarray:
    """Returns the phrase of a PNG file that `png_of_phrase` or a server made, bool [bar, step, pitch, track].

    Raises:
        ValueError: if it is no PNG file, or not of a phrase of this grid.
    """
    if content[:HEADER_BYTES] != png_header(grid):
        raise ValueError(f"phrases are {png_kind(grid)}")
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            pixels = np.asarray(image).T
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"a damaged PNG image: {error}") from error
    if pixels.max() > MAX_PIXEL:
        raise ValueError(f"a pixel is {pixels.max()}, at most {MAX_PIXEL}: a bit a track")
    cells = np.unpackbits(pixels[..., None], axis=-1, count=len(TRACK_NAMES), bitorder="little")
    return cells.reshape(*grid.phrase_shape, -1).astype(bool)
