"""A program of torch.export. In: an ONNX file. Out: a .pt2 that torch.export.load opens. Next: executorch_program.py."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_OUTPUTS = "outputs.json"


def convert(source: Path, target: Path, options: dict[str, Any]) -> None:
    """Raises: ExportError for an operator without counterpart."""
    import torch

    from tellapart.export.torch_graph import OnnxNetwork

    network = OnnxNetwork(source.read_bytes()).eval()
    shape, free = [2, *options["shape"][1:]], options["free"]
    sample = torch.zeros(shape, dtype=getattr(torch, options["type"]))
    shapes = ({int(axis): torch.export.Dim(name, min=1, max=most) for axis, (name, most) in free.items()},)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.export.export(network, (sample,), dynamic_shapes=shapes)
        torch.export.save(program, str(target), extra_files={_OUTPUTS: json.dumps(network.outputs)})


def load(path: Path, options: dict[str, Any]) -> Callable[[NDArray[Any]], dict[str, NDArray[Any]]]:
    """torch on one thread, operator by operator."""
    import torch

    torch.set_num_threads(1)
    extra = {_OUTPUTS: ""}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = torch.export.load(str(path), extra_files=extra).module()
    names = json.loads(extra[_OUTPUTS])

    def compute(images: NDArray[Any]) -> dict[str, NDArray[Any]]:
        with torch.inference_mode():
            found = network(torch.from_numpy(np.array(images)))
        return {name: one.numpy() for name, one in zip(names, found, strict=True)}

    return compute
