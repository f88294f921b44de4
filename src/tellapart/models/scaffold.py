"""What a network has only while it trains. In: StagedNetwork, settings. Out: the same with it, and without. Next: freezing.py.

One number for two classes (a sigmoid) in place of two, and GoogLeNet's auxiliary classifiers. `take_down` leaves the plain network,
which answers the same: so neither the model file nor what is saved knows of it.

Shapes: B batch, C H W channels, height and width of a map, D embedding, K classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.googlenet import InceptionAux

from tellapart.errors import SettingsError
from tellapart.models.staged import Listening, StagedNetwork

# Szegedy et al. 2014, arXiv 1409.4842, section 5: behind inception 4a and 4d, dropped 70 % of the time.
_BRANCHES = ("inception4a", "inception4d")
_DROPOUT = 0.7


class SingleOutput(nn.Linear):
    """A linear layer with one number z, told as the logits 0 and z: their softmax is 1 - sigmoid(z) and sigmoid(z)."""

    def __init__(self, features: int) -> None:
        super().__init__(features, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Embeddings [B, D] to logits [B, 2]."""
        second_B1 = super().forward(x)
        return torch.cat([torch.zeros_like(second_B1), second_B1], dim=1)


def give_single_output(network: StagedNetwork) -> None:
    """Put a sigmoid in the place of the softmax over two classes; what the network answers stays the same.

    Raises: SettingsError where there are more classes.
    """
    classifier = network.classifier
    if classifier.out_features != 2:
        raise SettingsError(
            f"network.output is sigmoid, which is for two classes, and there are {classifier.out_features}. Leave it out."
        )
    single = SingleOutput(classifier.in_features)
    with torch.no_grad():
        single.weight.copy_(classifier.weight[1:] - classifier.weight[:1])
        single.bias.copy_(classifier.bias[1:] - classifier.bias[:1])
    network.classifier = single


def add_auxiliary(network: StagedNetwork, *, class_count: int, seed: int) -> None:
    """Give GoogLeNet its two auxiliary classifiers, whose weights are a function of `seed`. Raises: SettingsError for others."""
    listening = [module for module in network.trunk.modules() if isinstance(module, Listening)]
    found = {name: one for one in listening for name, _ in one.named_children() if name in _BRANCHES}
    if set(found) != set(_BRANCHES):
        raise SettingsError(
            "network.auxiliary is true, and this network has no auxiliary classifiers; googlenet has. Leave it out, or give "
            "--network googlenet."
        )
    with seeded(seed):
        for name, channels in zip(_BRANCHES, (512, 528), strict=True):
            network.auxiliary[name] = InceptionAux(channels, class_count, dropout=_DROPOUT)
            found[name].wanted = (*found[name].wanted, name)


def take_down(network: StagedNetwork) -> None:
    """Leave the plain network: one logit for each of K classes, nothing beside them."""
    if isinstance(network.classifier, SingleOutput):
        single = network.classifier
        plain = nn.Linear(single.in_features, 2, device=single.weight.device)
        with torch.no_grad():
            plain.weight.copy_(torch.cat([torch.zeros_like(single.weight), single.weight]))
            plain.bias.copy_(torch.cat([torch.zeros_like(single.bias), single.bias]))
        network.classifier = plain
    network.auxiliary = nn.ModuleDict()
    for module in network.trunk.modules():
        if isinstance(module, Listening):
            module.wanted = ()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Inside, what torch draws is a function of `seed`; its global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        # Networks are built on the CPU; torch.manual_seed would touch a GPU's generator, which fork_rng leaves out.
        generator: Any = torch.default_generator
        generator.manual_seed(seed)
        yield
