"""A pretrained network with a new classifier. In: a timm name, weights. Out: StagedNetwork. Next: classics.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import torch
from torch import Tensor, nn

from tellapart.errors import BackboneError, SettingsError, one_line
from tellapart.models.catalog import LastPooling
from tellapart.models.joint import join_stages
from tellapart.models.last_maps import drop_head, pool
from tellapart.models.narrow import narrow
from tellapart.models.stage_finding import find_stages
from tellapart.models.staged import StagedNetwork
from tellapart.models.trainable import Trainable
from tellapart.models.weights import check_fit, create_network, describe_differences, read_weights
from tellapart.preprocessing import Preprocessing

_TRUNK = "trunk."
AnyNetwork = TypeVar("AnyNetwork", bound=Trainable, covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltNetwork(Generic[AnyNetwork]):
    """A network ready to train, and where it came from."""

    network: AnyNetwork
    name: str  # timm's, or ours in classics.py
    preprocessing: Preprocessing
    source: str  # of the weights
    license: str  # of the weights
    crop: int | None = None  # pixels, the side of the squares of pictures that it learns from; None: whole inputs


def build_pretrained(
    name: str,
    *,
    weights: Path,
    preprocessing: Preprocessing,
    class_count: int,
    dropout: float = 0.0,
    drop_path: float = 0.0,
    joined: bool = False,
    pruned: bool = False,
    pooling: LastPooling = "own",
) -> StagedNetwork:
    """timm's network `name`, filled from a safetensors file, cut into stages, with a classifier of `class_count`.

    The file has timm's names. Its `classifier.weight` [K, D] and `classifier.bias` [K] are taken where they fit;
    otherwise the classifier is zero, so that every class starts with the same probability (Kolesnikov et al. 2020,
    arXiv 1912.11370). `joined`: the embedding begins with the means of the stages, see joint.py. `pruned`:
    the network is as small as the file's tensors, see narrow.py. `pooling`: what is put on the last maps, see last_maps.py.
    `dropout` before the classifier and `drop_path` (Huang et al. 2016, arXiv 1603.09382) are
    probabilities in [0, 1). No random numbers are drawn that the result depends on.
    Raises: BackboneError when the name is unknown, the file does not fit, or the network cannot take such pictures;
    SettingsError when the network has no drop path.
    """
    state = read_weights(weights)
    trunk = _create_trunk(name, drop_path)
    if pooling != "own":
        drop_head(trunk, picture(preprocessing.size))
    if pruned:
        narrow(trunk, state)
    own = trunk.state_dict()
    check_fit(own, state, path=weights, name=name)
    trunk.load_state_dict({key: state[key] for key in own})
    network = stage_network(
        trunk,
        name=name,
        preprocessing=preprocessing,
        class_count=class_count,
        dropout=dropout,
        pooling=pooling,
    )
    if joined:
        join_stages(network, preprocessing.size)
    with torch.no_grad():
        for key, parameter in network.classifier.named_parameters():
            found = state.get(f"classifier.{key}")
            fits = found is not None and found.shape == parameter.shape
            parameter.copy_(found if found is not None and fits else torch.zeros_like(parameter))
    return network


def stage_network(
    trunk: nn.Module,
    *,
    name: str,
    preprocessing: Preprocessing,
    class_count: int,
    channels: Literal[1, 3] = 3,
    dropout: float = 0.0,
    pooling: LastPooling = "own",
) -> StagedNetwork:
    """A network without classifier, cut into its stages, with a classifier that torch has initialised.

    `trunk` takes float32 [B, channels, S, S] and has timm's `forward_features` and `forward_head`; S is the
    preprocessing's size.
    Raises: BackboneError when it cannot take pictures of that size or gives no vector [D] a picture.
    """
    size = preprocessing.size
    sample = picture(size, channels).to(next((one.device for one in trunk.parameters()), torch.device("cpu")))
    whole: Any = trunk
    was_training = trunk.training
    trunk.eval()
    try:
        with torch.inference_mode():
            embedding = pool(trunk, whole.forward_features(sample), pooling)
    except BackboneError:
        raise
    # Each network has its own words, and its own classes, for a size that it cannot take.
    except Exception as error:
        reason = one_line(error, most=160)
        raise BackboneError(
            f"{name} cannot take pictures of {size} pixels ({reason}). Choose another size or another backbone."
        ) from None
    finally:
        trunk.train(was_training)
    if embedding.ndim != 2:
        raise BackboneError(
            f"{name} gives {tuple(embedding.shape[1:])}, not one vector a picture. Choose another backbone."
        )
    return StagedNetwork(
        trunk,
        stages=find_stages(trunk, sample),
        embedding=embedding.shape[1],
        class_count=class_count,
        preprocessing=preprocessing,
        channels=channels,
        dropout=dropout,
        pooling=pooling,
    )


def picture(size: int, channels: int = 3) -> Tensor:
    """What a network is looked at with: noise, float32 [1, channels, size, size]."""
    # A generator of its own: looking at a network must not move the random state that its training starts from.
    return torch.randn(1, channels, size, size, generator=torch.Generator("cpu").manual_seed(0), device="cpu")


def network_state(network: StagedNetwork) -> dict[str, Tensor]:
    """The network's tensors under timm's names, and classifier.weight [K, D] and classifier.bias [K]; no copies."""
    return {key.removeprefix(_TRUNK): value for key, value in network.state_dict().items()}


def load_network_state(network: StagedNetwork, state: Mapping[str, Tensor]) -> None:
    """Fill the network with what `network_state` gave, shapes [...] alike. Raises: BackboneError, which lists what differs."""
    own = network_state(network)
    differences = describe_differences(own, state)
    if differences:
        raise BackboneError(f"the weights do not fit the network: {differences} Give the weights of this network.")
    with torch.no_grad():
        for key, value in own.items():
            value.copy_(state[key])


def _create_trunk(name: str, drop_path: float) -> nn.Module:
    settings: dict[str, Any] = {"drop_path_rate": drop_path} if drop_path else {}
    try:
        return create_network(name, num_classes=0, **settings)
    except TypeError as error:
        if "drop_path_rate" not in str(error):
            raise
        raise SettingsError(f"drop_path is {drop_path}, but {name} has no drop path. Set it to 0.") from None


def sketch_pretrained(
    name: str,
    *,
    class_count: int,
    size: int | None = None,
    dropout: float = 0.0,
    drop_path: float = 0.0,
    pooling: LastPooling = "own",
) -> StagedNetwork:
    """The network that `build_pretrained` builds, without any numbers in it: on the device `meta`, weights are not asked for.

    `size` is the side of its pictures in pixels, None the one that timm's weights were made for.
    Raises: BackboneError, SettingsError.
    """
    with torch.device("meta"):
        trunk: Any = _create_trunk(name, drop_path)
        told = getattr(trunk, "pretrained_cfg", None) or {}
        side = size or int((told.get("input_size") or (3, 224, 224))[-1])
        if pooling != "own":
            drop_head(trunk, torch.zeros(1, 3, side, side))
        return stage_network(
            trunk,
            name=name,
            preprocessing=Preprocessing(size=side),
            class_count=class_count,
            dropout=dropout,
            pooling=pooling,
        )
