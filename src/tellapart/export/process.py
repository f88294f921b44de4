"""A tool's own process: it converts, or runs what was converted. In: an Environment. Out: files, arrays. Next: worker.py.

Arrays go through files of NumPy, a block of pictures each.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import ExportError, StorageError
from tellapart.export.table import ExportStep
from tellapart.export.tools import Environment, environ
from tellapart.storage import storage_errors

_WORKER = Path(__file__).with_name("worker.py")
_FORMATS = Path(__file__).parent / "formats"
# Folders of packages that are told stand behind the Python's own, and are there before the worker imports anything.
_START = """
import runpy, site, sys
worker, code, *folders = sys.argv[1:]
for folder in folders:
    sys.path.append(folder)
    site.addsitedir(folder)
sys.argv = [worker, code]
runpy.run_path(worker, run_name="__main__")
"""
PATIENCE = 1800.0  # seconds for one request; a converter that takes longer hangs
_TOLD = 400  # characters of what went wrong
_ENDED = "the process was ended by the system or took too long"
_LITTLE = 2**20  # free bytes, below which a process that was ended by the system ended for want of them
_QUIET = {
    "OMP_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "",
    "PYTHONWARNINGS": "ignore",
    "PYTHONNOUSERSITE": "1",
    "PYTHONUTF8": "1",
}


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


class ToolProcess:
    """A process that answers one request after another."""

    def __init__(
        self,
        step: ExportStep,
        environment: Environment,
        work: Path,
        *,
        patience: float = PATIENCE,
        free: Callable[[Path], int] = _free,
    ) -> None:
        """`free` says how many bytes a folder's disk has left. Raises: ExportError where it does not start; StorageError."""
        self._step, self._work, self._patience, self._free = step, work, patience, free
        self._log = tempfile.TemporaryFile(dir=work)  # noqa: SIM115
        folders = [str(one) for one in environment.beside]
        first = {"PYTHONPATH": str(environment.first)} if environment.first is not None else {}
        try:
            self._process = subprocess.Popen(
                [
                    str(environment.python.absolute()),  # the process works in another folder
                    "-P",
                    "-c",
                    _START,
                    str(_WORKER),
                    str(_FORMATS / f"{step.code}.py"),
                    *folders,
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                encoding="utf-8",
                env=environ() | _QUIET | first,
                cwd=work,
            )
        except OSError as error:
            self._log.close()
            raise ExportError(
                f"the tool {step.tool} does not start: {error.strerror}. Make its environment again."
            ) from None
        try:
            self._read("starting")
        except BaseException:
            self.close()
            raise

    def convert(self, source: Path, target: Path, options: Mapping[str, Any]) -> dict[str, Any]:
        """One file becomes another; what the converter tells of it. Raises: ExportError, StorageError."""
        request = {
            "do": "convert",
            "by": self._step.by,
            "source": str(source.absolute()),
            "target": str(target.absolute()),
        }
        told: dict[str, Any] = self._ask(request | {"options": dict(options)}, "converting")["told"]
        return told

    def load(self, path: Path, options: Mapping[str, Any]) -> None:
        """Open what was converted. Raises: ExportError."""
        self._ask({"do": "load", "path": str(path.absolute()), "options": dict(options)}, f"opening {path.name}")

    def compute(self, images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """uint8 [N, S, S, 3] to arrays [N, ...]. Raises: ExportError, StorageError."""
        with storage_errors(self._work):
            path = self._put(images)
            found = self._ask({"do": "run", "inputs": str(path), "folder": str(self._work)}, "running")["outputs"]
            return {name: np.load(where, allow_pickle=False) for name, where in found.items()}

    def milliseconds(self, images: NDArray[np.uint8], *, at_once: int) -> tuple[float, float]:
        """Of a picture alone, and of one among as many as `at_once`, as the process itself measures them. Raises: ExportError."""
        with storage_errors(self._work):
            path = self._put(images[:at_once])
        asked = {"do": "time", "inputs": str(path), "at_once": at_once}
        one, many = self._ask(asked, "running")["milliseconds"]
        return float(one), float(many)

    def _put(self, images: NDArray[np.uint8]) -> Path:
        path = self._work / "inputs.npy"
        np.save(path, np.ascontiguousarray(images), allow_pickle=False)
        return path

    def _ask(self, request: Mapping[str, Any], doing: str) -> dict[str, Any]:
        with contextlib.suppress(BrokenPipeError):  # it ended; what it last said tells why
            if self._process.stdin is not None:
                self._process.stdin.write(json.dumps(request) + "\n")
                self._process.stdin.flush()
        return self._read(doing)

    def _read(self, doing: str) -> dict[str, Any]:
        late = threading.Timer(self._patience, self._process.kill)
        late.daemon = True
        late.start()
        try:
            line = "" if self._process.stdout is None else self._process.stdout.readline()
        finally:
            late.cancel()
        answer: dict[str, Any] = json.loads(line) if line.strip() else {"error": self._ended(), "kind": ""}
        if "error" in answer:
            raise self._explained(str(answer["error"]), str(answer["kind"]), doing)
        return answer

    def _ended(self) -> str:
        code = self._process.wait()
        self._log.seek(0)
        last = self._log.read()[-4000:].decode(errors="replace").split()
        killed = _ENDED if code < 0 else f"it ended with {code}"
        return f"{killed}; its last words: {' '.join(last)[-_TOLD:]}" if last else killed

    def _explained(self, reason: str, kind: str, doing: str) -> ExportError | StorageError:
        ended = (
            not kind and self._free(self._work) < _LITTLE
        )  # some libraries end their process where they cannot write
        if ended or "No space left" in reason or "Errno 28" in reason:
            return StorageError(
                f"cannot use {self._work}: the disk is full. Free some space, or choose another folder."
            )
        if kind == "ExportError":
            return ExportError(reason)
        if kind in ("ModuleNotFoundError", "ImportError"):
            return ExportError(
                f"the tool {self._step.tool} lacks a package ({reason[:_TOLD]}). Clear the cache (`tellapart cache clear`), "
                "so that its environment is made again; an own one below --tools needs all packages of its list."
            )
        if reason.startswith(_ENDED):
            return ExportError(
                f"{self._step.tool} failed at {doing}: {reason[:_TOLD]}. Run the command again, with more free memory or less "
                "beside it."
            )
        name = kind or "the process"
        return ExportError(
            f"{self._step.tool} failed at {doing}: {name}: {reason[:_TOLD]}. Choose another format, or another backbone."
        )

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()


@contextlib.contextmanager
def tool_process(
    step: ExportStep,
    environment: Environment,
    work: Path,
    *,
    patience: float = PATIENCE,
    free: Callable[[Path], int] = _free,
) -> Iterator[ToolProcess]:
    """A process that ends with the block. Raises: ExportError, StorageError."""
    process = ToolProcess(step, environment, work, patience=patience, free=free)
    try:
        yield process
    finally:
        process.close()
