"""Where a network's stages begin and end. In: a network of timm. Out: paths of its modules, stage by stage. Next: staged.py.

Shapes: B batch, S side of the picture, C H W channels, height and width of a stage's output.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

_CONTAINERS = ("blocks", "stages", "layers")  # in timm's networks: one child a stage
_FLAT = ("features",)  # VGG, DenseNet: layers and blocks in one list, to be grouped by resolution
_STAGE = re.compile(r"(layer|stage|s)_?\d+")  # ResNet's layer1 ... layer4, RegNet's s1 ... s4
# A vision transformer adds its positions in a method, which ends by calling the module `pos_drop`.
_METHODS = {"pos_drop": "_pos_embed"}
_TOLERANCE = 1e-4  # relative; the chain of stages must give what the network's own forward gives


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    path: str
    halvings: int  # how many times it halves the resolution
    trained: bool  # whether it has parameters


def find_stages(trunk: nn.Module, sample: Tensor) -> list[list[str]]:
    """The stages of a network as lists of module paths; one stage with everything where it is no chain of modules.

    `sample` is a normalised float32 [B, C, S, S]. Stages are the children of `blocks`, `stages` or `layers`, or
    ResNet's layer1 to layer4; what comes before them belongs to the first, what follows to the last. Where there are
    none (VGG, DenseNet, Inception), a stage ends when the resolution has halved. The chain counts only when it gives
    what `forward_features` gives.
    """
    was_training = trunk.training
    trunk.eval()
    try:
        with torch.inference_mode():
            steps, expected = _record(trunk, sample)
            features = sample
            for step in steps:
                features = step_of(trunk, step.path)(features)
        if not steps or features.shape != expected.shape or not _close(features, expected):
            return [[""]]
    # Whatever a module says to an input that is not its own: this network is no chain.
    except Exception:
        return [[""]]
    finally:
        trunk.train(was_training)
    return _group_by_name(steps) or _group_by_resolution(steps)


def begins_stage(path: str) -> bool:
    """Whether a module is named as a stage is."""
    return bool(_STAGE.fullmatch(path)) or path.split(".")[0] in _CONTAINERS


def step_of(trunk: nn.Module, path: str) -> Callable[[Tensor], Tensor]:
    """What a path of `find_stages` names: a module of the trunk, or a method of it."""
    step: Any = getattr(trunk, path) if path in _METHODS.values() else trunk.get_submodule(path)
    found: Callable[[Tensor], Tensor] = step
    return found


def _record(trunk: Any, sample: Tensor) -> tuple[list[_Step], Tensor]:
    """The modules that `forward_features` calls, in that order, and what it gives."""
    steps: list[_Step] = []

    def hook(path: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def record(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            halvings = round(math.log2(inputs[0].shape[-1] / output.shape[-1])) if output.ndim == 4 else 0
            trained = any(True for _ in module.parameters())
            steps.append(_Step(path=path, halvings=halvings, trained=trained))

        return record

    hooks = []
    for name, child in trunk.named_children():
        parts = [f"{name}.{part}" for part, _ in child.named_children()] if name in (*_CONTAINERS, *_FLAT) else []
        for path in parts or [name]:
            method = _METHODS.get(path, "")
            known = method if hasattr(trunk, method) and method else path
            hooks.append(trunk.get_submodule(path).register_forward_hook(hook(known)))
    try:
        return steps, trunk.forward_features(sample)
    finally:
        for handle in hooks:
            handle.remove()


def _group_by_name(steps: Sequence[_Step]) -> list[list[str]]:
    begins = [begins_stage(step.path) for step in steps]
    if not any(begins):
        return []
    stages: list[list[str]] = [[]]
    begun = False
    for step, begin in zip(steps, begins, strict=True):
        if begin and begun:
            stages.append([])
        begun = begun or begin
        stages[-1].append(step.path)
    return stages


def _group_by_resolution(steps: Sequence[_Step]) -> list[list[str]]:
    """A stage ends with the step that halves the resolution, and needs something to train.

    Where the first step halves it already, it is the stem of a network for large pictures, and the first stage goes on
    to an eighth: DenseNet's stem, first dense block and transition.
    """
    stages: list[list[str]] = []
    current: list[str] = []
    halvings, trained, wanted = 0, False, 3 if steps[0].halvings else 1
    for step in steps:
        current.append(step.path)
        halvings, trained = halvings + step.halvings, trained or step.trained
        if halvings >= wanted and trained:
            stages.append(current)
            current, halvings, trained, wanted = [], 0, False, 1
    if trained or not stages:
        stages.append(current)
    else:
        stages[-1].extend(current)
    return stages


def _close(found: Tensor, expected: Tensor) -> bool:
    if found.is_meta:
        return True  # there are no numbers to compare, only shapes
    return bool((found - expected).abs().max() <= _TOLERANCE * expected.abs().max())
