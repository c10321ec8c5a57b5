"""Small JSON files that people pass on: checked before they are believed."""

import json
import os
import pathlib
from collections.abc import Mapping


class JsonError(ValueError):
    """A JSON file that is not usable. The message is a reason, to stand behind the file's name."""


def read_object(
    path: str | os.PathLike, what: str, marks: Mapping[str, str | int], *, max_bytes: int
) -> dict[str, object]:
    """Returns the object that a JSON file holds.

    Args:
        path: of the file.
        what: its kind in words, for the message: `facts about a song`.
        marks: fields that tell its kind and version, and their values. They are checked in this order.
        max_bytes: size of the largest file.

    Raises:
        JsonError: if the file cannot be read, is larger, is not JSON, or is of another kind or version.
    """
    path = pathlib.Path(path)
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise JsonError(f"file too large: {size} bytes, at most {max_bytes}")
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise JsonError(f"cannot be read: {error.strerror}") from error
    except JsonError:
        raise
    except (ValueError, RecursionError) as error:
        raise JsonError("not JSON") from error
    for name, value in marks.items():
        if not isinstance(content, dict) or name not in content:
            raise JsonError(f"not {what}: it has no {json.dumps(name)}: {json.dumps(value)}")
        found = content[name]
        if type(found) is not type(value) or found != value:  # `True == 1`, and JSON's true is no version
            raise JsonError(f"not {what}: its {json.dumps(name)} is {found!r:.100}, not {json.dumps(value)}")
    return content
