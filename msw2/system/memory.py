"""Memory that a process frees: the C library keeps it instead of returning it to the system."""

import ctypes

KEPT = 2**28  # free bytes that the C library keeps; a step of 256 units at batch 32 uses some 100 MB
LARGEST = 2**25  # bytes of the largest block that it keeps; glibc allows no more
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # of mallopt(3)


def keep_freed() -> bool:
    """Tells the C library to keep freed memory, and returns whether it will (glibc does).

    A step allocates and frees tens of megabytes. glibc gives much of it back to the system by default, and takes it
    again in the next step. That makes two to three thousand page faults a step, for pages that the kernel first fills
    with zeros. They took a fifth of the time of stage 1.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return False
    options = ((_TRIM_THRESHOLD, KEPT), (_TOP_PAD, LARGEST), (_MMAP_THRESHOLD, LARGEST))
    return all([mallopt(ctypes.c_int(option), ctypes.c_int(value)) for option, value in options])
