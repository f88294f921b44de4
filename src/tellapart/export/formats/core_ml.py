"""Core ML, an mlprogram. In: an ONNX file that takes planes. Out: an .mlpackage. Next: ../tools.py.

It takes one picture as Core ML's images are; of a task with one class a picture it is a classifier with class labels. Weights are in
half precision. Only macOS runs it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def convert(source: Path, target: Path, options: dict[str, Any]) -> dict[str, Any]:
    """Raises: ExportError for an operator without counterpart."""
    import coremltools
    import torch

    from tellapart.export.torch_graph import OnnxNetwork

    network = OnnxNetwork(source.read_bytes()).eval()
    size = options["size"]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.export.export(network, (torch.zeros(1, 3, size, size),)).run_decompositions({})
        labels = {"classifier_config": coremltools.ClassifierConfig(options["classes"])} if options["one_class"] else {}
        made = coremltools.convert(
            program,
            inputs=[coremltools.ImageType(name="image", shape=(1, 3, size, size))],
            outputs=[coremltools.TensorType(name=name) for name in network.outputs],
            convert_to="mlprogram",
            **labels,
        )
    made.save(str(target))
    return {}


def load(path: Path, options: dict[str, Any]) -> Callable[[NDArray[Any]], dict[str, NDArray[Any]]]:
    """Core ML, on macOS alone."""
    import coremltools
    from PIL import Image

    model = coremltools.models.MLModel(str(path))

    def compute(images: NDArray[Any]) -> dict[str, NDArray[Any]]:
        found = model.predict({"image": Image.fromarray(images[0])})
        return {name: np.asarray(one) for name, one in found.items() if isinstance(one, np.ndarray)}

    return compute
