"""Keras's dtype policy while models are built."""

import contextlib
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def building_in(precision: str) -> Iterator[None]:
    """Gives the layers that are built inside a dtype policy, and puts the process's own back.

    Args:
        precision: `float32`, `mixed_bfloat16` or `mixed_float16`; `auto`, before a run has resolved it, is float32.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32" if precision == "auto" else precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
