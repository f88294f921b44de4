"""Core ML, an mlprogram. In: an ONNX file that takes planes. Out: an .mlpackage. Next: export/tools.py.

It takes one picture as Core ML's images are; of a task with one class a picture it is a classifier with class labels. Weights are
in half precision. Only macOS runs it.
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
        made = _made(program, size, {})
        names = {item.name: own for item, own in zip(made.get_spec().description.output, network.outputs, strict=True)}
        if options["one_class"]:
            (own,) = [name for name, told in names.items() if told == "probabilities"]
            labels = coremltools.ClassifierConfig(options["classes"], predicted_probabilities_output=own)
            made = _made(program, size, {"classifier_config": labels})
            names.pop(own)
    specification = made.get_spec()
    for name, told in names.items():
        coremltools.utils.rename_feature(specification, name, told)
    made = coremltools.models.MLModel(specification, weights_dir=made.weights_dir, skip_model_load=True)
    made.save(str(target))
    return {}


def _made(program: Any, size: int, labels: dict[str, Any]) -> Any:
    import coremltools

    return coremltools.convert(
        program,
        inputs=[coremltools.ImageType(name="image", shape=(1, 3, size, size))],
        convert_to="mlprogram",
        skip_model_load=True,
        **labels,
    )


def load(path: Path, options: dict[str, Any]) -> Callable[[NDArray[Any]], dict[str, NDArray[Any]]]:
    """Core ML, on macOS alone."""
    import coremltools
    from PIL import Image

    model = coremltools.models.MLModel(str(path))

    def compute(images: NDArray[Any]) -> dict[str, NDArray[Any]]:
        found = model.predict({"image": Image.fromarray(images[0])})
        return {name: np.asarray(one) for name, one in found.items() if isinstance(one, np.ndarray)}

    return compute
