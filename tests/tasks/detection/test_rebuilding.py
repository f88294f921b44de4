"""A run's detector, in torch again. In: weights, whole and pruned. Out: the same answers; how it learns on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tellapart.compression.channels import channel_groups, read_channels, thin_out
from tellapart.errors import BackboneError
from tellapart.models.build import stage_network
from tellapart.models.weights import create_network
from tellapart.preprocessing import Preprocessing
from tellapart.settings.reading import make_settings
from tellapart.tasks.detection.detectors import detector_kind
from tellapart.tasks.detection.rebuilding import BelowPyramid, again, rebuilt, trained_by
from tests.tasks.detection.made_run import manifest

NAME, SIDE = "test_efficientnet", 64  # timm's own for tests
SETTINGS = make_settings({"data": "x", "task": "detection", "strategy": "finetune", "network": {"size": SIDE}})
PIXELS = torch.randint(0, 256, (2, SIDE, SIDE, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def told() -> Any:
    made = manifest()
    sizes = made.preprocessing.model_copy(update={"size": SIDE})
    return made.model_copy(update={"backbone": made.backbone.model_copy(update={"name": NAME}), "preprocessing": sizes})


@pytest.fixture
def network() -> Any:
    """With weights that are no longer the first."""
    body = stage_network(
        create_network(NAME, num_classes=0), name=NAME, preprocessing=Preprocessing(size=SIDE), class_count=1
    )
    made: Any = detector_kind(None).make(body, class_count=3, size=SIDE)
    for value in made.state_dict().values():
        if value.is_floating_point():
            value.uniform_(0.1, 0.2)
    return made.eval()


def write(network: Any, path: Path) -> Path:
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, path)
    return path


def test_it_is_there_again_whole_and_pruned(network: Any, tmp_path: Path) -> None:
    found = rebuilt(write(network, tmp_path / "whole.safetensors"), told(), SETTINGS)
    with torch.inference_mode():
        for one, other in zip(found(PIXELS), network(PIXELS), strict=True):
            torch.testing.assert_close(one, other)
    traced, sides = BelowPyramid(network), [side[0] for side in network.pyramid.sides]
    groups = channel_groups(network, PIXELS[:1], whole=sides, traced=traced)
    assert groups
    assert all(one.root.startswith("body.trunk.") for one in groups)
    group = max(groups, key=lambda one: one.count)
    thin_out(
        network,
        group,
        read_channels(network, groups, lambda one: one(PIXELS)),
        group.count - 8,
        PIXELS[:1],
        traced=traced,
    )
    smaller = rebuilt(write(network, tmp_path / "pruned.safetensors"), told(), SETTINGS)
    assert not any(one.training for one in network.modules())  # it was looked at, and is as it was
    assert len(smaller.get_submodule(group.root).weight) == group.count - 8  # type: ignore[arg-type]
    with torch.inference_mode():
        for one, other in zip(smaller(PIXELS), network(PIXELS), strict=True):
            torch.testing.assert_close(one, other)


def test_all_of_it_learns_on_and_no_statistics_move(network: Any, tmp_path: Path) -> None:
    found = again(write(network, tmp_path / "whole.safetensors"), told(), SETTINGS)
    made: Any = found.prepared.network
    names = {name for part in made.layer_groups() for name, _ in part}
    assert names == {name for name, _ in made.named_parameters() if not name.startswith("body.classifier")}
    made.train()
    assert not any(one.training for one in made.modules() if isinstance(one, torch.nn.BatchNorm2d))
    assert found.whole == ("pyramid.sides.0.0", "pyramid.sides.1.0", "pyramid.sides.2.0")
    assert found.settings is SETTINGS


def test_weights_of_something_else_are_refused(network: Any, tmp_path: Path) -> None:
    save_file({"other": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(
        BackboneError, match=r"does not hold the weights of this detector \(it has no tensor body.trunk"
    ):
        rebuilt(tmp_path / "other.safetensors", told(), SETTINGS)
    write(network, tmp_path / "more.safetensors")
    state = {**network.state_dict(), "more": torch.zeros(1)}
    save_file({key: value.contiguous() for key, value in state.items()}, tmp_path / "more.safetensors")
    with pytest.raises(BackboneError, match=r"does not hold the weights of this detector .* Copy the whole run again"):
        rebuilt(tmp_path / "more.safetensors", told(), SETTINGS)


def test_a_frozen_one_learns_on_as_one_that_is_trained() -> None:
    probe = make_settings({"data": "x", "task": "detection", "strategy": "probe", "network": {"size": SIDE}})
    usual = trained_by(probe)
    assert usual.strategy == "finetune"
    assert usual.loop.average > 0
    assert usual.augment.zoom == 0.55
