"""Which network learns texts, as plain values. In: nothing. Out: NetworkPlan. Next: table.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

NetworkName = Literal["text_cnn", "dpcnn"]
NAMES: tuple[NetworkName, ...] = get_args(NetworkName)
Channels = Literal["random", "static", "tuned", "both"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPlan:
    """One network; K classes, F known words."""

    name: NetworkName
    classes: int  # K
    known: int  # F; the table has F + 2 rows, see texts/sequences.py
    # random: vectors drawn at random, which learn; static: those of a file, as they are; tuned: those of a file, which learn;
    # both: two channels, static and tuned.
    channels: Channels
    embedding: int  # numbers of a word, D
    widths: tuple[int, ...]  # of text_cnn: words that a filter sees, for each size
    filters: int  # of text_cnn of each width; of dpcnn in every layer
    depth: int  # of dpcnn: blocks of two convolutions; the text is half as long from each to the next
    dropout: float  # before the classifier
    max_norm: float  # of a class's row of the classifier; 0: any

    @property
    def features(self) -> int:
        """Numbers that the classifier sees."""
        return self.filters * len(self.widths) if self.name == "text_cnn" else self.filters
