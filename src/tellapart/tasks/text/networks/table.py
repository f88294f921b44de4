"""Words as vectors. In: numbers of words. Out: their vectors, in one channel or two. Next: text_cnn.py.

Shapes: B texts, L words of the longest, D numbers of a word, F known words, C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tellapart.tasks.text.networks.plan import Channels

SPREAD = 0.25  # of vectors drawn at random: from -SPREAD to SPREAD, as in Kim's programme


class WordTable(nn.Module):
    """The vectors of all known words; row F is 0 and stays so, row F + 1 is of words that are not known."""

    def __init__(self, first: Tensor, channels: Channels) -> None:
        """`first` float32 [F + 2, D]: what the vectors begin with."""
        super().__init__()
        self.nothing = len(first) - 2
        kept = first.clone()
        kept[self.nothing] = 0.0
        # A parameter that does not train and no buffer: buffers are copied at every update.
        self.static = nn.Parameter(kept, requires_grad=False) if channels in ("static", "both") else None
        self.tuned = None if channels == "static" else nn.Parameter(kept.clone())

    @property
    def parts(self) -> list[nn.Parameter]:
        """The channels, the static one first."""
        return [part for part in (self.static, self.tuned) if part is not None]

    def forward(self, tokens: Tensor) -> Tensor:
        """Numbers of words, whole [B, L], to float32 [B, C x D, L]."""
        numbers = tokens.to(torch.int64)
        vectors = [functional.embedding(numbers, part, padding_idx=self.nothing) for part in self.parts]
        return torch.cat(vectors, dim=2).transpose(1, 2)

    def whole(self) -> Tensor:
        """All vectors, [F + 2, C x D]."""
        return torch.cat([part.detach() for part in self.parts], dim=1)
