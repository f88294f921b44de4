"""How Keras' programs read a folder of pictures, as settings. In: arguments of a call. Out: settings, remarks. Next: reading.py.

`flow_from_directory(...)` of an ImageDataGenerator, and `image_dataset_from_directory(...)`: what they say of the input's size, of
batches and of classes. Folders are not read from there: pictures are named to `tellapart train`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tellapart.errors import SettingsError

FLOWS = ("flow_from_directory", "flow_from_dataframe", "image_dataset_from_directory")
# Arguments that change nothing here: pictures are always shuffled in training and never in a test, and splits are tellapart's.
_QUIET = (
    "directory",
    "dataframe",
    "shuffle",
    "subset",
    "x_col",
    "y_col",
    "labels",
    "validation_split",
    "interpolation",
)
_OUTPUTS: Mapping[str, str | None] = {
    "binary": "sigmoid",
    "categorical": "softmax",
    "sparse": "softmax",
    "int": "softmax",
    "None": None,
}
_CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 3}

Settings = dict[str, dict[str, Any]]


def read_flow(name: str, given: Mapping[str, Any]) -> tuple[Settings, list[str]]:
    """Settings by table, and what is done otherwise. Raises: SettingsError for values that cannot be."""
    settings: Settings = {"network": {}, "loop": {}, "split": {}}
    remarks: list[str] = []
    size = given.get("target_size", given.get("image_size"))
    if size is not None:
        sides = size if isinstance(size, list) else [size]
        if len(sides) > 2 or not all(isinstance(side, int) and 8 <= side <= 4096 for side in sides):
            raise SettingsError(f"{name} has the size {size!r}; it is one or two numbers of pixels. Write [150, 150].")
        settings["network"]["size"] = max(sides)
        if len(set(sides)) > 1:
            remarks.append(
                f"the input is a square here: {max(sides)} pixels, where {name} has {sides[0]} x {sides[1]}."
            )
        settings["network"]["fit"] = "squash"  # Keras resizes both sides, whatever the shape
    if "batch_size" in given:
        settings["loop"]["batch_size"] = given["batch_size"]
    if "seed" in given and given["seed"] is not None:
        settings["split"]["seed"] = given["seed"]
    mode = str(given.get("class_mode", given.get("label_mode", "None")))
    if mode not in _OUTPUTS:
        raise SettingsError(f"{name} has the mode {mode!r} for classes; here are {', '.join(_OUTPUTS)}. Choose one.")
    if (output := _OUTPUTS[mode]) is not None:
        settings["network"]["output"] = output
    colours = given.get("color_mode")
    if colours is not None:
        if colours not in _CHANNELS:
            raise SettingsError(f"{name} has the colours {colours!r}; Keras has {', '.join(_CHANNELS)}. Choose one.")
        if _CHANNELS[colours] == 1:  # what is pretrained has seen colours
            remarks.append(f"{name} reads grey pictures: with --strategy scratch, give --set network.channels=1.")
    known = (*_QUIET, "target_size", "image_size", "batch_size", "seed", "class_mode", "label_mode", "color_mode")
    remarks += [f"{name}: {argument} is left out." for argument in given if argument not in known]
    return {table: values for table, values in settings.items() if values}, remarks
