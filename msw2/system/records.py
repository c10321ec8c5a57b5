"""Records that are read back, JSON and CSV: they are checked against a schema before they are believed.

Every message is a reason. Its reader puts the name of the file before it.
"""

import csv
import io
import json
import math
import os
import pathlib
from collections.abc import Mapping
from typing import Any

MAX_BYTES = 2**26  # of a record: a manifest of a million phrases has some 30 kB
LARGEST = 2**63  # no whole number of a record reaches it


class RecordError(ValueError):
    """A record that is not usable. The message is a reason, to stand behind the file's name."""


def read_json(path: str | os.PathLike, schema: Any, *, max_bytes: int = MAX_BYTES) -> Any:
    """Returns what a JSON file holds.

    Args:
        path: of the file.
        schema: see `checked`.
        max_bytes: size of the largest file.

    Raises:
        RecordError: if the file cannot be read, is larger, is not JSON, or does not fit the schema.
        FileNotFoundError: if it is not there.
    """
    return checked(parse_json(_content(path, max_bytes)), schema)


def parse_json(content: bytes) -> Any:
    """Returns what JSON says.

    Raises:
        RecordError: if it is not JSON.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RecordError("not JSON") from error


def checked(value: Any, schema: Any, place: str = "its content") -> Any:
    """Returns a value that fits a schema.

    Args:
        value: as `json.loads` returns it.
        schema: `int` (a whole number of at least 0), `float` (a finite number), `str`, `bool`; a list of one schema: a
            list whose entries all fit it; a dictionary: an object that has at least these fields, each of its schema.
            The key `...` stands for any other field.
        place: what it is, for the message.

    Raises:
        RecordError: naming the first place that does not fit, what it is, and what is allowed.
    """
    if isinstance(schema, dict):
        _check_object(value, schema, place)
    elif isinstance(schema, list):
        _check_kind(value, list, place, "a list")
        for index, entry in enumerate(value):
            checked(entry, schema[0], f"{place}[{index}]")
    elif schema is int:
        _check_kind(value, int, place, "a whole number")
        if not 0 <= value < LARGEST:
            raise RecordError(f"{place} is {_shown(value)}, not a whole number from 0 on")
    elif schema is float:
        if type(value) not in (int, float) or not -LARGEST < value < LARGEST:  # NaN compares as false
            raise RecordError(f"{place} is {_shown(value)}, not a finite number")
    else:
        _check_kind(value, schema, place, {str: "text", bool: "true or false"}[schema])
    return value


def read_object(
    path: str | os.PathLike, what: str, marks: Mapping[str, str | int], *, max_bytes: int
) -> dict[str, object]:
    """Returns the object of a JSON file that people pass on. The object says its kind and version.

    Args:
        path: of the file.
        what: its kind in words, for the message: `facts about a song`.
        marks: fields that tell its kind and version, and their values. They are checked in this order.
        max_bytes: size of the largest file.

    Raises:
        RecordError: if the file cannot be read, is larger, is not JSON, or is of another kind or version.
    """
    try:
        content = parse_json(_content(path, max_bytes))
    except FileNotFoundError as error:
        raise RecordError(f"cannot be read: {error.strerror}") from error
    for name, value in marks.items():
        if not isinstance(content, dict) or name not in content:
            raise RecordError(f"not {what}: it has no {json.dumps(name)}: {json.dumps(value)}")
        found = content[name]
        if type(found) is not type(value) or found != value:  # `True == 1`, and JSON's true is no version
            raise RecordError(
                f"not {what}: its {json.dumps(name)} is {_shown(found)}, not {json.dumps(value)}"
            )
    return content


def read_table(path: str | os.PathLike, *, max_bytes: int = MAX_BYTES) -> tuple[list[str], list[list[str]]]:
    """Returns the header and the lines of a CSV file, all of one length.

    Raises:
        RecordError: if the file cannot be read, is larger, is no CSV, or a line is longer or shorter than the header.
        FileNotFoundError: if it is not there.
    """
    try:
        text = _content(path, max_bytes).decode("utf-8")
        header, *lines = list(csv.reader(io.StringIO(text, newline=""), strict=True)) or [[]]
    except UnicodeDecodeError as error:
        raise RecordError("not text") from error
    except csv.Error as error:
        raise RecordError(f"no CSV: {error}") from error
    if len(set(header)) != len(header):
        raise RecordError("its header has a name twice")
    for number, line in enumerate(lines, start=2):
        if len(line) != len(header):
            raise RecordError(f"it has {len(line)} cells in line {number}; its header has {len(header)}")
    return header, lines


def as_number(text: str) -> float:
    """Returns the number in a cell of a table; NaN for an empty cell.

    Raises:
        RecordError: if it is none.
    """
    try:
        return float(text) if text else math.nan
    except ValueError as error:
        raise RecordError(f"{text!r:.60} is not a number") from error


def _content(path: str | os.PathLike, max_bytes: int) -> bytes:
    """Returns the bytes of a file."""
    path = pathlib.Path(path)
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise RecordError(f"file too large: {size} bytes, at most {max_bytes}")
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RecordError(f"cannot be read: {error.strerror}") from error


def _check_object(value: Any, schema: dict, place: str) -> None:
    _check_kind(value, dict, place, "an object")
    for name in [name for name in schema if name is not ...]:
        if name not in value:
            raise RecordError(f"{_inside(place, name)} is missing")
        checked(value[name], schema[name], _inside(place, name))
    for name in value.keys() - schema.keys() if ... in schema else ():
        checked(value[name], schema[...], _inside(place, name))


def _check_kind(value: Any, kind: type, place: str, words: str) -> None:
    if type(value) is not kind:  # `True` is an `int`, and no count
        raise RecordError(f"{place} is {_shown(value)}, not {words}")


def _shown(value: Any) -> str:
    """Returns a value for a message; a list or an object, which may be deep, by its kind."""
    kinds = {list: "a list", dict: "an object"}
    return kinds.get(type(value)) or f"{value!r:.60}"


def _inside(place: str, name: str) -> str:
    return f"its {name!r:.60}" if place == "its content" else f"{place}, {name!r:.60}"
