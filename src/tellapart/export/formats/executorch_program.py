"""ExecuTorch, its convolutions by XNNPACK. In: an ONNX file. Out: a .pte for phones. Next: saved_model.py.

It takes one picture, uint8 [1, S, S, 3]. The names of its outputs stand beside it: the file knows their order only.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def convert(source: Path, target: Path, options: dict[str, Any]) -> None:
    """Raises: ExportError for an operator without counterpart."""
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    from tellapart.export.torch_graph import OnnxNetwork

    network = OnnxNetwork(source.read_bytes()).eval()
    size = options["size"]
    sample = torch.zeros((1, size, size, 3), dtype=torch.uint8)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.export.export(network, (sample,))
        lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
    target.write_bytes(lowered.to_executorch().buffer)
    _names(target).write_text(json.dumps(network.outputs) + "\n")


def load(path: Path, options: dict[str, Any]) -> Callable[[NDArray[Any]], dict[str, NDArray[Any]]]:
    """ExecuTorch's runtime."""
    import torch
    from executorch.runtime import Runtime

    torch.set_num_threads(1)
    method = Runtime.get().load_program(path).load_method("forward")
    names = json.loads(_names(path).read_text())

    def compute(images: NDArray[Any]) -> dict[str, NDArray[Any]]:
        found = method.execute([torch.from_numpy(np.array(images))])
        return {name: one.numpy().copy() for name, one in zip(names, found, strict=True)}

    return compute


def _names(path: Path) -> Path:
    return path.with_name("outputs.json")
