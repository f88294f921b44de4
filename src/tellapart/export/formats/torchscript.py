"""TorchScript. In: an ONNX file. Out: a .pt that torch.jit.load opens, in C++ too. Next: torch_program.py.

Its outputs are a tuple, in the order that the file `extra_files` "outputs" tells, a name a line.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_OUTPUTS = "outputs"


def convert(source: Path, target: Path, options: dict[str, Any]) -> None:
    """Raises: ExportError for an operator without counterpart."""
    import torch

    from tellapart.export.torch_graph import OnnxNetwork

    network = OnnxNetwork(source.read_bytes()).eval()
    sample = torch.zeros(options["shape"], dtype=getattr(torch, options["type"]))
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        # Calls of torch.jit warn that torch.export is newer; files of TorchScript are what C++ programs open.
        jit: Any = torch.jit  # its functions have no types
        traced = jit.trace(network, (sample,), check_trace=False)
        jit.save(traced, str(target), _extra_files={_OUTPUTS: "\n".join(network.outputs)})


def load(path: Path, options: dict[str, Any]) -> Callable[[NDArray[Any]], dict[str, NDArray[Any]]]:
    """torch on one thread."""
    import torch

    torch.set_num_threads(1)
    extra = {_OUTPUTS: ""}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        jit: Any = torch.jit
        network = jit.load(str(path), _extra_files=extra).eval()
    told: Any = extra[_OUTPUTS]
    names = (told.decode() if isinstance(told, bytes) else told).split("\n")

    def compute(images: NDArray[Any]) -> dict[str, NDArray[Any]]:
        with torch.inference_mode():
            found = network(torch.from_numpy(np.array(images)))
        return {name: one.numpy() for name, one in zip(names, found, strict=True)}

    return compute
