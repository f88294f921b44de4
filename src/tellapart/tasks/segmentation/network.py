"""A network that gives each pixel a class. In: an encoder and a decoder. Out: SegmentationNetwork. Next: probe_network.py.

Shapes: B pictures, H W their height and width in pixels, multiples of 32; K classes; C h w channels, height and width of a map.
"""

from __future__ import annotations

import abc
import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tellapart.models.trainable import NamedParameters, Trainable, only_trained
from tellapart.preprocessing import Preprocessing

# How timm calls the stages of its networks: blocks.0, stages_0, layer1, s1 ...
_STAGE = re.compile(r"(?:blocks|stages|layers|features)[._](\d+)\.|(?:layer|stage|s)_?(\d+)\.")


class PixelNetwork(Trainable):
    """Pictures -> logits of K classes at each pixel. What all of them share: the encoder, and how it is given pictures."""

    encoder: nn.Module  # float32 [B, 3, H, W] -> maps from the finest to the coarsest, the first the picture itself

    def __init__(self, encoder: nn.Module, *, class_count: int, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.encoder, self.class_count = encoder, class_count
        mean, std = (torch.tensor(values, dtype=torch.float64) for values in (preprocessing.mean, preprocessing.std))
        self.scale: Tensor
        self.shift: Tensor
        self.register_buffer("scale", (1 / (255 * std)).float().view(1, -1, 1, 1), persistent=False)
        self.register_buffer("shift", (-mean / std).float().view(1, -1, 1, 1), persistent=False)

    def forward(self, inputs: Tensor, start: int = 0) -> Tensor:
        """Logits float [B, K, H, W] of pictures uint8 [B, H, W, 3] in RGB; nothing is cached, so `start` is 0.

        Raises: ValueError for another `start`.
        """
        if start:
            raise ValueError(f"the input is of stage {start - 1}; this network begins with pictures")
        return self.decode(self.maps(inputs))

    @abc.abstractmethod
    def decode(self, maps: Sequence[Tensor]) -> Tensor:
        """Logits float [B, K, H, W] of what `maps` gives."""

    def maps(self, images: Tensor) -> list[Tensor]:
        """The encoder's maps [B, C, h, w] of pictures uint8 [B, H, W, 3]; the first is the normalised picture."""
        normalised = images.permute(0, 3, 1, 2).to(self.scale.dtype) * self.scale + self.shift
        found: list[Tensor] = self.encoder(normalised)
        return found

    def embed(self, maps: Sequence[Tensor]) -> Tensor:
        """The means over all places of the maps that are no picture, side by side: float32 [B, D]."""
        shown = (one.float() for one in maps[1:] if one.shape[1])  # transformers have none at half the resolution
        return torch.cat([functional.adaptive_avg_pool2d(one, 1).flatten(1) for one in shown], dim=1)


class SegmentationNetwork(PixelNetwork):
    """An encoder and a decoder of segmentation_models_pytorch."""

    def __init__(self, whole: Any, *, class_count: int, preprocessing: Preprocessing) -> None:
        """`whole` is what `decoders.make_network` gives."""
        super().__init__(whole.encoder, class_count=class_count, preprocessing=preprocessing)
        self.decoder: nn.Module = whole.decoder
        self.head: nn.Module = whole.segmentation_head
        self.stages = 1 + max(self._stage_of(name) for name, _ in self.encoder.named_parameters())
        self.frozen = 0  # so many stages of the encoder, from below, are neither trained nor update their statistics
        self.batch_norm_frozen = False  # statistics of the encoder's other stages stay as they are too
        self.probe: nn.Module | None = None  # what gives the logits that the decoder's are added to

    def begin_with(self, probe: nn.Module) -> None:
        """Answer as `probe` does, maps to logits [B, K, H, W], until training moves it: the decoder adds nothing at first."""
        self.probe = probe
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)

    def decode(self, maps: Sequence[Tensor]) -> Tensor:
        """As every PixelNetwork."""
        logits: Tensor = self.head(self.decoder(list(maps)))
        return logits if self.probe is None else logits + self.probe(maps)

    def freeze(self, trained: int) -> None:
        """Let the `trained` upper stages of the encoder train, 0 to all, and the decoder; a frozen one keeps its statistics."""
        self.frozen = self.stages - trained
        for name, parameter in self.encoder.named_parameters():
            parameter.requires_grad_(self._stage_of(name) >= self.frozen)
        self.train(self.training)

    def train(self, mode: bool = True) -> SegmentationNetwork:
        """As torch does, except that what is frozen keeps its statistics."""
        super().train(mode)
        if mode:
            for name, module in self.encoder.named_modules():
                below = self._stage_of(f"{name}.") < self.frozen
                if below or (self.batch_norm_frozen and isinstance(module, nn.modules.batchnorm._BatchNorm)):
                    module.training = False
        return self

    def layer_groups(self) -> list[NamedParameters]:
        """As every Trainable: the stages of the encoder that train, the probe, then decoder and head together."""
        stages: list[NamedParameters] = [[] for _ in range(self.stages)]
        probe: NamedParameters = []
        rest: NamedParameters = []
        for name, value in self.named_parameters():
            part, _, below = name.partition(".")
            found = stages[self._stage_of(below)] if part == "encoder" else probe if part == "probe" else rest
            found.append((name, value))
        return only_trained([*stages, probe, rest])

    def _stage_of(self, name: str) -> int:
        """The stage of a tensor or module of the encoder; what comes before the first belongs to it."""
        found = _STAGE.search(name)
        if found is None:
            return 0
        number = int(found[1] or found[2] or 0)
        return number if found[1] is not None else max(0, number - 1)
