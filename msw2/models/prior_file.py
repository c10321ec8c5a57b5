"""Reading a prior of any kind from its file."""

import os
from typing import BinaryIO

from msw2.models.notes_prior import NotesPrior
from msw2.models.prior import Prior
from msw2.music import npz

AnyPrior = Prior | NotesPrior


def load_prior(path: str | os.PathLike) -> AnyPrior:
    """Reads a file that a prior's `save` wrote; errors as for `read_prior`."""
    with open(path, "rb") as source:
        return read_prior(source)


def read_prior(source: BinaryIO) -> AnyPrior:
    """Reads what a prior's `write` wrote.

    Raises:
        ValueError: with the reason, if it is damaged, or its arrays do not make a prior.
    """
    with npz.opened(source) as archive:
        kind = NotesPrior if "kernel.npy" in archive.namelist() else Prior
        return kind.of_archive(archive)
