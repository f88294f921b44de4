"""The model that an argument names: a path, or imagenet:NAME. In: an argument. Out: a path. Next: workflows/pretrained.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tellapart.models.catalog import IMAGENET


def model_path(argument: str) -> Path:
    """Of imagenet:NAME the folder of that network, made the first time it is named; any other argument is a path.

    Raises: SettingsError for a network that is not known, BackboneError, StorageError, MissingExtra.
    """
    if not argument.startswith(IMAGENET):
        return Path(argument)
    from tellapart.cli.extras import require

    require(f"predict {argument}", "train")
    from tellapart.workflows.pretrained import named_model

    return named_model(argument)


def served(argument: str) -> str:
    """What `serve` takes: of imagenet:NAME, alone or behind a name and =, NAME=PATH with the network's own name."""
    name, equals, model = argument.rpartition("=")
    if not model.startswith(IMAGENET):
        return argument
    own = model.removeprefix(IMAGENET)
    return f"{name if equals else own}={model_path(model)}"


class ModelArgument(click.ParamType[Path]):
    """A model.onnx, a run's folder, or imagenet:NAME."""

    name = "model"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path. Raises: as `model_path`."""
        return value if isinstance(value, Path) else model_path(str(value))


MODEL = ModelArgument()
