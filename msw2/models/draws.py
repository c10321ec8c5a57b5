"""Random numbers for the rows of a batch, where several devices share it."""

import contextlib
import contextvars
from collections.abc import Iterator

import keras
from keras import ops

_SHARE: contextvars.ContextVar[tuple | None] = contextvars.ContextVar("share", default=None)


@contextlib.contextmanager
def sharing(first, rows, total) -> Iterator[None]:
    """Has the layers that are called in the block draw for a whole batch, of which they see some rows.

    Each device draws for all rows of the batch, from the same seed, and keeps what is drawn for its own. So a row
    gets the same numbers on whichever device it is, and however many there are: n devices train as one.

    Args:
        first: number of the first row in the batch that is seen, int32 tensor.
        rows: how many are seen, int32 tensor.
        total: rows of the batch, int32 tensor.
    """
    token = _SHARE.set((first, rows, total))
    try:
        yield
    finally:
        _SHARE.reset(token)


def normal(like, generator: keras.random.SeedGenerator, *, stddev: float):
    """Returns draws of a normal distribution, float32, of the shape of `like`, [row, ...]; see `sharing`."""
    return _drawn(lambda shape: keras.random.normal(shape, stddev=stddev, seed=generator), like)


def uniform(like, generator: keras.random.SeedGenerator):
    """Returns draws in 0..1, float32, of the shape of `like`, [row, ...]; see `sharing`."""
    return _drawn(lambda shape: keras.random.uniform(shape, seed=generator), like)


def _drawn(draw, like):
    shape, share = ops.shape(like), _SHARE.get()
    if share is None:
        return draw(shape)
    first, rows, total = share
    per_row = shape[0] // rows  # a layer may see the units of a batch of phrases
    return draw((total * per_row, *shape[1:]))[first * per_row : first * per_row + shape[0]]
