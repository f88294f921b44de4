"""OpenVINO's intermediate representation, float and int8. In: an ONNX file. Out: an .xml and a .bin. Next: torchscript.py.

OpenVINO computes in bfloat16 where the processor can, unless it is told otherwise: the file says float32, its runtime too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_EXACT = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1", "NUM_STREAMS": "1"}


def convert(source: Path, target: Path, options: dict[str, Any]) -> None:
    """Float, as it is."""
    import openvino

    openvino.save_model(_read(source), target, compress_to_fp16=False)


def quantise(source: Path, target: Path, options: dict[str, Any]) -> None:
    """int8 weights and activations by NNCF, calibrated on pictures uint8 [N, S, S, 3] in the file `options["pictures"]`."""
    import nncf
    import openvino

    pictures = np.load(options["pictures"], allow_pickle=False)
    dataset = nncf.Dataset([{"image": one[None]} for one in pictures])
    extra: dict[str, Any] = {}
    if options.get("after"):
        # What follows the network itself decides, and stays as it is.
        extra["ignored_scope"] = nncf.IgnoredScope(types=list(options["after"]), validate=False)
    found = nncf.quantize(_read(source), dataset, subset_size=len(pictures), **extra)
    openvino.save_model(found, target, compress_to_fp16=False)


def load(path: Path, options: dict[str, Any]) -> Callable[[NDArray[Any]], dict[str, NDArray[Any]]]:
    """A runtime on one thread, in float32 where the file is."""
    import openvino

    core = openvino.Core()
    compiled = core.compile_model(core.read_model(path), "CPU", _EXACT)
    ports = [(port.get_any_name(), port) for port in compiled.outputs]

    def compute(images: NDArray[Any]) -> dict[str, NDArray[Any]]:
        found = compiled({options["input"]: images})
        return {name: np.array(found[port]) for name, port in ports}

    return compute


def _read(source: Path) -> Any:
    import openvino

    model = openvino.Core().read_model(source)
    model.set_rt_info("f32", ["runtime_options", "INFERENCE_PRECISION_HINT"])
    return model
