"""Memory that a training frees: kept by the process, or given back. In: nothing. Out: nothing. Next: loop.py.

Each step of a training takes and frees the same hundreds of megabytes. By default glibc gives such pieces back to the
system and gets them again, zeroed, a page at a time: half of a CPU's time went there.
"""

from __future__ import annotations

import ctypes
import sys

# Source: glibc's malloc.h. The numbers are part of its binary interface.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_LARGEST = 2**31 - 1
_GROW_BYTES = 64 * 1024 * 1024


def keep_freed_memory() -> bool:
    """Tell glibc's malloc to keep what is freed, for the rest of the process. False where there is no glibc."""
    library = _glibc()
    if library is None:
        return False
    told = [
        library.mallopt(_M_MMAP_MAX, 0),
        library.mallopt(_M_TRIM_THRESHOLD, _LARGEST),
        library.mallopt(_M_TOP_PAD, _GROW_BYTES),
    ]
    return all(told)


def give_freed_memory_back() -> bool:
    """Tell glibc's malloc to give back now what was freed, which the threads that needed it keep for themselves otherwise.

    False where there was nothing to give, or there is no glibc.
    """
    library = _glibc()
    return library is not None and bool(library.malloc_trim(0))


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
