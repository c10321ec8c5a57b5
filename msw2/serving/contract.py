"""What the SavedModel and its clients agree on. Imports neither TensorFlow nor Keras."""

import io

import numpy as np
from PIL import Image

from msw2.music.grid import Grid
from msw2.music.tracks import TRACK_NAMES

MODEL = "msw2"  # name under which it is served
MAX_TEMPERATURE = 10.0  # far beyond 1, the prior as fitted; nothing but noise is left there

# Names of inputs and outputs.
PIANOROLL, NOTES, COUNT, PNG, LATENT = "pianoroll", "notes", "count", "png_bytes", "latent"
SEED, TEMPERATURE = "seed", "temperature"
BARS, MORE, WRITE, GIVEN, WHERE = "bars", "more", "write", "given", "where"
AMOUNT, SHARE = "amount", "share"
FIRST, SECOND = "first_{}", "second_{}"  # names of two phrases, by the name of one
AS_NOTES, AS_PNG = "_notes", "_png"  # how the names of signatures end, by the form of their phrases

HEADER_BYTES = 26
MAX_PIXEL = 2 ** len(TRACK_NAMES) - 1


def png_header(grid: Grid, bars: int | None = None) -> bytes:
    """Returns how a PNG file begins: its size, eight bits a pixel, greyscale.

    What begins otherwise is refused before it is decompressed: a small file may hold a huge picture.

    Args:
        grid: of what is drawn.
        bars: of a song; None: of a phrase.
    """
    width = (grid.bars if bars is None else bars) * grid.steps
    size = width.to_bytes(4, "big") + grid.pitches.to_bytes(4, "big")
    return b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + size + b"\x08\x00"


def png_kind(grid: Grid, bars: int | None = None) -> str:
    """Returns in words what `png_header` demands."""
    width = (grid.bars if bars is None else bars) * grid.steps
    return f"PNG images of {width} x {grid.pitches} pixels, 8 bits, greyscale"


def png_of_phrase(phrase: np.ndarray) -> bytes:
    """Returns a phrase, or a song, as a PNG file, without loss.

    A column is a step, a row is a pitch, and each pixel has a bit a track.

    Args:
        phrase: bool [bar, step, pitch, track].
    """
    cells = phrase.reshape(-1, *phrase.shape[2:])
    pixels = np.packbits(cells, axis=-1, bitorder="little")[..., 0]
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels.T)).save(file, "PNG")
    return file.getvalue()


def phrase_of_png(content: bytes, grid: Grid, bars: int | None = None) -> np.ndarray:
    """Returns what is in a PNG file that `png_of_phrase` or a server made, bool [bar, step, pitch, track].

    Args:
        content: of the file.
        grid: of what is drawn.
        bars: of a song; None: it is a phrase.

    Raises:
        ValueError: if it is no PNG file, or not of this grid and so many bars.
    """
    if content[:HEADER_BYTES] != png_header(grid, bars):
        raise ValueError(f"{'phrases' if bars is None else 'songs'} are {png_kind(grid, bars)}")
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            pixels = np.asarray(image).T
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"a damaged PNG image: {error}") from error
    if pixels.max() > MAX_PIXEL:
        raise ValueError(f"a pixel is {pixels.max()}, at most {MAX_PIXEL}: a bit a track")
    cells = np.unpackbits(pixels[..., None], axis=-1, count=len(TRACK_NAMES), bitorder="little")
    return cells.reshape(-1, *grid.phrase_shape[1:], len(TRACK_NAMES)).astype(bool)
