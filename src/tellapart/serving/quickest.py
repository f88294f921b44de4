"""Which engine was quickest for a model on a machine, beside its file. In: model.onnx. Out: engine.json. Next: engines.py.

It holds for the very file, processor and versions that it was measured with; elsewhere it is as if it were not there, and who opens
the model measures anew.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import math
import platform
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from tellapart.errors import StorageError
from tellapart.storage import write_json

NAME = "engine.json"
_PACKAGES = ("onnxruntime", "openvino", "tellapart")  # that what was measured hangs on
_ASKED_OF_IT = (
    "avx",
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx_vnni",
    "amx_bf16",
    "amx_int8",
)  # as Linux calls them
_MOST_BYTES = 65_536


class Quickest(BaseModel):
    """What was measured, and where."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    engine: Literal["onnxruntime", "openvino"]
    share: float | None  # OpenVINO's time of ONNX Runtime's; None where it answers otherwise and was not timed
    apart: float | None  # how far OpenVINO's outputs are from ONNX Runtime's, on made pictures; None: of other shapes
    model_sha256: str
    processor: str
    versions: dict[str, str]  # of packages, by name


def measured(data: bytes, engine: Literal["onnxruntime", "openvino"], *, share: float | None, apart: float) -> Quickest:
    """What was found of the bytes of a model on this machine."""
    return Quickest(
        engine=engine,
        share=share,
        apart=apart if math.isfinite(apart) else None,
        model_sha256=hashlib.sha256(data).hexdigest(),
        processor=processor(),
        versions=_versions(),
    )


def read_quickest(model: Path, data: bytes) -> Quickest | None:
    """What stands beside the file `model`, whose bytes are `data`; None where it is of another file or machine, or none at all."""
    path = model.parent / NAME
    try:
        if path.stat().st_size > _MOST_BYTES:
            return None
        found = Quickest.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    here = found.processor == processor() and found.versions == _versions()
    return found if here and found.model_sha256 == hashlib.sha256(data).hexdigest() else None


def write_quickest(model: Path, found: Quickest) -> None:
    """Put it beside the file `model`, where that can be written to: it saves time, and nothing else hangs on it."""
    with contextlib.suppress(StorageError):
        write_json(model.parent / NAME, found.model_dump())


@functools.cache
def processor(told: Path = Path("/proc/cpuinfo")) -> str:
    """What the processor calls itself, and what engines ask of it: rented machines call many kinds by one name."""
    facts: dict[str, str] = {}
    with contextlib.suppress(OSError):
        for line in told.read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            facts.setdefault(name.strip(), value.strip())
    if not facts.get("model name"):
        return platform.processor() or platform.machine()
    able = [one for one in _ASKED_OF_IT if one in facts.get("flags", "").split()]
    kind = [f"{name} {facts[name]}" for name in ("cpu family", "model") if facts.get(name)]
    return ", ".join([facts["model name"], *kind, " ".join(able)]).rstrip(", ")


@functools.cache
def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found
