"""Memory that ran out, in whatever words it is said, and memory given back. In: an exception. Out: MachineError. Next: cli/main.py.

Python, torch, ONNX Runtime, the loader of shared libraries and the starter of threads each say it differently.
"""

from __future__ import annotations

import contextlib
import errno
import sys
from collections.abc import Iterator
from typing import Any

from tellapart.errors import MachineError

_SAID = (
    "failed to allocate memory",  # ONNX Runtime
    "bad_alloc",
    "bad allocation",
    "unable to allocate",  # NumPy
    "not enough memory",  # torch
    "can't allocate memory",
    "could not create a memory object",  # oneDNN
    "out of memory",
    "_alloc_failed",  # cuBLAS, cuDNN
    "cannot allocate memory",
    "failed to map segment from shared object",  # the loader
    "can't start new thread",
)
_REMEDY = "End other programs, or take a smaller --batch-size, a smaller backbone or a machine with more memory"


def ran_out(error: BaseException) -> bool:
    """Whether an exception, or one that it came of, says that there is no memory left."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    if isinstance(error, (RuntimeError, ImportError, OSError)) or type(error).__module__.startswith("onnxruntime"):
        text = str(error).lower()
        if any(words in text for words in _SAID):
            return True
    before = error.__cause__ or error.__context__
    return before is not None and ran_out(before)


@contextlib.contextmanager
def memory_errors() -> Iterator[None]:
    """Raises: MachineError, which says what to do, where the memory runs out."""
    try:
        yield
    except MachineError:
        raise
    except Exception as error:
        if not ran_out(error):
            raise
        said = " ".join(str(error).split()) or type(error).__name__
        raise MachineError(f"the memory ran out ({said[-160:]}). {_REMEDY}.") from error


def give_freed_memory_back() -> bool:
    """Tell glibc's malloc to give back now what was freed, which the threads that needed it keep for themselves otherwise.

    False where there was nothing to give, or there is no glibc.
    """
    library = glibc()
    return library is not None and bool(library.malloc_trim(0))


def glibc() -> Any | None:
    """The library, where this system's C library is that one."""
    import ctypes

    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
