"""A run's recipe, which repeats it, and what ran it. In: settings. Out: text of recipe.toml, versions. Next: run.py."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import platform
from typing import Any

from tellapart.settings.tree import TrainSettings

_PACKAGES = (
    "tellapart",
    "numpy",
    "pillow",
    "onnxruntime",
    "onnx",
    "scikit-learn",
    "timm",
    "torch",
    "torchvision",
    "accelerate",
)


def recipe_text(settings: TrainSettings) -> str:
    """recipe.toml: every resolved setting, and the versions that ran."""
    import tomli_w

    values = _without_none(settings.model_dump(mode="json"))
    head = "# Repeat this run with: tellapart train --recipe recipe.toml\n"
    return head + tomli_w.dumps({"settings": values, "versions": versions()})


def _without_none(value: Any) -> Any:
    """TOML has no null: what was left open is left out."""
    if isinstance(value, dict):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    return [_without_none(inner) for inner in value] if isinstance(value, list) else value


def versions() -> dict[str, str]:
    """What computed the result: Python and the packages that matter."""
    return dict(_versions())


@functools.cache  # a run writes them three times, and each reads a file for every package
def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found
