"""The server and its models as the Open Inference Protocol tells of them. In: Version. Out: values. Next: inference_protocol.py.

The same over HTTP and gRPC; sources as in inference_protocol.py.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from typing import Any

from tellapart.serving.opened import Version
from tellapart.serving.refusals import Refusal
from tellapart.serving.repository import Repository

EXTENSIONS = ("classification", "model_repository", "binary_tensor_data", "statistics", "model_configuration")
PLATFORM = "onnxruntime_onnx"
_CONFIG_TYPES: Mapping[str, str] = {
    "FP32": "TYPE_FP32",
    "INT32": "TYPE_INT32",
    "UINT8": "TYPE_UINT8",
    "BOOL": "TYPE_BOOL",
    "BYTES": "TYPE_STRING",
}


def server_metadata() -> dict[str, Any]:
    """Who serves, and with which extensions."""
    return {"name": "tellapart", "version": importlib.metadata.version("tellapart"), "extensions": list(EXTENSIONS)}


def model_metadata(repository: Repository, version: Version) -> dict[str, Any]:
    """A model's inputs and outputs. `image` may also come as UINT8 [N, H, W, 3], which the protocol cannot say."""
    return {
        "name": version.name,
        "versions": [str(number) for number in sorted(repository.model(version.name).versions)],
        "platform": PLATFORM,
        "inputs": [{"name": version.input, "datatype": "BYTES", "shape": [-1]}],
        "outputs": [{"name": one.name, "datatype": one.datatype, "shape": list(one.shape)} for one in version.outputs],
    }


def model_config(version: Version) -> dict[str, Any]:
    """A model's inputs and outputs as Triton's model configuration says them: that of a model without Triton's own batches."""
    image = {"name": version.input, "data_type": "TYPE_STRING", "format": "FORMAT_NONE", "dims": [-1]}
    return {
        "name": version.name,
        "platform": PLATFORM,
        "backend": "onnxruntime",
        "max_batch_size": 0,
        "input": [image],
        "output": [
            {"name": one.name, "data_type": _CONFIG_TYPES[one.datatype], "dims": list(one.shape)}
            for one in version.outputs
        ],
    }


def model_statistics(repository: Repository, *, name: str | None = None, version: str = "") -> list[dict[str, Any]]:
    """Counts of one version, of all of a model, or of all. Raises: Unknown."""
    if name is None:
        found = [one for served in repository.serving.values() for one in served.versions.values()]
    elif version:
        found = [get_version(repository, name, version)]
    else:
        found = list(repository.model(name).versions.values())
    return [one.statistics.as_json(one.name, one.number) for one in found]


def get_version(repository: Repository, name: str, version: str) -> Version:
    """A version by its text; the latest for "". Raises: Unknown, Refusal."""
    if version and not (version.isascii() and version.isdigit() and len(version) < 19):
        raise Refusal(f"{version[:40]!r} is not a version. Versions are whole numbers.")
    return repository.get(name, version=int(version or 0))
