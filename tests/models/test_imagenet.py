"""A backbone's own classifier. In: embedded weights, small networks. Out: logits as timm has them, or why not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tellapart.errors import BackboneError
from tellapart.models import imagenet, weights
from tellapart.models.imagenet import class_names, read_head


def test_names_of_classes() -> None:
    names = class_names()
    assert len(set(names)) == 1000
    assert names[285] == "Egyptian cat · 埃及猫"


class Small(nn.Module):
    """A network as timm's are: features, an embedding, a classifier."""

    def __init__(self, classifier: nn.Module, *, twist: float = 0.0) -> None:
        super().__init__()
        self.classifier, self.twist = classifier, twist

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3))

    def forward_head(self, x: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:
        return x if pre_logits else self.classifier(x) + self.twist * x.sum()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.forward_head(self.forward_features(x))
        return out

    def get_classifier(self) -> nn.Module:
        return self.classifier


def given(monkeypatch: pytest.MonkeyPatch, network: nn.Module) -> None:
    loaded = SimpleNamespace(network=network, preprocessing=SimpleNamespace(size=8))

    def load(name: str, path: Path | None, *, with_classifier: bool) -> Any:
        assert with_classifier
        return loaded

    monkeypatch.setattr(weights, "load_backbone", load)


def test_a_linear_classifier(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = nn.Linear(3, imagenet.CLASSES)
    given(monkeypatch, Small(classifier))
    head = read_head("small")
    np.testing.assert_array_equal(head.weight, classifier.weight.detach().numpy())
    np.testing.assert_array_equal(head.bias, classifier.bias.detach().numpy())


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (Small(nn.Linear(3, 21841)), "pretrained to tell 21,841 classes"),
        (Small(nn.Identity()), "ends with Identity"),
        (Small(nn.Linear(3, 1000), twist=1.0), "more between its embedding and its logits"),
    ],
)
def test_others_are_refused(monkeypatch: pytest.MonkeyPatch, network: nn.Module, reason: str) -> None:
    given(monkeypatch, network)
    with pytest.raises(BackboneError, match=reason):
        read_head("small")
