"""How a training's process deals with the memory that it frees."""

import ctypes

KEPT = 2**28  # bytes that are free and yet not given back; a step of 256 units at batch 32 uses some 100 MB
LARGEST = 2**25  # bytes of a block that is kept at all; glibc allows no more
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # of mallopt(3)


def keep_freed() -> bool:
    """Tells the C library to keep what is freed, and returns whether it will (glibc does).

    A step allocates and frees tens of megabytes. By default glibc gives much of it back to the system, and takes it
    again in the next step: two to three thousand page faults a step, for pages that are filled with zeros first. They
    took a fifth of the time of stage 1.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return False
    options = ((_TRIM_THRESHOLD, KEPT), (_TOP_PAD, LARGEST), (_MMAP_THRESHOLD, LARGEST))
    return all([mallopt(ctypes.c_int(option), ctypes.c_int(value)) for option, value in options])
