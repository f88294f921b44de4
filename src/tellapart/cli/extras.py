"""Commands that need an extra say which. In: a command's name. Out: nothing, or MissingExtra. Next: train.py."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping

from tellapart.errors import MissingExtra

# extra -> packages by import name; asked with find_spec, so that nothing heavy is imported to find out
_PACKAGES: Mapping[str, tuple[str, ...]] = {
    "train": (
        "torch",
        "torchvision",
        "timm",
        "sklearn",
        "onnx",
        "safetensors",
        "cv2",
        "tomli_w",
        "captum",
        "matplotlib",
        "jinja2",
    ),
    "client": ("httpx2", "tenacity"),
    "search": ("optuna",),
    "tables": ("pyarrow",),
    "ray": ("ray", "pyarrow"),
    "demo": ("elpv_dataset",),
    "serve": ("starlette", "uvicorn", "httptools", "grpc", "prometheus_client", "python_multipart"),
}


def require(command: str, *extras: str) -> None:
    """Nothing where all packages of the extras are installed; the last of them brings those before it.

    Raises: MissingExtra, which names the first package that is not, and the last extra.
    """
    for extra in extras:
        for module in _PACKAGES[extra]:
            if importlib.util.find_spec(module) is None:
                raise MissingExtra(command, extras[-1], module)
