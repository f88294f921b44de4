"""ONNX, run by ONNX Runtime for browsers, in Node. In: an ONNX file. Out: arrays by name. Next: onnx_runtime.py."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TYPES = {"float32": "<f4", "int64": "<i8", "uint8": "u1"}


def load(path: Path, options: dict[str, Any]) -> Callable[[NDArray[Any]], dict[str, NDArray[Any]]]:
    """A runtime on one thread; it ends when this process does."""
    process = subprocess.Popen(
        ["node", options["web_runner"], options["web_runtime"], str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    if process.stdin is None or process.stdout is None:
        raise OSError("Node has no pipes")
    to_node, from_node = process.stdin, process.stdout

    def compute(images: NDArray[Any]) -> dict[str, NDArray[Any]]:
        told = {"name": options["input"], "type": images.dtype.name, "shape": list(images.shape)}
        to_node.write(json.dumps(told).encode() + b"\n")
        to_node.write(np.ascontiguousarray(images).tobytes())
        to_node.flush()
        line = from_node.readline()
        if not line:
            raise RuntimeError(f"Node ended with {process.wait()}")
        found = {}
        for one in json.loads(line):
            values = np.dtype(_TYPES[one["type"]])
            data = from_node.read(values.itemsize * int(np.prod(one["shape"])))
            found[one["name"]] = np.frombuffer(data, dtype=values).reshape(one["shape"])
        return found

    return compute
