"""Which stages and layers of a network train. In: StagedNetwork, --unfreeze. Out: frozen stages, frozen layers. Next: build.py."""

from __future__ import annotations

import difflib
import math
import re

from torch import nn

from tellapart.errors import SettingsError
from tellapart.models.staged import StagedNetwork
from tellapart.reporter import counted

_LAST = re.compile(r"last\s+(\d+)(\s+layers?)?")
_NUMBER = re.compile(r"[-+.\d]|nan\b|inf\b")


def unfreeze(network: StagedNetwork, text: str) -> int:
    """Let what `text` names train, and the classifier; returns how many stages train, the lowest of them perhaps in part.

    Beside what `parse_unfreeze` takes: the name of a layer, from which on upward everything trains (timm's, such as layer4.1 or
    features.24; of VGG Keras', such as block5_conv1), or `last 3 layers`, of those that have weights.
    Raises: SettingsError for what is none of these.
    """
    word = text.strip().lower()
    if word in ("head", "half", "all") or _NUMBER.match(word):
        trained = parse_unfreeze(text, len(network.stages))
        freeze(network, trained)
        return trained
    layers = layers_with_weights(network)
    first = _first(network, layers, text)
    below = layers[: layers.index(first)]
    stage = next(
        number
        for number in range(len(network.stages))
        if any(name.startswith(f"{first}.") for name, _ in network.stage_parameters(number))
    )
    freeze(network, len(network.stages) - stage)
    network.still = tuple(below)
    for path in below:
        for parameter in network.trunk.get_submodule(path).parameters(recurse=False):
            parameter.requires_grad_(False)
    for parameter in network.trunk.parameters(recurse=False) if below else ():
        parameter.requires_grad_(False)
    network.train(network.training)
    return len(network.stages) - stage


def layers_with_weights(network: StagedNetwork) -> list[str]:
    """The paths of the trunk's layers that have weights of their own, from the picture on."""
    return [
        path for path, module in network.trunk.named_modules() if path and any(True for _ in module.parameters(False))
    ]


def keras_layers(trunk: nn.Module) -> dict[str, str]:
    """What Keras calls the convolutions of a VGG: block5_conv1 is features.24 of vgg16; of other networks nothing."""
    features = getattr(trunk, "features", None)
    found, block, number = {}, 1, 0
    for name, layer in features.named_children() if isinstance(features, nn.Sequential) else ():
        if isinstance(layer, nn.Conv2d):
            number += 1
            found[f"block{block}_conv{number}"] = f"features.{name}"
        elif isinstance(layer, nn.MaxPool2d):
            block, number = block + 1, 0
    return found


def _first(network: StagedNetwork, layers: list[str], text: str) -> str:
    """The first of `layers` that trains."""
    word = text.strip()
    last = _LAST.fullmatch(word.lower())
    if last is not None:
        count = int(last[1])
        if not 0 < count <= len(layers):
            raise SettingsError(
                f"--unfreeze is {text!r}, and the network has {len(layers)} layers with weights. Give a number from 1 to "
                f"{len(layers)}, or head for none."
            )
        return layers[-count]
    known = keras_layers(network.trunk)
    wanted = [known.get(word, word), *(path for name, path in known.items() if name.startswith(f"{word}_"))]
    for path in layers:
        if any(path == one or path.startswith(f"{one}.") for one in wanted):
            return path
    blocks = {".".join(path.split(".")[:2]) for path in layers}
    near = difflib.get_close_matches(word, [*known, *sorted(blocks), *layers], n=3, cutoff=0.5)
    named = f"Did you mean {', '.join(near)}?" if near else f"Its last layer is {layers[-1]}."
    raise SettingsError(
        f"--unfreeze is {text!r}; this network has {len(network.stages)} stages and no layer of that name. {named} Give head, "
        "half, all, a number of stages, last 3 layers, or a layer that `tellapart network NAME` lists."
    )


def parse_unfreeze(text: str, stage_count: int) -> int:
    """How many stages train, counted from the top: 0 for `head`, all for `all`, the rest as counted.

    `half` and shares such as 0.25 are rounded up, so that a share above 0 always trains a stage.
    Raises: SettingsError for another word, or for a number beyond `stage_count`.
    """
    word = text.strip().lower()
    shares = {"head": 0.0, "half": 0.5, "all": 1.0}
    if word in shares:
        return math.ceil(shares[word] * stage_count)
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if 0 < number < 1:
        return math.ceil(number * stage_count)
    if number.is_integer() and 0 <= number <= stage_count:
        return int(number)
    raise SettingsError(
        f"--unfreeze is {text!r}; this network has {counted(stage_count, 'stage')}. "
        f"Give head, half, all, a share such as 0.25, or a whole number from 0 to {stage_count}."
    )


def freeze(network: StagedNetwork, trained: int) -> None:
    """Let the `trained` top stages and the classifier train, and nothing else; 0 trains the classifier alone.

    What runs between the last stage and the classifier trains as a part of the last stage. Frozen stages compute no
    gradients, and their batch norm keeps its statistics, in training mode too.
    Raises: SettingsError when the network has fewer stages.
    """
    network.still = ()
    count = len(network.stages)
    if not 0 <= trained <= count:
        raise SettingsError(f"{trained} stages cannot train: the network has {count}. Give a number from 0 to {count}.")
    network.frozen = count - trained
    for stage in range(count):
        for _, parameter in network.stage_parameters(stage):
            parameter.requires_grad_(stage >= network.frozen)
    network.train(network.training)
