"""How TensorFlow Serving tells of a model: its states, its signatures. In: versions. Out: values. Next: tfserving_grpc.py.

The same over REST and gRPC; source as in tfserving.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tellapart.serving.opened import Version
from tellapart.serving.refusals import Unknown
from tellapart.serving.repository import ModelVersions

DEFAULT, DECISIONS, PREPARED = "serving_default", "decisions", "prepared"
SIGNATURES = (DEFAULT, DECISIONS, PREPARED)
TYPES = {"FP32": "DT_FLOAT", "INT32": "DT_INT32", "BYTES": "DT_STRING", "BOOL": "DT_BOOL", "UINT8": "DT_UINT8"}


def write_status(name: str, served: ModelVersions, number: int | None) -> dict[str, Any]:
    """The states of a model's versions, or of one. `name` and `ready` are KServe's form of the same question.

    Raises: Unknown for a version that is neither served nor refused.
    """
    rows = [_state(version, "AVAILABLE", "OK", "") for version in sorted(served.versions, reverse=True)]
    rows += [
        _state(version, "END", "UNKNOWN", reason)
        for version, (_, reason) in sorted(served.refused.items(), reverse=True)
        if version not in served.versions
    ]
    if number:
        rows = [row for row in rows if row["version"] == str(number)]
        if not rows:
            raise Unknown(f"model {name!r} has no version {number}.")
    elif number == 0:
        rows = rows[:1]
    ready = any(row["state"] == "AVAILABLE" for row in rows)
    return {"model_version_status": rows, "name": name, "ready": ready}


def write_metadata(version: Version) -> dict[str, Any]:
    """The signatures of a version, as TF Serving describes a SavedModel."""
    name = version.input
    encoded = _info("DT_STRING", [-1], name)
    outputs = {one.name: _info(TYPES[one.datatype], one.shape, one.name) for one in version.outputs}
    defaults = {name: outputs[name] for name in version.answering.defaults}
    signatures = {
        DEFAULT: _signature({name: encoded}, defaults),
        DECISIONS: _signature({name: encoded}, outputs),
    }
    if not version.takes_texts:
        size = version.model.preprocessing.size
        pixels = _info("DT_UINT8", [-1, size, size, 3], name)
        signatures[PREPARED] = _signature({name: pixels}, defaults)
    return {
        "model_spec": {"name": version.name, "signature_name": "", "version": str(version.number)},
        "metadata": {"signature_def": {"signature_def": signatures}},
    }


def _state(version: int, state: str, code: str, message: str) -> dict[str, Any]:
    return {"version": str(version), "state": state, "status": {"error_code": code, "error_message": message}}


def _info(kind: str, shape: Sequence[int], name: str) -> dict[str, Any]:
    dimensions = [{"size": str(size), "name": ""} for size in shape]
    return {"dtype": kind, "tensor_shape": {"dim": dimensions, "unknown_rank": False}, "name": f"{name}:0"}


def _signature(inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> dict[str, Any]:
    return {"inputs": inputs, "outputs": outputs, "method_name": "tensorflow/serving/predict"}
