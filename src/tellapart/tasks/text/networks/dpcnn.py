"""A deep pyramid of convolutions. In: numbers of words. Out: logits. Next: making.py.

Shapes: B texts, L words of the longest, D numbers of a word in all channels, C filters, K classes.
Source: Johnson and Zhang 2017, "Deep Pyramid Convolutional Neural Networks for Text Categorization", ACL P17-1052, section 2.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from tellapart.models.trainable import NamedParameters, Trainable, only_trained
from tellapart.tasks.text.networks.plan import NetworkPlan
from tellapart.tasks.text.networks.table import WordTable
from tellapart.tasks.text.networks.text_cnn import shorten

REGION = 3  # words that the first layer sees, and every other
_POOLED = 3  # places of which the largest is kept; two places on


class Dpcnn(Trainable):
    """Blocks of two convolutions with a way around them; from each to the next a text becomes half as long."""

    def __init__(self, plan: NetworkPlan, first: Tensor) -> None:
        """`first` float32 [F + 2, D] are the words' first vectors; the rest is torch's random generator's."""
        super().__init__()
        self.max_norm = plan.max_norm
        self.table = WordTable(first, plan.channels)
        given, filters = plan.embedding * len(self.table.parts), plan.filters
        self.region = nn.Conv1d(given, filters, REGION, padding=REGION // 2)
        self.blocks = nn.ModuleList(_Block(filters) for _ in range(plan.depth))
        self.dropout = nn.Dropout(plan.dropout)
        self.classifier = nn.Linear(filters, plan.classes)
        nn.init.zeros_(self.classifier.weight)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, inputs: Tensor, start: int = 0) -> Tensor:
        """Numbers of words, whole [B, L], to logits float32 [B, K].

        What stands behind the end of a text is 0 after every layer, so that no answer depends on the texts beside it.
        """
        there_B1L = (inputs != self.table.nothing).unsqueeze(1).float()
        maps_BCL = self.region(self.table(inputs)) * there_B1L
        for place, block in enumerate(self.blocks):
            if place:
                maps_BCL = functional.max_pool1d(functional.pad(maps_BCL, (0, _POOLED - 1)), _POOLED, stride=2)
                there_B1L = there_B1L[:, :, ::2]
            maps_BCL = maps_BCL + block(maps_BCL, there_B1L)
        logits: Tensor = self.classifier(self.dropout(torch.relu(maps_BCL.amax(2))))
        return logits

    def constrain(self) -> None:
        """Shorten each class's row that is longer than max_norm."""
        shorten(self.classifier, self.max_norm)

    def layer_groups(self) -> list[NamedParameters]:
        """The words' vectors, the first layer, each block, the classifier."""
        parts: list[tuple[str, nn.Module]] = [("table", self.table), ("region", self.region)]
        parts += [(f"blocks.{place}", block) for place, block in enumerate(self.blocks)]
        parts += [("classifier", self.classifier)]
        return only_trained(
            [[(f"{name}.{key}", value) for key, value in part.named_parameters()] for name, part in parts]
        )

    def weights(self) -> Mapping[str, Tensor]:
        """All that a file needs, under the names that export/sequences.py takes."""
        found = {"table": self.table.whole()}
        parts: list[tuple[str, nn.Module]] = [("region", self.region), ("classifier", self.classifier)]
        for place, block in enumerate(self.blocks):
            parts += [(f"block.{place}.{inner}", one) for inner, one in enumerate(block.children())]
        for name, part in parts:
            found |= {f"{name}.{key}": value.detach() for key, value in part.named_parameters()}
        return found


class _Block(nn.Module):
    """ReLU and a convolution, twice."""

    def __init__(self, filters: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(filters, filters, REGION, padding=REGION // 2)
        self.second = nn.Conv1d(filters, filters, REGION, padding=REGION // 2)

    def forward(self, maps_BCL: Tensor, there_B1L: Tensor) -> Tensor:
        """Maps float32 [B, C, L] to such ones; 0 where nothing is."""
        deeper = self.first(torch.relu(maps_BCL)) * there_B1L
        found: Tensor = self.second(torch.relu(deeper)) * there_B1L
        return found
