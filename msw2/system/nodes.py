"""A node of a cluster, as the tasks that come to it find it."""

import os
import socket
from collections.abc import Callable
from typing import Any, NamedTuple

import msw2
from msw2.system.workers import Result


class ClusterError(Exception):
    """A cluster that cannot be used; the message is one sentence for the user."""


class Place(NamedTuple):
    """Where a command was called, which its tasks have to be like.

    Attributes:
        folder: the current folder.
        version: of msw2.
    """

    folder: str
    version: str


def done(place: Place, task: Callable[..., Result], *arguments: Any) -> Result:
    """Returns what a task returns, done on whatever node this is.

    Args:
        place: where its command was called.
        task: a module-level function.
        *arguments: its arguments.

    Raises:
        ClusterError: as for `enter`.
    """
    enter(place)
    return task(*arguments)


def enter(place: Place) -> None:
    """Goes to the folder of the command that this is a task of.

    Raises:
        ClusterError: if this node has another msw2, or no such folder.
    """
    if place.version != msw2.__version__:
        raise ClusterError(
            f"node {socket.gethostname()} has msw2 {msw2.__version__}, not {place.version}: install the same on all"
        )
    try:
        os.chdir(place.folder)
    except OSError as error:
        raise ClusterError(
            f"node {socket.gethostname()} has no folder {place.folder}: call the command in a folder that all share"
        ) from error
