"""Decoders by name, on any encoder of timm. In: a name. Out: a network of segmentation_models_pytorch. Next: encoder.py.

Their networks take float32 [B, 3, H, W] with sides that are multiples of 32, and give logits [B, K, H, W]. Sources: U-Net,
arXiv 1505.04597; U-Net++, 1807.10165; FPN for masks, 1901.02446; DeepLabV3+, 1802.02611; PSPNet, 1612.01105.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from tellapart.errors import BackboneError, SettingsError, one_line
from tellapart.models.weights import create_network

if TYPE_CHECKING:
    from torch import nn

DecoderName = Literal["unet", "unetplusplus", "fpn", "deeplabv3plus", "pspnet"]
DEFAULT_DECODER: DecoderName = "unet"
STRIDE = 32  # pixels; the sides of what these networks see are multiples of it


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderKind:
    """One kind of network."""

    name: DecoderName
    called: str  # in the library
    title: str  # for a person
    whole_encoder: bool = (
        True  # whether it stands on all maps of the encoder as that was pretrained; without holes in it
    )


_LISTED = (
    DecoderKind(name="unet", called="Unet", title="U-Net"),
    DecoderKind(name="unetplusplus", called="UnetPlusPlus", title="U-Net++"),
    DecoderKind(name="fpn", called="FPN", title="FPN"),
    DecoderKind(name="deeplabv3plus", called="DeepLabV3Plus", title="DeepLabV3+", whole_encoder=False),
    DecoderKind(name="pspnet", called="PSPNet", title="PSPNet", whole_encoder=False),
)
DECODERS: Mapping[DecoderName, DecoderKind] = MappingProxyType({kind.name: kind for kind in _LISTED})


def decoder_kind(name: str | None) -> DecoderKind:
    """None: the U-Net. Raises: SettingsError for a name that is not in the table."""
    for known, kind in DECODERS.items():
        if known == (name or DEFAULT_DECODER):
            return kind
    raise SettingsError(f"there is no decoder {name!r}; network.decoder must be one of: {', '.join(DECODERS)}.")


def make_network(kind: DecoderKind, encoder: str, *, class_count: int, drop_path: float = 0.0) -> nn.Module:
    """The network for K = `class_count` classes on timm's `encoder`, all weights from torch's random state.

    Raises: BackboneError where timm has no such network, or one that gives no maps; SettingsError where it has no drop path.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the library and of what it imports
        import segmentation_models_pytorch as library

    import torch

    make: Callable[..., nn.Module] = getattr(library, kind.called)
    settings: dict[str, Any] = {"drop_path_rate": drop_path} if drop_path else {}
    create_network(encoder.partition(".")[0], num_classes=0)  # for its words about unknown names
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network = make(f"tu-{encoder}", encoder_weights=None, in_channels=3, classes=class_count, **settings)
            with torch.inference_mode():
                network.eval()(torch.zeros(1, 3, 2 * STRIDE, 3 * STRIDE))  # some take pictures of one size alone
            return network.train()
    # Each network of timm has its own words for what it cannot do.
    except Exception as error:
        if "drop_path_rate" in str(error):
            raise SettingsError(f"drop_path is {drop_path}, but {encoder} has no drop path. Set it to 0.") from None
        reason = one_line(error, most=160)
        raise BackboneError(
            f"{encoder} gives no maps that a {kind.title} can stand on ({reason}). Choose a convolutional network, such as "
            "tf_efficientnet_lite0 or resnet34."
        ) from None
