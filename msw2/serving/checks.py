"""Checks of requests, in the graph. Where one fails, a server answers 400 with a sentence."""

from collections.abc import Callable, Sequence

import tensorflow as tf

from msw2.inference.windows import WINDOW
from msw2.music.grid import Grid
from msw2.serving.contract import MAX_TEMPERATURE


def require(
    condition: tf.Tensor, allowed: str, value: tf.Tensor, received: Sequence[tf.Tensor] = ()
) -> tf.Tensor:
    """Returns a value after a check in the graph. Where that fails, a server answers 400 with the message.

    Args:
        condition: bool, of any shape; has to hold everywhere.
        allowed: what is allowed, for the message.
        value: what may be used only where the condition holds.
        received: shown in the message.
    """
    shown = ["received", *received] if received else []
    check = tf.debugging.Assert(tf.reduce_all(condition), [allowed, *shown])
    with tf.control_dependencies([check]):
        return tf.identity(value)


def checked(function: Callable, specs: list[tf.TensorSpec]) -> Callable:
    """Returns a function that refuses inputs of other shapes, or of different numbers of rows, in the graph."""
    names = [spec.name for spec in specs]
    allowed = (
        f"there are as many rows of {' and '.join([', '.join(names[:-1]), names[-1]])}" if names[1:] else ""
    )

    def refusing(*inputs):
        shaped = [tf.ensure_shape(given, spec.shape) for given, spec in zip(inputs, specs, strict=True)]
        if not allowed:
            return function(*shaped)
        rows = [tf.shape(each)[0] for each in shaped]
        as_many = tf.reduce_all(tf.equal(rows, rows[0]))
        return function(*(require(as_many, allowed, each, rows) for each in shaped))

    return refusing


def heat(temperature: tf.Tensor) -> tf.Tensor:
    """Returns temperatures, float32 [row], that priors can draw with."""
    fits = (temperature >= 0) & (temperature <= MAX_TEMPERATURE)  # NaN does not
    allowed = f"temperatures are numbers from 0 to {MAX_TEMPERATURE:g}"
    return require(fits, allowed, temperature, [temperature])


def share(values: tf.Tensor, what: str) -> tf.Tensor:
    """Returns numbers from 0 to 1, float32 [row]."""
    fits = (values >= 0) & (values <= 1)  # NaN does not
    return require(fits, f"{what} are numbers from 0 to 1", values, [values])


def song_length(bars: tf.Tensor, grid: Grid) -> tf.Tensor:
    """Returns the bars that every song of a request has, int32 [], of their bars one by one, int32 [song]."""
    one = tf.reduce_max(bars)  # of no songs it is below 0
    fits = tf.reduce_all(bars == one) & (one > 0) & (one <= WINDOW) & (one % grid.bars == 0)
    allowed = f"songs are of whole phrases of {grid.bars} bars, up to {WINDOW} bars, all as long as the first"
    return require(fits, allowed, one, [bars])
