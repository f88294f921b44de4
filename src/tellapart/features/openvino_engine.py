"""OpenVINO, where it is asked for. In: a network's file. Out: OpenVinoEngine, or why there is none. Next: extract.py.

In bfloat16 it takes half of ONNX Runtime's time on processors that compute in it, and gives other numbers than the file that
ships; what that costs is in docs/results.md. It comes with the extra `fast`.
"""

from __future__ import annotations

import contextlib
import importlib
import re
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.runtime import cores

Precision = Literal["float32", "bfloat16"]
Find = Callable[[str], Any]  # a package's name to the package; ImportError where it is not installed

OLDEST = (2025, 0)
BATCH = 4  # pictures; like ONNX Runtime's, more fall out of the core's cache

_HINTS = {"float32": "f32", "bfloat16": "bf16"}  # OpenVINO's names
_TELEMETRY = "openvino_telemetry"


class Refused(Exception):
    """OpenVINO cannot do it here; the message says why and what to do. Never shown as an error: another engine is taken."""


def load_openvino(precision: Precision, find: Find = importlib.import_module) -> Any:
    """The package, where it is new enough and this processor computes in `precision`.

    Raises: Refused. `find` imports a package by its name.
    """
    try:
        with _without_telemetry():
            package = find("openvino")
    # Its libraries are loaded meanwhile, which fails in many ways.
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "openvino":
            raise Refused('the package openvino is not installed: pip install "tellapart[fast]"') from None
        raise Refused(
            f"the package openvino is there and cannot be loaded ({_one_line(error)}): "
            "pip install --force-reinstall openvino"
        ) from None
    version = str(getattr(package, "__version__", ""))
    if _number(version) == (0, 0):
        raise Refused(
            f"what is installed or lies here as openvino tells no version of OpenVINO ({version or 'none'}): "
            'pip install "tellapart[fast]", or call your own folder otherwise'
        )
    if _number(version) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise Refused(f"OpenVINO {version} is older than {oldest}: pip install --upgrade openvino")
    try:
        able = package.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    except Exception as error:
        raise Refused(f"OpenVINO {version} finds no processor it knows ({_one_line(error)})") from None
    if precision == "bfloat16" and "BF16" not in able:
        raise Refused("this processor has no instructions for bfloat16")
    return package


class OpenVinoEngine:
    """The CPU: a stream of OpenVINO a core, each on a small batch of its own."""

    batch = BATCH

    def __init__(self, network: Path, *, precision: Precision, size: int, find: Find = importlib.import_module) -> None:
        """Compile `network`, which takes uint8 [N, size, size, 3], and try it. Raises: Refused."""
        package = load_openvino(precision, find)
        year, month = _number(str(package.__version__))
        self.name = f"openvino-{year}.{month}-{precision}"  # its digits change with the version
        self.workers = cores()
        self._requests = threading.local()
        hints = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "INFERENCE_NUM_THREADS": self.workers,
            "NUM_STREAMS": self.workers,
            "ENABLE_CPU_PINNING": False,  # our own threads decode on the same cores
        }
        try:
            self._compiled = package.Core().compile_model(str(network), "CPU", hints)
            tried = self.embed(np.zeros((1, size, size, 3), dtype=np.uint8))
        # OpenVINO raises RuntimeError for most of what a graph can hold that it does not know, and others.
        except Exception as error:
            raise Refused(f"OpenVINO {package.__version__} cannot run it ({_one_line(error)})") from None
        if tried.ndim != 2 or len(tried) != 1:
            raise Refused(f"OpenVINO {package.__version__} gives {tried.shape} of one picture, not one vector")

    def embed(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Pictures [B, S, S, 3] to embeddings [B, D]."""
        if not hasattr(self._requests, "own"):
            self._requests.own = self._compiled.create_infer_request()
        found = self._requests.own.infer({"image": np.ascontiguousarray(images)})
        # What comes back is the request's own memory, which its next batch fills anew.
        return np.array(found["embedding"], dtype=np.float32)


@contextlib.contextmanager
def _without_telemetry() -> Iterator[None]:
    """While it is imported, OpenVINO is not to find its package that counts who uses it and tells Intel; it does without."""
    modules: dict[str, Any] = sys.modules
    absent = _TELEMETRY not in modules
    if absent:
        modules[_TELEMETRY] = None
    try:
        yield
    finally:
        if absent:
            del modules[_TELEMETRY]


def _number(version: str) -> tuple[int, int]:
    """The first two numbers of a version; (0, 0) where there are none."""
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
