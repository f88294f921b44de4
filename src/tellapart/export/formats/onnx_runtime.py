"""ONNX, run by ONNX Runtime. In: an ONNX file. Out: arrays by name. Next: openvino_ir.py."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray


def convert(source: Path, target: Path, options: dict[str, Any]) -> None:
    """The graph is ONNX already."""
    shutil.copyfile(source, target)


def load(path: Path, options: dict[str, Any]) -> Callable[[NDArray[Any]], dict[str, NDArray[Any]]]:
    """A runtime on one thread."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_outputs()]
    taken = options["input"]
    return lambda images: dict(zip(names, session.run(names, {taken: images}), strict=True))
