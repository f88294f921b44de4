"""A network in stages, to be cut, frozen and fine-tuned. In: a network as timm builds them. Out: StagedNetwork. Next: freezing.py.

Shapes: B batch, S side of the picture, C H W channels, height and width of a stage's output, D embedding, K classes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from tellapart.models.trainable import NamedParameters, Trainable, only_trained
from tellapart.preprocessing import Preprocessing

_CONTAINERS = ("blocks", "stages", "layers")  # in timm's networks: one child a stage
_FLAT = ("features",)  # VGG, DenseNet: layers and blocks in one list, to be grouped by resolution
_STAGE = re.compile(r"(layer|stage|s)_?\d+")  # ResNet's layer1 ... layer4, RegNet's s1 ... s4
# A vision transformer adds its positions in a method, which ends by calling the module `pos_drop`.
_METHODS = {"pos_drop": "_pos_embed"}
_TOLERANCE = 1e-4  # relative; the chain of stages must give what the network's own forward gives
# Source: ITU-R BT.601, the weights that Pillow's mode L uses.
_LUMA = (0.299, 0.587, 0.114)


class StagedNetwork(Trainable):
    """Pictures -> stages -> embedding -> dropout -> linear classifier.

    `start` cuts a call: with `start=k` the input is what stage k - 1 gave, float [B, C, H, W] (of a transformer
    [B, tokens, C]); with 0 it is pictures, uint8 [B, S, S, 3] in RGB, which the network normalises (and turns grey
    where it has one channel) itself.
    """

    def __init__(
        self,
        trunk: nn.Module,
        *,
        stages: Sequence[Sequence[str]],
        embedding: int,
        class_count: int,
        preprocessing: Preprocessing,
        channels: Literal[1, 3] = 3,
        dropout: float = 0.0,
    ) -> None:
        """`stages` lists the paths of the trunk's modules, stage by stage; `find_stages` finds them."""
        super().__init__()
        self.trunk = trunk
        self.stages = tuple(tuple(paths) for paths in stages)
        self.embedding, self.channels = embedding, channels
        self.frozen = 0  # so many stages, from below, are neither trained nor update their statistics
        self.batch_norm_frozen = False  # statistics of the other stages stay as they are too
        self.joined: dict[str, int] = {}  # path -> channels, whose means the embedding begins with; see joint.py
        mean, std = (torch.tensor(values, dtype=torch.float64) for values in (preprocessing.mean, preprocessing.std))
        if channels == 1:
            mean, std = mean.mean(0, keepdim=True), std.mean(0, keepdim=True)
        self.scale: Tensor
        self.shift: Tensor
        self.luma: Tensor
        self.register_buffer("scale", (1 / (255 * std)).float().view(1, -1, 1, 1), persistent=False)
        self.register_buffer("shift", (-mean / std).float().view(1, -1, 1, 1), persistent=False)
        self.register_buffer("luma", torch.tensor(_LUMA).view(1, 3, 1, 1), persistent=False)
        self.dense: nn.Module = nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(embedding, class_count)

    def add_dense(self, layers: Sequence[nn.Module], *, embedding: int) -> None:
        """Put layers [B, D] -> [B, `embedding`] between the network and a new classifier, which torch initialises."""
        self.dense, self.embedding = nn.Sequential(*layers), embedding
        self.classifier = nn.Linear(embedding, self.classifier.out_features)

    def forward(self, inputs: Tensor, start: int = 0) -> Tensor:
        """Logits float [B, K]."""
        logits: Tensor = self.classifier(self.dropout(self.embed(inputs, start)))
        return logits

    def embed(self, inputs: Tensor, start: int = 0) -> Tensor:
        """Embeddings float [B, D]; where stages are joined, their means in order and then the last layer's."""
        means: list[Tensor] = []
        return self.finish(self.run_stages(inputs, start, len(self.stages), means), means)

    def finish(self, features: Tensor, means: Sequence[Tensor]) -> Tensor:
        """Embeddings float [B, D] of what the last stage gives, and of the joined stages' means."""
        trunk: Any = self.trunk  # has timm's forward_features and forward_head
        embedding: Tensor = self.dense(trunk.forward_head(features, pre_logits=True))
        return torch.cat([*means, embedding], dim=1) if means else embedding

    def run_stages(self, inputs: Tensor, start: int, stop: int, means: list[Tensor] | None = None) -> Tensor:
        """What stage `stop` - 1 gives, float [B, C, H, W]; with `start` = `stop` = 0 the normalised pictures.

        `means` is given the joined stages' means over all places, float32 [B, C] each.
        """
        features = self.normalise(inputs) if start == 0 else inputs
        if len(self.stages) == 1 and start < stop:
            trunk: Any = self.trunk
            whole: Tensor = trunk.forward_features(features)
            return whole
        for paths in self.stages[start:stop]:
            for path in paths:
                features = _step(self.trunk, path)(features)
                if means is not None and path in self.joined:
                    means.append(self.mean_over_places(features))
        return features

    def mean_over_places(self, maps: Tensor) -> Tensor:
        """The mean of each channel of maps [B, C, H, W], or [B, H, W, C] where timm says so, float32 [B, C]."""
        channels_last = getattr(self.trunk, "output_fmt", "NCHW") == "NHWC"
        # A cast that changes nothing would stay in an exported graph.
        whole = maps if maps.dtype == torch.float32 else maps.to(torch.float32)
        # ONNX Runtime keeps its own order of numbers through this operator; through a mean by axes the network is 3 % slower.
        return whole.mean((1, 2)) if channels_last else functional.adaptive_avg_pool2d(whole, 1).flatten(1)

    def normalise(self, images: Tensor) -> Tensor:
        """Pictures uint8 [B, S, S, 3] in RGB to float32 [B, 1 or 3, S, S]."""
        images_BCHW = images.permute(0, 3, 1, 2).to(self.scale.dtype)
        if self.channels == 1:
            images_BCHW = (images_BCHW * self.luma).sum(1, keepdim=True)
        return images_BCHW * self.scale + self.shift

    def stage_modules(self, stage: int) -> list[nn.Module]:
        """The modules of one stage, in the order in which they run. With one stage only, that is the whole trunk."""
        if len(self.stages) == 1:
            return [self.trunk]
        steps = (_step(self.trunk, path) for path in self.stages[stage])
        return [step for step in steps if isinstance(step, nn.Module)]

    def stage_parameters(self, stage: int) -> NamedParameters:
        """The parameters of one stage, under the trunk's names.

        The trunk's own (a transformer's class token and positions) belong to the first stage; those of modules that
        run between the last stage and the classifier belong to the last.
        """
        return [(name, value) for name, value in self.trunk.named_parameters() if self._stage_of(name) == stage]

    def layer_groups(self) -> list[NamedParameters]:
        """As every Trainable; dense layers train with the classifier. Names are those of `network_state`."""
        stages = [self.stage_parameters(stage) for stage in range(self.frozen, len(self.stages))]
        classifier = [
            (f"{part}.{name}", parameter)
            for part, module in (("dense", self.dense), ("classifier", self.classifier))
            for name, parameter in module.named_parameters()
        ]
        return only_trained([*stages, classifier])

    def train(self, mode: bool = True) -> StagedNetwork:
        """As torch does, except that frozen stages stay in evaluation mode: no dropout, statistics as they are."""
        super().train(mode)
        if mode:
            if self.frozen == len(self.stages):
                self.trunk.eval()
            for stage in range(self.frozen):
                for module in self.stage_modules(stage):
                    module.eval()
            if self.batch_norm_frozen:
                for module in self.trunk.modules():  # not the dense layers, whose statistics begin with this training
                    if isinstance(module, nn.modules.batchnorm._BatchNorm):
                        module.eval()
        return self

    def _stage_of(self, name: str) -> int:
        if "." not in name:
            return 0
        for stage, paths in enumerate(self.stages):
            if any(name.startswith(f"{path}.") for path in paths):
                return stage
        return len(self.stages) - 1


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
                features = _step(trunk, step.path)(features)
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


def _step(trunk: nn.Module, path: str) -> Callable[[Tensor], Tensor]:
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
    return bool((found - expected).abs().max() <= _TOLERANCE * expected.abs().max())
