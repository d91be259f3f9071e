"""Memory that was freed, given back to the system: glibc keeps it otherwise. With another C library nothing happens.

A compilation makes files of megabytes beside the ones before, in a thread of its own; lists of thousands of objects
come and go. What is free between two of them is a tenth of the operator, and more with each heap that glibc makes for
a thread.
"""

import ctypes

_M_MMAP_THRESHOLD, _LARGE_BYTES = -3, 256 * 1024
_M_ARENA_MAX, _HEAPS = -8, 1
"""glibc's names for them, in `malloc.h`."""


def keep_small() -> bool:
    """Let large blocks go back as soon as they are free, and all threads share one heap; tell whether that was said.

    Before any thread: a heap that is there stays. Python's threads allocate one at a time anyhow.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)) and bool(mallopt(_M_ARENA_MAX, _HEAPS))


def give_back() -> bool:
    """Give back all pages in which nothing is; tell whether there were any. Takes some milliseconds."""
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (OSError, AttributeError):
        return False
