"""How a field of the config is declared: its type, its bounds or choices, and what it means, in one place."""

import dataclasses
import math
from typing import Any


def number(text: str, lowest: float | None = None, highest: float | None = None, **more: Any) -> Any:
    """Declares a number.

    Args:
        text: what it means; also the help of its flag.
        lowest: smallest value that is allowed.
        highest: largest value that is allowed; None: any finite one.
        **more: `before`, the value for runs that were made before the field existed.
    """
    return dataclasses.field(metadata={"text": text, "range": (lowest, highest), **more})


def choice(text: str, *allowed: str, **more: Any) -> Any:
    """Declares a word out of some; arguments as for `number`."""
    return dataclasses.field(metadata={"text": text, "choices": allowed, **more})


def switch(text: str, **more: Any) -> Any:
    """Declares a yes or no; arguments as for `number`."""
    return dataclasses.field(metadata={"text": text, **more})


class Part:
    """A part of the config."""

    def check(self) -> None:
        """Checks what fields of this part are to one another.

        Raises:
            ValueError: naming the fields, their values and what is allowed.
        """


def checked(field: dataclasses.Field, value: Any) -> Any:
    """Returns the value of a field, a whole number as float where the field is a float.

    Raises:
        ValueError: for a wrong type, a value out of range, or a word that is no choice.
    """
    if type(value) is int and field.type is float:
        value = float(value)
    if type(value) is not field.type:
        raise ValueError(f"{field.name} {value!r} is not of type {field.type.__name__}")
    allowed = field.metadata.get("choices")
    if allowed and value not in allowed:
        raise ValueError(f"{field.name} {value!r} is not one of {', '.join(allowed)}")
    lowest, highest = field.metadata.get("range", (None, None))
    # `not (a <= b)` also refuses NaN.
    if lowest is not None and not (
        lowest <= value and (value < math.inf if highest is None else value <= highest)
    ):
        bounds = f"at least {lowest}" if highest is None else f"{lowest} to {highest}"
        raise ValueError(f"{field.name} {value!r} is out of range: {bounds}")
    return value
