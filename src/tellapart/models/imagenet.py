"""The classifier that a backbone was pretrained with, and its classes. In: a timm name. Out: weights, names. Next: weights.py."""

from __future__ import annotations

import csv
import io
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from tellapart.errors import BackboneError, one_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CLASSES = 1000
PICTURES = 1_281_167  # of ImageNet-1k's training split, Russakovsky et al. 2015, arXiv 1409.0575
_ALIKE = 1e-4  # of the largest logit: a classifier on the embedding must say what the whole network says


class Head(NamedTuple):
    """A linear classifier on the last layer's embedding."""

    weight: NDArray[np.float32]  # [1000, D]
    bias: NDArray[np.float32]  # [1000]


def class_names() -> tuple[str, ...]:
    """The 1,000 classes in the order of the logits, each in English and Chinese: Egyptian cat · 埃及猫."""
    text = (files("tellapart.models") / "imagenet_classes.tsv").read_text(encoding="utf-8")
    rows = csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)
    return tuple(f"{row['en']} · {row['zh']}" for row in rows)


def read_head(name: str) -> Head:
    """The classifier of timm's network `name`, pretrained on ImageNet-1k.

    Raises: BackboneError when its classes are others, or it is no linear classifier on the embedding; or as `load_backbone`.
    """
    import torch
    from torch import nn

    from tellapart.models.weights import load_backbone

    loaded = load_backbone(name, None, with_classifier=True)
    network: Any = loaded.network
    classifier = network.get_classifier()
    if not isinstance(classifier, nn.Linear):
        raise BackboneError(
            f"{name} ends with {type(classifier).__name__}, not with a linear classifier on its embedding. Choose another network, "
            "such as tf_efficientnet_lite0."
        )
    if classifier.out_features != CLASSES:
        raise BackboneError(
            f"{name} was pretrained to tell {classifier.out_features:,} classes, not the {CLASSES:,} of ImageNet-1k. Choose "
            "weights whose name ends in in1k."
        )
    size = loaded.preprocessing.size
    sample = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        whole = network(sample)
        try:
            parts = classifier(network.forward_head(network.forward_features(sample), pre_logits=True))
        except (RuntimeError, TypeError, AttributeError) as error:
            raise BackboneError(
                f"{name} cannot be cut before its classifier ({one_line(error)}). Choose another."
            ) from None
    if not bool((whole - parts).abs().max() <= _ALIKE * whole.abs().max()):
        raise BackboneError(
            f"{name} does more between its embedding and its logits than a linear classifier. Choose another network, such as "
            "tf_efficientnet_lite0."
        )
    bias = torch.zeros(CLASSES) if classifier.bias is None else classifier.bias
    return Head(classifier.weight.detach().float().numpy(), bias.detach().float().numpy())
