"""Every setting of a training run, in one tree. In: flags or recipe.toml. Out: TrainSettings. Next: workflows/train.py."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tellapart.errors import SettingsError
from tellapart.storage import storage_errors


class TrainSettings(BaseModel):
    """What `tellapart train` can be told; recipe.toml holds the same keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pictures: str = Field(min_length=1)  # a folder of class folders, or a CSV
    out: str = "runs"  # the folder that run folders are made in
    backbone: str = Field("tf_efficientnet_lite0", min_length=1)
    weights: str | None = None  # a .safetensors file for the backbone
    class_weights: Literal["none", "balanced"] = "none"
    seed: int = Field(0, ge=0, lt=2**32)
    strict: bool = False  # an unreadable picture stops the run
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    folds: int = Field(5, ge=2, le=20)  # of the cross-validation that chooses the classifier's strength


def make_settings(values: dict[str, Any]) -> TrainSettings:
    """Check values from flags or a file. Raises: SettingsError naming the key, the rule and the known keys."""
    try:
        return TrainSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise SettingsError(
                f"there is no setting {key!r}. The settings are: {', '.join(TrainSettings.model_fields)}."
            ) from None
        if first["type"] == "string_unicode":
            raise SettingsError(
                f"{key} is {first.get('input')!r}, a name that is not UTF-8, which a recipe cannot hold. Rename the folder."
            ) from None
        raise SettingsError(f"{key} is {first.get('input')!r}; {first['msg']}. Correct it and run again.") from None


def read_recipe(path: Path) -> dict[str, Any]:
    """The settings of a recipe.toml, unchecked. Raises: SettingsError when it cannot be read or is not TOML."""
    if not path.is_file():
        raise SettingsError(f"there is no recipe at {path}. Give the recipe.toml of a run.")
    with storage_errors(path):
        data = path.read_bytes()
    try:
        values = tomllib.loads(data.decode("utf-8"))
    except ValueError as error:
        raise SettingsError(f"{path} is not TOML: {error}. Correct that line.") from None
    settings = values.get("settings")
    if not isinstance(settings, dict):
        raise SettingsError(f"{path} has no [settings] table. Give the recipe.toml of a run.")
    return settings
