"""ncnn, through pnnx. In: an ONNX file that takes planes. Out: a .param and a .bin. Next: core_ml.py.

It takes one picture, float32 [3, S, S] of 0 to 255, as ncnn::Mat::from_pixels makes one. Weights are kept in half precision.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def convert(source: Path, target: Path, options: dict[str, Any]) -> dict[str, Any]:
    """Raises: RuntimeError where pnnx stops, ValueError for an operator that ncnn does not have."""
    import ncnn

    with tempfile.TemporaryDirectory(prefix="tellapart-") as folder:
        graph = Path(folder) / "model.onnx"
        graph.write_bytes(source.read_bytes())
        size = options["size"]
        found = subprocess.run(
            [str(_program()), graph.name, f"inputshape=[1,3,{size},{size}]"],
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        made = graph.with_suffix(".ncnn.param"), graph.with_suffix(".ncnn.bin")
        if found.returncode or not all(path.is_file() for path in made):
            raise RuntimeError(f"pnnx ended with {found.returncode}: {(found.stderr or found.stdout)[-800:]}")
        text = made[0].read_text()
        check_layers(text, lambda kind: ncnn.layer_to_index(kind) >= 0)
        target.write_text(text)
        target.with_suffix(".bin").write_bytes(made[1].read_bytes())
    return {}


def check_layers(text: str, knows: Callable[[str], bool]) -> None:
    """Raises: ValueError for a layer of a .param that ncnn does not know, or that reduces nothing, since pnnx lost its axes."""
    for line in text.splitlines()[2:]:
        kind, layer, *rest = line.split()
        if not knows(kind):
            raise ValueError(f"ncnn has no counterpart of the operator {kind}, in the layer {layer!r}")
        if kind == "Reduction" and "-23303=0" in rest and "1=1" not in rest:
            raise ValueError(f"pnnx lost the axes of the operator {kind}, in the layer {layer!r}")


def load(path: Path, options: dict[str, Any]) -> Callable[[NDArray[Any]], dict[str, NDArray[Any]]]:
    """ncnn on one thread."""
    import ncnn

    network = ncnn.Net()
    network.opt.num_threads = 1
    if network.load_param(str(path)) or network.load_model(str(path.with_suffix(".bin"))):
        raise RuntimeError(f"ncnn cannot open {path.name}")
    (taken,) = network.input_names()
    names: list[str] = options["outputs"]
    given = [f"out{number}" for number in range(len(names))]  # as pnnx calls the outputs of a graph, in their order

    def compute(images: NDArray[Any]) -> dict[str, NDArray[Any]]:
        planes = np.ascontiguousarray(images[0].transpose(2, 0, 1), dtype=np.float32)
        with network.create_extractor() as extractor:
            extractor.input(taken, ncnn.Mat(planes))
            found = [np.array(extractor.extract(name)[1]) for name in given]
        return {name: one.reshape(shape) for name, one, shape in zip(names, found, options["shapes"], strict=True)}

    return compute


def _program() -> Path:
    import importlib.util

    specification = importlib.util.find_spec("pnnx")
    if specification is None or not specification.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'pnnx'")
    ending = ".exe" if sys.platform == "win32" else ""
    package = Path(specification.submodule_search_locations[0])
    for folder in (package, package / "bin"):
        if (folder / f"pnnx{ending}").is_file():
            return folder / f"pnnx{ending}"
    raise FileNotFoundError("the package pnnx has no program pnnx")
