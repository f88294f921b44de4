"""A network in stages, to be cut, frozen and fine-tuned. In: a network as timm builds them. Out: StagedNetwork. Next: freezing.py.

Shapes: B batch, S side of the picture, C H W channels, height and width of a stage's output, D embedding, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from tellapart.models.catalog import LastPooling
from tellapart.models.last_maps import pool
from tellapart.models.stage_finding import step_of
from tellapart.models.trainable import NamedParameters, Trainable, only_trained
from tellapart.preprocessing import Preprocessing

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
        pooling: LastPooling = "own",
    ) -> None:
        """`stages` lists the paths of the trunk's modules, stage by stage; `find_stages` finds them."""
        super().__init__()
        self.trunk = trunk
        self.stages = tuple(tuple(paths) for paths in stages)
        self.embedding, self.channels, self.pooling, self.size = embedding, channels, pooling, preprocessing.size
        self.frozen = 0  # so many stages, from below, are neither trained nor update their statistics
        self.still: tuple[str, ...] = ()  # paths of layers of the other stages that are not trained either
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
        self.classifier: nn.Linear = nn.Linear(embedding, class_count)
        self.auxiliary = nn.ModuleDict()  # further classifiers that a training has, see scaffold.py

    def add_dense(self, layers: Sequence[nn.Module], *, embedding: int) -> None:
        """Put layers [B, D] -> [B, `embedding`] between the network and a new classifier, which torch initialises."""
        self.dense, self.embedding = nn.Sequential(*layers), embedding
        self.classifier = nn.Linear(embedding, self.classifier.out_features)

    def forward(self, inputs: Tensor, start: int = 0) -> Any:
        """Logits float [B, K]; in training, where there are auxiliary classifiers, a tuple of these and of theirs."""
        logits: Tensor = self.classifier(self.dropout(self.embed(inputs, start)))
        return (logits, *self._auxiliary_logits()) if self.training and self.auxiliary else logits

    def _auxiliary_logits(self) -> list[Tensor]:
        heard: dict[str, Tensor] = {}
        for module in self.trunk.modules():
            if isinstance(module, Listening):
                heard |= module.let_go()
        return [self.auxiliary[name](maps) for name, maps in heard.items()]

    def embed(self, inputs: Tensor, start: int = 0) -> Tensor:
        """Embeddings float [B, D]; where stages are joined, their means in order and then the last layer's."""
        means: list[Tensor] = []
        return self.finish(self.run_stages(inputs, start, len(self.stages), means), means)

    def finish(self, features: Tensor, means: Sequence[Tensor]) -> Tensor:
        """Embeddings float [B, D] of what the last stage gives, and of the joined stages' means."""
        embedding: Tensor = self.dense(pool(self.trunk, features, self.pooling))
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
                features = step_of(self.trunk, path)(features)
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
        steps = (step_of(self.trunk, path) for path in self.stages[stage])
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
            for part, module in (("dense", self.dense), ("classifier", self.classifier), ("auxiliary", self.auxiliary))
            for name, parameter in module.named_parameters()
        ]
        return only_trained([*stages, classifier])

    def train(self, mode: bool = True) -> StagedNetwork:
        """As torch does, except that frozen stages and layers stay in evaluation mode: no dropout, statistics as they are."""
        super().train(mode)
        if mode:
            if self.frozen == len(self.stages):
                self.trunk.eval()
            for stage in range(self.frozen):
                for module in self.stage_modules(stage):
                    module.eval()
            for path in self.still:
                self.trunk.get_submodule(path).eval()
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


class Listening(nn.Sequential):
    """Layers in a row that keep what some of them give in training, until it is let go of."""

    wanted: tuple[str, ...] = ()  # names of children

    def forward(self, x: Tensor) -> Tensor:
        """As nn.Sequential."""
        self._heard: dict[str, Tensor] = {}
        for name, module in self.named_children():
            x = module(x)
            if self.training and name in self.wanted:
                self._heard[name] = x
        return x

    def let_go(self) -> dict[str, Tensor]:
        """What the wanted children gave last, float [B, C, H, W] by name."""
        heard, self._heard = self._heard, {}
        return heard
