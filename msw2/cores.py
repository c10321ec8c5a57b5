"""How many CPU cores there are to use."""

import os


def cores() -> int:
    """Returns how many cores this process may run on: those of the machine, or as many as it is confined to."""
    return len(os.sched_getaffinity(0))
