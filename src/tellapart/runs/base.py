"""The run whose network a training goes on from. In: what was told, `--from`. Out: settings, an OpenRun. Next: network.py.

Training in phases, as tutorials do it: first the classifier on a frozen network, then its last layers with a small rate.
What is not told anew is that run's; the pictures must be split as they were, so that nothing is tested that was learned from.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tellapart.bundle import TaskName, read_manifest
from tellapart.data.examples import Example
from tellapart.data.examples_csv import read_examples
from tellapart.data.targets import Target
from tellapart.errors import DataError, SettingsError
from tellapart.manifest import Manifest
from tellapart.models.keras_names import timm_name
from tellapart.runs.open import EXAMPLES, MODEL, RECIPE, OpenRun
from tellapart.settings.reading import merge, read_recipe
from tellapart.settings.tree import TrainSettings

_NAMED = 3  # pictures that a message names
# Of a network's settings those that its weights are for.
_SHAPE = ("name", "size", "crop", "fit", "overlap", "scale", "channels", "blocks", "dense", "pooling")


def told_with_base(told: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the run that `told` goes on from, with what is told laid over them; `told` itself where it names none.

    Raises: SettingsError where it is no finished run with a network that was trained.
    """
    if told.get("base") is None:
        return dict(told)
    folder = Path(str(told["base"]))
    if not (folder / MODEL).is_file() or not (folder / RECIPE).is_file():
        raise SettingsError(
            f"--from {folder} is no finished run: its model.onnx or recipe.toml is missing. Give a run's folder."
        )
    manifest = read_manifest(folder / MODEL)
    if manifest.strategy == "probe":
        raise SettingsError(
            f"--from {folder} holds a classifier on a frozen network, and no network that was trained. Leave --from out: "
            "--strategy finetune --unfreeze goes on from a classifier."
        )
    if manifest.compression is not None:
        raise SettingsError(f"--from {folder} was made smaller after its training. Give the run that it was made from.")
    own = read_recipe(folder / RECIPE)
    _refuse_another_start(folder, told, own, manifest)
    # Where that run's classifier began is of no account here.
    begun = {"network": {"auxiliary": False}, "finetune": {"head": "probe"}}
    own = merge(own, {"strategy": manifest.strategy, **begun})
    # How long that run was to take says nothing of this one.
    own.pop("budget", None)
    own.pop("base", None)
    loop, anew = own.get("loop"), told.get("loop")
    if isinstance(loop, dict) and isinstance(anew, Mapping) and anew.get("schedule", "piecewise") != "piecewise":
        loop.pop("decay_at", None)  # of the schedule that is another now
    return merge(own, dict(told))


def _refuse_another_start(folder: Path, told: Mapping[str, Any], own: Mapping[str, Any], manifest: Manifest) -> None:
    """Raises: SettingsError for what is told of a network's beginning, which here is that run's own."""
    backbone, weights = told.get("backbone"), told.get("weights")
    known = (own.get("backbone"), manifest.backbone.name)
    finetune = told.get("finetune")
    other = isinstance(backbone, str) and backbone != "auto" and "," not in backbone
    head = finetune.get("head") if isinstance(finetune, Mapping) else None
    wrong = {
        "backbone": (backbone, other and timm_name(str(backbone)) not in known),
        "weights": (weights, weights is not None and os.path.abspath(str(weights)) != own.get("weights")),
        "strategy": (told.get("strategy"), told.get("strategy") == "scratch" != manifest.strategy),
        "finetune.head": (head, head == "random"),
    }
    for name, value in ((name, value) for name, (value, given) in wrong.items() if given):
        raise SettingsError(
            f"{name} {value} is not for --from {folder}, whose own network, {manifest.backbone.name}, is trained on as it is. "
            "Leave one of them out."
        )


def open_base(settings: TrainSettings, task: TaskName, classes: Sequence[str]) -> OpenRun:
    """The finished run that `settings` go on from. Raises: SettingsError where its network is for something else."""
    opened = OpenRun(Path(settings.base or ""))
    manifest, own = opened.manifest, opened.settings.network
    if not opened.has_run:
        raise SettingsError(
            f"--from {settings.base} has no weights.safetensors. Give the run's folder with all its files."
        )
    if manifest.task != task or manifest.classes != tuple(classes):
        raise SettingsError(
            f"--from {settings.base} tells apart {_few(manifest.classes)} ({manifest.task}), and the classes here are "
            f"{_few(classes)} ({task}). Give the same data."
        )
    changed = [name for name in _SHAPE if getattr(own, name) != getattr(settings.network, name)]
    if changed:
        raise SettingsError(
            f"network.{changed[0]} is {getattr(settings.network, changed[0])!r}, and the network of --from {settings.base} was "
            f"made for {getattr(own, changed[0])!r}. Leave it out."
        )
    return opened


def check_unseen(opened: OpenRun, examples: Iterable[Example], kind: type[Target]) -> None:
    """Raises: DataError where a test picture is one that the run learned or chose by: another split, or other pictures."""
    path = opened.folder / EXAMPLES
    seen = {one.content_hash for one in read_examples(path, kind) if one.split in ("train", "validation")}
    wrong = [str(one.path) for one in examples if one.split == "test" and one.content_hash in seen]
    if wrong:
        raise DataError(
            f"{len(wrong)} test pictures, such as {', '.join(wrong[:_NAMED])}, were learned from by {opened.folder}; on them no "
            "honest figure is left. Split as that run did: the same pictures, seed and --split."
        )


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
