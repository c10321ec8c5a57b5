"""Files that are whole or not there at all."""

import contextlib
import os
import pathlib
import secrets
import shutil
from collections.abc import Iterator


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary path to write to, which becomes `path` when the block ends without an error.

    The temporary file lies beside `path`, since a rename is atomic only within one file system. An error or
    a kill leaves `path` unchanged: absent, or the whole earlier file.

    Args:
        path: where the file belongs; missing folders are made.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays last: writers such as matplotlib's choose their format by it.
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def copy(source: str | os.PathLike, target: str | os.PathLike) -> None:
    """Copies a file, whole or not at all."""
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)
