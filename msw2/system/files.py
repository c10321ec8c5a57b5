"""Files that are whole or not there at all."""

import contextlib
import functools
import os
import pathlib
import re
import secrets
import shutil
import time
from collections.abc import Iterator

from msw2.system.owners import Owner

TEMPORARY = re.compile(r"\.msw2-(.+)-[0-9a-f]{8}(\.\w+)?")
LONGEST_SUFFIX = 16
ABANDONED = 86_400.0  # seconds after which a temporary file of another machine is litter


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary path to write to, which becomes `path` when the block ends without an error.

    The temporary file lies beside `path`, since a rename is atomic only within one file system. An error or
    a kill leaves `path` unchanged: absent, or the whole earlier file. What a killed process left in the folder is
    removed.

    Args:
        path: where the file belongs; missing folders are made.

    Raises:
        OSError: of the block, naming `path`.
    """
    path = pathlib.Path(path)
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = beside(path)
        try:
            yield temporary
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def beside(path: pathlib.Path) -> pathlib.Path:
    """Returns a free path beside another one for what is to replace it. Its name says which process it is of.

    What processes that are gone have left in the folder is removed.
    """
    _clear_once(path.parent.resolve(), os.getpid())
    # The suffix stays last: writers such as matplotlib's choose their format by it.
    suffix = path.suffix if len(path.suffix) <= LONGEST_SUFFIX else ""
    return path.with_name(f".msw2-{Owner.me().text()}-{secrets.token_hex(4)}{suffix}")


@contextlib.contextmanager
def naming(path: str | os.PathLike) -> Iterator[None]:
    """Lets the OSErrors of the block name `path` where they name no file, or a temporary one."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and (error.filename is None or _is_temporary(error.filename)):
            error.filename, error.filename2 = os.fspath(path), None
        raise


def copy(source: str | os.PathLike, target: str | os.PathLike) -> None:
    """Copies a file, whole or not at all."""
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)


def _is_temporary(name: str | bytes | int) -> bool:
    return isinstance(name, str) and bool(TEMPORARY.fullmatch(os.path.basename(name)))


def clear(folder: str | os.PathLike) -> None:
    """Removes from a folder, which need not be there, temporary files and folders whose processes are gone."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if (found := TEMPORARY.fullmatch(entry.name)) and _is_litter(entry, Owner.parse(found[1])):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    pathlib.Path(entry.path).unlink(missing_ok=True)


def _is_litter(entry: os.DirEntry, owner: Owner | None) -> bool:
    if owner is None or owner.is_here:
        return owner is not None and owner.is_gone
    return time.time() - entry.stat(follow_symlinks=False).st_mtime > ABANDONED


@functools.lru_cache(maxsize=256)  # a folder is looked through once a process, not once a file
def _clear_once(folder: pathlib.Path, _process: int) -> None:
    clear(folder)
