"""Memory that ran out is told as such, and freed memory given back. In: what others say. Out: MachineError; other failures stay."""

from __future__ import annotations

import errno
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tellapart.errors import DataError, MachineError
from tellapart.memory import memory_errors


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"
        ),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("can't start new thread"),
        RuntimeError("std::bad_alloc"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    ],
    ids=lambda error: str(error)[:20],
)
def test_every_way_to_say_it(error: Exception) -> None:
    with pytest.raises(MachineError, match=r"the memory ran out \(.*smaller --batch-size"), memory_errors():
        raise error
    with pytest.raises(MachineError), memory_errors():
        try:
            raise error
        except Exception as first:
            raise ValueError("what came of it") from first


@pytest.mark.parametrize(
    "error", [RuntimeError("a bug"), ImportError("no module"), ValueError("out of memory lane"), DataError("x")]
)
def test_what_is_no_lack_of_memory_is_not_called_so(error: Exception) -> None:
    with pytest.raises(type(error), match=str(error)), memory_errors():
        raise error


def test_a_command_without_enough_memory_ends_with_a_sentence(tmp_path: Path) -> None:
    with (tmp_path / "model.onnx").open("wb") as file:
        file.truncate(2_000_000_000)  # a hole, which takes no room on the disk
    script = (
        "import resource, sys; from tellapart.cli.main import execute; "
        "resource.setrlimit(resource.RLIMIT_AS, (1_500_000_000,) * 2); "
        f"sys.exit(execute(['info', {str(tmp_path / 'model.onnx')!r}]))"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert answer.returncode == 2, answer.stderr
    assert answer.stderr.startswith("Error: the memory ran out (MemoryError). End other programs")
    assert "Traceback" not in answer.stderr


GIVEN_BACK = """
import ctypes
from pathlib import Path
from tellapart.memory import give_freed_memory_back
library = ctypes.CDLL(None)
library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
library.free.argtypes = [ctypes.c_void_p]

def megabytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

pieces = [library.malloc(50_000) for _ in range(3000)]
for piece in pieces:
    ctypes.memset(piece, 1, 50_000)
for piece in pieces[:-1]:  # the last one lies above all others
    library.free(piece)
before = megabytes()
assert give_freed_memory_back()
print(before - megabytes())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="there is no glibc here")
def test_what_was_freed_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", GIVEN_BACK], capture_output=True, text=True, check=True)
    assert float(done.stdout) > 100
