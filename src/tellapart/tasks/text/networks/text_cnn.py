"""Kim's convolutional network. In: numbers of words. Out: logits. Next: dpcnn.py.

Shapes: B texts, L words of the longest, D numbers of a word in all channels, K classes.
Source: Kim 2014, arXiv 1408.5882, section 2.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from tellapart.models.trainable import NamedParameters, Trainable, only_trained
from tellapart.tasks.text.networks.plan import NetworkPlan
from tellapart.tasks.text.networks.table import WordTable


class TextCnn(Trainable):
    """Filters of several widths over a text, the largest answer of each, dropout, a linear classifier."""

    def __init__(self, plan: NetworkPlan, first: Tensor) -> None:
        """`first` float32 [F + 2, D] are the words' first vectors; the rest is torch's random generator's."""
        super().__init__()
        self.max_norm = plan.max_norm
        self.table = WordTable(first, plan.channels)
        given = plan.embedding * len(self.table.parts)
        # Nothing on both sides as wide as the filter: so every text, whatever it is padded to, has a place where the filter sees
        # nothing, and the largest answer does not depend on the texts beside it.
        self.convolutions = nn.ModuleList(nn.Conv1d(given, plan.filters, width, padding=width) for width in plan.widths)
        self.dropout = nn.Dropout(plan.dropout)
        self.classifier = nn.Linear(plan.features, plan.classes)
        nn.init.zeros_(self.classifier.weight)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, inputs: Tensor, start: int = 0) -> Tensor:
        """Numbers of words, whole [B, L], to logits float32 [B, K]."""
        vectors_BDL = self.table(inputs)
        largest = [torch.relu(convolution(vectors_BDL).amax(2)) for convolution in self.convolutions]
        logits: Tensor = self.classifier(self.dropout(torch.cat(largest, dim=1)))
        return logits

    def constrain(self) -> None:
        """Shorten each class's row that is longer than max_norm."""
        shorten(self.classifier, self.max_norm)

    def layer_groups(self) -> list[NamedParameters]:
        """The words' vectors, the convolutions, the classifier."""
        parts = (("table", self.table), ("convolutions", self.convolutions), ("classifier", self.classifier))
        return only_trained(
            [[(f"{name}.{key}", value) for key, value in part.named_parameters()] for name, part in parts]
        )

    def weights(self) -> Mapping[str, Tensor]:
        """All that a file needs, under the names that export/sequences.py takes."""
        found = {"table": self.table.whole()}
        for place, convolution in enumerate(self.convolutions):
            found |= {f"convolution.{place}.{key}": value.detach() for key, value in convolution.named_parameters()}
        return found | {f"classifier.{key}": value.detach() for key, value in self.classifier.named_parameters()}


def shorten(classifier: nn.Linear, most: float) -> None:
    """Shorten the rows of a classifier whose Euclidean length is above `most`; 0: none. Source: Kim 2014, section 2.1."""
    if most:
        with torch.no_grad():
            lengths = classifier.weight.norm(dim=1, keepdim=True)
            classifier.weight.mul_((most / lengths.clamp_min(1e-12)).clamp_max(1.0))
