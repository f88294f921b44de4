"""Memory that ran out is told as such. In: what others say of it. Out: MachineError; other failures stay as they are."""

from __future__ import annotations

import errno
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
