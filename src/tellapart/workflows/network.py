"""A network before any training. In: a name, a recipe. Out: its layers, drawn as PNG or SVG. Next: drawing/network_boxes.py."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tellapart.bundle import read_manifest
from tellapart.drawing.lettering import Say
from tellapart.drawing.network_boxes import BoxKind, NetworkBox, draw_boxes, svg_of
from tellapart.drawing.png import write_png
from tellapart.errors import BackboneError, SettingsError
from tellapart.models.catalog import BACKBONES, IMAGENET
from tellapart.models.classics import BLOCKS, CLASSICS, DENSE
from tellapart.models.keras_names import timm_name
from tellapart.settings.reading import make_settings, merge, read_recipe
from tellapart.settings.tree import TrainSettings
from tellapart.storage import write_bytes
from tellapart.tasks.table import task_of

_OF_IMAGENET, _FEWEST = 1_000, 2  # classes, where nobody says how many
_SHOWN = 8  # layers of a block that are told one by one
_QUIET = ("ReLU", "ReLU6", "LeakyReLU", "ELU", "GELU", "swish", "Tanh", "Sigmoid", "BatchNormalization", "Dropout")


@dataclass(frozen=True, slots=True, kw_only=True)
class LaidOut:
    """A network's layers, as Keras' `model.summary` tells them."""

    name: str
    size: int  # pixels, side of a picture
    channels: int  # of what the first layer is given: 3, or 1 of grey
    classes: int
    rows: tuple[Any, ...]  # of models/summary.py
    parameters: int
    trained: int

    def as_json(self) -> dict[str, Any]:
        """One JSON-ready object."""
        rows = [
            {"name": row.name, "type": row.kind, "output": list(row.shape), "parameters": row.parameters}
            for row in self.rows
        ]
        facts = {
            "name": self.name,
            "size": self.size,
            "channels": self.channels,
            "classes": self.classes,
            "layers": rows,
        }
        return facts | {"parameters": self.parameters, "trained": self.trained}


def lay_out(asked: str, *, classes: int | None, changes: Mapping[str, Any]) -> LaidOut:
    """The network of a recipe, of a run's folder or of a name, for so many classes; `changes` are laid over its settings.

    Classes that are not told are a finished run's own, of imagenet:NAME 1,000, else two. Raises: SettingsError, BackboneError,
    ModelFileError.
    """
    model = Path(asked) / "model.onnx"
    run = read_manifest(model) if model.is_file() else None
    if classes is None:
        classes = _OF_IMAGENET if asked.startswith(IMAGENET) else _FEWEST if run is None else len(run.classes)
    settings = _settings(asked.removeprefix(IMAGENET), changes)
    task = settings.task if run is None else run.task
    if task is not None and task_of(task).own is not None:
        raise SettingsError(
            f"{asked} is of the task {task}, whose network is made of what its training data hold. Train it, and "
            "ask with: tellapart explain RUN --network"
        )
    # Behind the refusal: PyTorch takes seconds, and a minute where many programs run.
    from tellapart.models.freezing import freeze, unfreeze
    from tellapart.models.summary import layer_table, totals
    from tellapart.runs.network import sketch

    network = sketch(settings, classes)
    if settings.strategy == "probe":
        freeze(network, 0)
    elif settings.strategy != "scratch":
        unfreeze(network, settings.finetune.unfreeze or "all")
    rows = tuple(layer_table(network))
    whole, trained = totals(rows, network)
    name = settings.network.name if settings.strategy == "scratch" else settings.backbone
    shape = {"size": network.size, "channels": network.channels}
    return LaidOut(name=name, **shape, classes=classes, rows=rows, parameters=whole, trained=trained)


def draw(found: LaidOut, path: Path, say: Say = str) -> Path:
    """Draw it to a .png or .svg. Raises: SettingsError for another ending, StorageError."""
    boxes = [
        replace(box, title=say(box.title)) if box.kind == "picture" or box.title.startswith("block ") else box
        for box in boxes_of(found)
    ]
    told = {
        "title": found.name,
        "subtitle": say(
            f"{found.parameters:,} parameters, {found.trained:,} of them trained; pictures of {found.size} x {found.size} pixels, "
            f"{found.classes} classes"
        ),
    }
    if path.suffix.lower() == ".png":
        write_png(path, draw_boxes(boxes, **told))
    elif path.suffix.lower() == ".svg":
        write_bytes(path, svg_of(boxes, **told).encode())
    else:
        raise SettingsError(f"--diagram is {path}; a diagram is a .png or a .svg file. Name one of these.")
    return path


def boxes_of(found: LaidOut) -> list[NetworkBox]:
    """A box for the picture, for each stage or block, and for each layer behind them, its activation in it."""
    shape = f"{found.size} x {found.size} x {found.channels}"
    boxes = [NetworkBox(title="picture", kind="picture", lines="", shape=shape, parameters=0)]
    for (stage, _), group in itertools.groupby(_keyed(found.rows), key=lambda one: one[0]):
        rows = [row for _, row in group]
        title = rows[0].kind if stage is None else f"block {stage + 1}"
        boxes.append(
            NetworkBox(
                title=title,
                kind=_kind(rows),
                lines="" if (lines := _lines(rows)) == title else lines,
                shape=" x ".join(map(str, rows[-1].shape)),
                parameters=sum(row.parameters for row in rows),
            )
        )
    return boxes


def _keyed(rows: Sequence[Any]) -> list[tuple[tuple[int | None, int], Any]]:
    """Each row with the box that it goes into: its stage's, or one that begins with a layer that is no activation."""
    keyed, number, whole = [], 0, len({row.stage for row in rows if row.stage is not None})
    for row in rows:
        stage = row.stage if whole else None
        if (stage is None and row.kind not in _QUIET) or (stage is None and row.kind == "Dropout"):
            number += 1
        keyed.append(((stage, 0 if stage is not None else number), row))
    return keyed


def _kind(rows: Sequence[Any]) -> BoxKind:
    kinds = " ".join(row.kind for row in rows)
    names = " ".join(row.name for row in rows)
    if "attn" in names:
        return "attention"
    if "Conv" in kinds:
        return "convolution"
    if "Dense" in kinds:
        return "dense"
    return "pooling" if "Pool" in kinds else "other"


def _lines(rows: Sequence[Any]) -> str:
    if len(rows) > _SHOWN:
        return ", ".join(f"{count} {kind}" for kind, count in Counter(row.kind for row in rows).most_common(5))
    return ", ".join(f"{row.kind} {row.detail}".strip() for row in rows)


def _settings(asked: str, changes: Mapping[str, Any]) -> TrainSettings:
    path = Path(asked)
    if path.suffix == ".onnx":
        raise SettingsError(
            f"{asked} is a model; its layers stand in its run. Give the run's folder, such as {path.parent}."
        )
    path = path / "recipe.toml" if path.is_dir() else path
    if path.suffix == ".toml" or path.is_file():
        return make_settings(merge({**read_recipe(path), "data": "pictures"}, dict(changes)))
    return make_settings(merge({**_named(asked), "data": "pictures"}, dict(changes)))


def _named(name: str) -> dict[str, Any]:
    """A pretrained network's settings, or those of one that only trains from random weights. Raises: BackboneError."""
    from tellapart.models.weights import check_name

    if name in (BLOCKS, DENSE):
        return {"strategy": "scratch", "network": {"name": name}}
    try:
        known = timm_name(name)
    except ValueError as error:
        raise BackboneError(f"{error}. Name one of these.") from None
    if known in CLASSICS and (CLASSICS[known].library == "own" or known in ("googlenet", "xception", "nasnetamobile")):
        return {"strategy": "scratch", "network": {"name": known}}
    if known not in BACKBONES:
        check_name(known)
    return {"strategy": "finetune", "backbone": known}
