"""Memory that a training frees is kept by the process. In: nothing. Out: nothing. Next: loop.py.

Each step of a training takes and frees the same hundreds of megabytes. By default glibc gives such pieces back to the
system and gets them again, zeroed, a page at a time: half of a CPU's time went there.
"""

from __future__ import annotations

from tellapart.memory import glibc

# Source: glibc's malloc.h. The numbers are part of its binary interface.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_LARGEST = 2**31 - 1
_GROW_BYTES = 64 * 1024 * 1024


def keep_freed_memory() -> bool:
    """Tell glibc's malloc to keep what is freed, for the rest of the process. False where there is no glibc."""
    library = glibc()
    if library is None:
        return False
    told = [
        library.mallopt(_M_MMAP_MAX, 0),
        library.mallopt(_M_TRIM_THRESHOLD, _LARGEST),
        library.mallopt(_M_TOP_PAD, _GROW_BYTES),
    ]
    return all(told)
