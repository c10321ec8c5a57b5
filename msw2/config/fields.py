"""How a field of the config is declared: its type, its bounds or choices, and what it means, in one place."""

import dataclasses
from typing import Any

LARGEST = {int: 2**31 - 1, float: 1e38}  # what counts and computes has 32 bits


def number(text: str, lowest: float | None = None, highest: float | None = None, **more: Any) -> Any:
    """Declares a number.

    Args:
        text: what it means; also the help of its flag.
        lowest: smallest value that is allowed.
        highest: largest value that is allowed; None: `LARGEST` of its type.
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
        # The repr of what is deep may fail.
        shown = f"of type {type(value).__name__}" if isinstance(value, (list, dict)) else repr(value)[:60]
        raise ValueError(f"{field.name} {shown} is not of type {field.type.__name__}")
    allowed = field.metadata.get("choices")
    if allowed and value not in allowed:
        raise ValueError(f"{field.name} {value!r:.60} is not one of {', '.join(allowed)}")
    if field.type not in LARGEST:
        return value
    lowest, highest = field.metadata.get("range", (None, None))
    most = LARGEST[field.type] if highest is None else highest
    # `not (a <= b)` also refuses NaN.
    if not (-most if lowest is None else lowest) <= value <= most:
        bounds = f"{lowest} to {highest}"
        if highest is None:
            bounds = f"at most {most}" if value > most else f"at least {lowest}"
        raise ValueError(f"{field.name} {value!r:.60} is out of range: {bounds}")
    return value
