"""Augmentation as Keras' tutorials write it. In: the text of a call. Out: settings, remarks. Next: reading.py.

The text is parsed and never run: names of calls, and arguments that are numbers, texts, lists and what is computed of numbers.
`ImageDataGenerator(rotation_range=40, ...)`, its arguments alone, and the layers `RandomFlip`, `RandomRotation` ... are known.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tellapart.errors import SettingsError
from tellapart.settings.keras_flow import FLOWS, read_flow
from tellapart.settings.keras_layers import LAYERS, KerasLayer
from tellapart.settings.keras_ranges import either, higher_and_lower, shares, told_around

_GENERATOR_NAME = "ImageDataGenerator"
_AROUND = ("Sequential", "")  # what holds layers
MOST_TEXT = 20_000  # characters
_OPERATORS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_FILLS = {"nearest": "nearest", "reflect": "mirror", "wrap": "wrap", "constant": "constant"}
# Arguments of ImageDataGenerator that change nothing here, and why.
_DONE = {
    "rescale": "pixels are scaled by the network's own normalisation, in training and in model.onnx alike",
    "preprocessing_function": "pictures are made ready by the network's own normalisation, and no function is run",
    "data_format": "it changes nothing here",
    "dtype": "it changes nothing here",
    "interpolation_order": "pictures are sampled bilinearly",
}
_NOT_DONE = (
    "featurewise_center",
    "featurewise_std_normalization",
    "samplewise_center",
    "samplewise_std_normalization",
    "zca_whitening",
    "zca_epsilon",
)


@dataclass(slots=True)
class FromKeras:
    """What was understood."""

    augment: dict[str, Any] = field(default_factory=dict)  # settings of [augment]
    remarks: list[str] = field(default_factory=list)  # what is done otherwise, or not at all
    validation: float | None = None  # a share that is set aside, if it was told
    others: dict[str, dict[str, Any]] = field(default_factory=dict)  # further settings, by table


def from_keras(text: str, *, size: int | None = None) -> FromKeras:
    """Settings of a call, of its arguments alone, or of a list of layers; `size` is the input's side, for shifts in pixels.

    Raises: SettingsError for what is no such call, or asks for what cannot be read from text.
    """
    if len(text) > MOST_TEXT:
        raise SettingsError(f"the call has {len(text):,} characters; the limit is {MOST_TEXT:,}. Paste the call alone.")
    found = FromKeras()
    known, others = _known_calls(text.strip().rstrip(","))
    for call in known:
        if _name(call) in FLOWS:
            found.others, remarks = read_flow(_name(call), _flow_arguments(call))
            found.remarks += remarks
        elif _name(call) == _GENERATOR_NAME:
            _generator(found, _arguments(call), size)
        else:
            _layer(found, _name(call), call, size)
    for name in dict.fromkeys(others):
        if name not in _AROUND:
            found.remarks.append(f"{name} is left out: nothing here does the same.")
    return found


def _known_calls(text: str) -> tuple[list[ast.Call], list[str]]:
    """The calls that are meant, in the text as it is or of its arguments alone, and the names of others. Raises: SettingsError."""
    if not text:
        raise SettingsError(
            "the call is empty. Paste ImageDataGenerator(...), its arguments alone, or augmentation layers."
        )
    whole, arguments = _parsed(text), _parsed(f"ImageDataGenerator({text})")
    for tree in (whole, arguments):
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)] if tree is not None else []
        known = [call for call in calls if _name(call) in (*LAYERS, *FLOWS, _GENERATOR_NAME)]
        if known:
            within = {
                id(one) for call in calls if _name(call) not in _AROUND for one in ast.walk(call) if one is not call
            }
            return known, [_name(call) for call in calls if call not in known and id(call) not in within]
        if tree is not None and isinstance(tree.body[0] if tree.body else None, ast.Expr):
            raise SettingsError(
                f"{text[:60]!r} names neither ImageDataGenerator nor one of Keras' augmentation layers "
                f"({', '.join(sorted(LAYERS))}). Paste the call as it stands in your program."
            )
    raise SettingsError(
        f"{text[:60]!r} cannot be read as a call in Python. Paste it whole, such as 'rotation_range=40, horizontal_flip=True'."
    )


def _parsed(text: str) -> ast.Module | None:
    """None where it is no Python."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _name(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _arguments(call: ast.Call) -> dict[str, Any]:
    """Its arguments by name. Raises: SettingsError for one without a name, or of a kind that is not known without running it."""
    if call.args or any(one.arg is None for one in call.keywords):
        raise SettingsError(f"{_name(call)} has an argument without a name. Write it as name=value.")
    _check_once(call)
    return {str(one.arg): None if one.arg in _DONE else value_of(one.value, str(one.arg)) for one in call.keywords}


def _check_once(call: ast.Call) -> None:
    """Raises: SettingsError where an argument is given twice, which Python's parser lets pass."""
    names = [str(one.arg) for one in call.keywords]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SettingsError(f"{_name(call)} is given {twice} more than once. Keep the one that holds.")


def _flow_arguments(call: ast.Call) -> dict[str, Any]:
    """Its arguments by name; what is known only by running the program, such as a folder's path, is left out."""
    _check_once(call)
    given = {}
    for one in call.keywords:
        try:
            given[str(one.arg)] = value_of(one.value, str(one.arg))
        except SettingsError:
            if one.arg not in ("directory", "dataframe", "seed", "labels"):
                raise
    return given


def value_of(node: ast.expr, name: str) -> Any:
    """A number, text, list, or what is computed of numbers. Raises: SettingsError for anything else."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.List | ast.Tuple):
        return [value_of(one, name) for one in node.elts]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = value_of(node.operand, name)
        if isinstance(value, int | float):
            return -value
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = value_of(node.left, name), value_of(node.right, name)
        if isinstance(left, int | float) and isinstance(right, int | float):
            try:
                return _OPERATORS[type(node.op)](left, right)
            except (ArithmeticError, ValueError):
                pass
    raise SettingsError(
        f"{name} is {ast.unparse(node)[:60]!r}, which is known only by running it. Write its value instead."
    )


def _generator(found: FromKeras, given: dict[str, Any], size: int | None) -> None:
    for name, value in given.items():
        if name in _DONE:
            found.remarks.append(f"{name} is left out: {_DONE[name]}.")
        elif name in _NOT_DONE:
            if value:
                found.remarks.append(
                    f"{name} is not done: pictures are normalised by the network's own mean and deviation."
                )
        elif name == "validation_split":
            found.validation = float(value)
        elif name == "fill_mode":
            found.augment["fill"] = _fill(value)
        elif name not in _GENERATOR:
            raise SettingsError(
                f"ImageDataGenerator has no argument {name!r}. It has: {', '.join((*_GENERATOR, 'fill_mode', *_DONE))}."
            )
        elif value:
            found.augment.update(_GENERATOR[name](name, value, size))
            found.remarks += [told] if (told := told_around(name, value, _MIDDLES.get(name, 0.0))) else []
    _fill_as_keras(found)


def _fill_as_keras(found: FromKeras) -> None:
    """Keras goes on with the border's pixels where nothing is told."""
    moved = {"rotation", "width_shift", "height_shift", "shear", "zoom_in", "zoom_out"} & found.augment.keys()
    if moved and "fill" not in found.augment:
        found.augment["fill"] = "nearest"
    if found.augment.get("fill") != "constant" and "fill_value" in found.augment:
        value = found.augment.pop("fill_value")
        found.remarks += [_unused_fill("cval", value)] if value else []


def _unused_fill(name: str, value: Any) -> str:
    return f"{name}={value:g} is left out: Keras looks at it only with fill_mode='constant'."


def _fill(value: Any) -> str:
    if value not in _FILLS:
        raise SettingsError(f"fill_mode is {value!r}; Keras has {', '.join(_FILLS)}. Choose one of them.")
    return _FILLS[value]


def _layer(found: FromKeras, name: str, call: ast.Call, size: int | None) -> None:
    _check_once(call)
    layer: KerasLayer = LAYERS[name]
    given = dict(zip(layer.arguments, (value_of(one, name) for one in call.args), strict=False))
    given |= {str(one.arg): value_of(one.value, str(one.arg)) for one in call.keywords if one.arg in layer.arguments}
    ignored = [one.arg for one in call.keywords if one.arg not in (*layer.arguments, "fill_mode", "fill_value")]
    fill = {
        one.arg: value_of(one.value, str(one.arg)) for one in call.keywords if one.arg in ("fill_mode", "fill_value")
    }
    settings, remark = layer.read(given, size)
    found.augment.update(settings)
    if "fill_mode" in fill:
        found.augment["fill"] = _fill(fill["fill_mode"])
    elif layer.moves:
        found.augment.setdefault("fill", "mirror")  # their default is reflect
    if found.augment.get("fill") == "constant" and "fill_value" in fill:
        found.augment["fill_value"] = float(fill["fill_value"])
    elif fill.get("fill_value"):
        found.remarks.append(_unused_fill("fill_value", fill["fill_value"]))
    found.remarks += [remark] if remark else []
    found.remarks += [
        f"{name}: {argument} is left out." for argument in ignored if argument not in ("seed", "name", "input_shape")
    ]


_MIDDLES = {"zoom_range": 1.0, "brightness_range": 1.0}  # of factors: what leaves a picture as it is
_GENERATOR: Mapping[str, Callable[[str, Any, int | None], dict[str, Any]]] = {
    "rotation_range": lambda name, value, size: {"rotation": either(name, value)},
    "width_shift_range": lambda name, value, size: {"width_shift": shares(name, value, size)},
    "height_shift_range": lambda name, value, size: {"height_shift": shares(name, value, size)},
    "shear_range": lambda name, value, size: {"shear": either(name, value)},
    "zoom_range": lambda name, value, size: higher_and_lower(name, value, up="zoom_in", down="zoom_out", inverted=True),
    "brightness_range": lambda name, value, size: higher_and_lower(name, value, up="brighten", down="darken"),
    "channel_shift_range": lambda name, value, size: {"brightness_shift": round(either(name, value) / 255, 4)},
    "cval": lambda name, value, size: {"fill_value": either(name, value)},
    "horizontal_flip": lambda name, value, size: {"horizontal_flip": 0.5},
    "vertical_flip": lambda name, value, size: {"vertical_flip": 0.5},
}
