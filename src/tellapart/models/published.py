"""How good pretrained networks are on ImageNet, as published. In: published_accuracy.csv. Out: top-1, top-5. Next: measuring.py.

Source: results/results-imagenet.csv of huggingface/pytorch-image-models at commit 0173a139a2c66db3a41ebfe1d8ac4fb02483642e, for the
weights that timm takes by default; `pixels` is the side of the pictures that they were tested on. timm's wheel holds none of it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedAccuracy:
    """Of one network's weights, on ImageNet-1k's 50,000 validation pictures."""

    weights: str  # timm's tag of them
    top_1: float  # percent
    top_5: float
    pixels: int  # side of the input


def read_published() -> Mapping[str, PublishedAccuracy]:
    """By timm's name; networks that are not in the list were published without, or later."""
    text = (files("tellapart.models") / "published_accuracy.csv").read_text(encoding="utf-8")
    return {
        row["name"]: PublishedAccuracy(
            weights=row["weights"], top_1=float(row["top_1"]), top_5=float(row["top_5"]), pixels=int(row["pixels"])
        )
        for row in csv.DictReader(io.StringIO(text))
    }
