"""Freed memory stays with the process. In: pieces taken and freed again. Out: how often the system gave new pages."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, resource, sys
if "keep" in sys.argv:
    from tellapart.training.memory import keep_freed_memory
    assert keep_freed_memory()
library = ctypes.CDLL(None)
library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
library.free.argtypes = [ctypes.c_void_p]

def turn():
    pieces = [library.malloc(40_000_000) for _ in range(3)]  # over glibc's 32 MB, from which each is the system's own
    for piece in pieces:
        ctypes.memset(piece, 1, 40_000_000)
        library.free(piece)

turn()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    turn()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="there is no glibc here")


def new_pages(*arguments: str) -> int:
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_the_same_pieces_are_given_again_without_new_pages() -> None:
    assert new_pages("keep") < 1000
    assert new_pages() > 20_000  # five turns of 120 MB in pages of 4 kB would be 146,000; huge pages make it fewer
