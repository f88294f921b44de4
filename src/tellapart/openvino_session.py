"""OpenVINO, another engine for a network on the CPU. In: an ONNX file. Out: OpenVinoSession, or why there is none. Next: bundle.py.

It computes what ONNX Runtime computes, in an order of its own: the last digits differ. In bfloat16, and with networks of whole
numbers, it is about twice as quick on processors that have instructions for these. It comes with the extra `fast`.
"""

from __future__ import annotations

import contextlib
import importlib
import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import one_line
from tellapart.runtime import cores

Precision = Literal["float32", "bfloat16"]
Find = Callable[[str], Any]  # a package's name to the package; ImportError where it is not installed

OLDEST = (2025, 0)

_HINTS = {"float32": "f32", "bfloat16": "bf16"}  # OpenVINO's names; without one it takes bfloat16 in silence
_TELEMETRY = "openvino_telemetry"


class Refused(Exception):
    """OpenVINO cannot do it here; the message says why and what to do. Who asked decides whether another engine is taken."""


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
            f"the package openvino is there and cannot be loaded ({one_line(error)}): "
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
        raise Refused(f"OpenVINO {version} finds no processor it knows ({one_line(error)})") from None
    if precision == "bfloat16" and "BF16" not in able:
        raise Refused("this processor has no instructions for bfloat16")
    return package


class OpenVinoSession:
    """One ONNX network on the CPU: a stream a thread. `run` may be called from several threads at once."""

    def __init__(
        self,
        model: bytes | Path,
        *,
        precision: Precision,
        threads: int | None = None,
        find: Find = importlib.import_module,
    ) -> None:
        """Compile `model`, which has one input, for as many `threads` as will call; one a core for None. Raises: Refused."""
        package = load_openvino(precision, find)
        year, month = _number(str(package.__version__))
        self.name = f"openvino-{year}.{month}-{precision}"  # its digits change with the version
        self.called = f"OpenVINO {package.__version__}"
        self._requests = threading.local()
        streams = threads or cores()
        hints = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "INFERENCE_NUM_THREADS": streams,
            "NUM_STREAMS": streams,
            "ENABLE_CPU_PINNING": False,  # our own threads decode on the same cores
        }
        try:
            core = package.Core()
            source = core.read_model(model) if isinstance(model, bytes) else str(model)
            self._compiled = core.compile_model(source, "CPU", hints)
            self.inputs = _shapes(self._compiled.inputs)
            self.outputs = _shapes(self._compiled.outputs)
        # OpenVINO raises RuntimeError for most of what a graph can hold that it does not know, and others.
        except Exception as error:
            raise Refused(f"{self.called} cannot run it ({one_line(error)})") from None

    def run(self, inputs: NDArray[Any], outputs: Sequence[str]) -> list[NDArray[Any]]:
        """Run its only input, mostly uint8 pictures [N, H, W, 3], and return the named outputs, each [N, ...]."""
        if not hasattr(self._requests, "own"):
            self._requests.own = self._compiled.create_infer_request()
        found = self._requests.own.infer([np.ascontiguousarray(inputs)])
        # What comes back is the request's own memory, which its next batch fills anew.
        return [np.array(found[name]) for name in outputs]

    def tried(self, inputs: NDArray[Any], outputs: Sequence[str]) -> list[NDArray[Any]]:
        """What `run` gives, where it may be that it cannot. Raises: Refused."""
        try:
            return self.run(inputs, outputs)
        except Exception as error:
            raise Refused(f"{self.called} cannot run it ({one_line(error)})") from None


def _shapes(ports: Sequence[Any]) -> dict[str, tuple[int | str, ...]]:
    """Names of ports -> their shapes, with "N" for what is free."""
    return {
        port.get_any_name(): tuple(one.get_length() if one.is_static else "N" for one in port.get_partial_shape())
        for port in ports
    }


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
