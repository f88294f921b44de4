"""Channels that go, and the weights that make up for them. In: planted redundancy. Out: the same answers. Next: test_norms.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn

from tellapart.compression.channels import channel_groups, choose_channels, kept_count, read_channels, thin_out


def _group(network: Any, pictures: Tensor, path: str) -> Any:
    groups = channel_groups(network, pictures[:1], whole=[network.classifier])
    return next(group for group in groups if group.root.startswith(path))


def test_only_channels_inside_blocks_are_free_where_the_embedding_must_stay(planted: Any, pictures: Tensor) -> None:
    groups = channel_groups(planted, pictures[:1], whole=[planted.classifier])
    assert [(group.root.split(".")[0], group.count, group.readers) for group in groups] == [
        (block, 16, (f"{block}.project",)) for block in ("first", "second", "third")
    ]
    assert all(parameter.requires_grad for parameter in planted.parameters())


def test_the_embedding_is_free_where_it_need_not_stay_and_the_logits_never(planted: Any, pictures: Tensor) -> None:
    groups = channel_groups(planted, pictures[:1])
    assert {group.root for group in groups if group.count == 8} == {"stem"}
    assert not any(group.root == "classifier" for group in groups)


def test_maps_that_are_flattened_or_read_in_groups_stay() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 1, groups=2), nn.Flatten(), nn.Linear(8 * 16, 2)
    )
    assert channel_groups(network, torch.zeros(1, 3, 4, 4)) == ()


def test_groups_of_a_real_network_are_read_by_what_projects_them() -> None:
    network = timm.create_model("tf_efficientnet_lite0", num_classes=0).eval()
    groups = channel_groups(network, torch.zeros(1, 3, 32, 32), whole=[network.conv_head])
    inner = [group.readers for group in groups if len(group.readers) == 1 and group.readers[0].endswith("conv_pwl")]
    assert len(inner) == 15  # every block but the first widens its input
    assert not any("conv_head" in reader for group in groups for reader in group.readers)


def test_copies_of_channels_go_without_loss(
    planted: Any, pictures: Tensor, run: Callable[[nn.Module], object], duplicate: Callable[[Any], None]
) -> None:
    duplicate(planted)
    group = _group(planted, pictures, "first")
    moments = read_channels(planted, [group], run)
    with torch.no_grad():
        before = planted(pictures)
        lost = thin_out(planted, group, moments, 8, pictures[:1])
        assert lost < 1e-5
        assert planted.first.project.weight.shape == (8, 8, 1, 1)
        assert planted.first.depthwise.weight.shape == (8, 1, 3, 3)
        torch.testing.assert_close(planted(pictures), before, rtol=1e-3, atol=1e-4)


def test_channels_that_are_always_zero_go_first(
    planted: Any, pictures: Tensor, run: Callable[[nn.Module], object]
) -> None:
    with torch.no_grad():
        planted.third.depthwise.weight[[3, 7, 11]] = 0
    group = _group(planted, pictures, "third")
    weight = planted.third.project.weight.detach().reshape(8, 16).double().numpy()
    stay, _, lost = choose_channels([(weight, read_channels(planted, [group], run)["third.project"])], 13)
    assert sorted(set(range(16)) - set(stay.tolist())) == [3, 7, 11]
    assert lost < 1e-6


def test_the_weights_are_those_of_least_squares() -> None:
    chance = np.random.default_rng(0)
    read = chance.normal(size=(200, 6)) @ chance.normal(size=(6, 6))
    weight = chance.normal(size=(5, 6))
    stay, (found,), lost = choose_channels([(weight, read.T @ read / len(read))], 4)
    expected, *_ = np.linalg.lstsq(read[:, stay], read @ weight.T, rcond=None)
    np.testing.assert_allclose(found, expected.T, rtol=1e-3, atol=1e-4)
    residual = ((read @ weight.T - read[:, stay] @ found.T) ** 2).sum() / ((read @ weight.T) ** 2).sum()
    assert lost == pytest.approx(residual, rel=1e-2)


def test_the_first_that_goes_is_the_one_that_all_pairs_tried_by_hand_say() -> None:
    chance = np.random.default_rng(1)
    read = chance.normal(size=(300, 5)) * [3.0, 0.2, 1.0, 2.0, 1.5]
    weight = chance.normal(size=(4, 5))

    def error(without: int) -> float:
        kept = np.delete(read, without, axis=1)
        fitted, *_ = np.linalg.lstsq(kept, read @ weight.T, rcond=None)
        return float(((read @ weight.T - kept @ fitted) ** 2).sum())

    stay, _, _ = choose_channels([(weight, read.T @ read / len(read))], 4)
    assert set(range(5)) - set(stay.tolist()) == {min(range(5), key=error)}


@pytest.mark.parametrize(
    ("count", "share", "expected"),
    [(96, 0.25, 72), (100, 0.25, 80), (16, 0.9, 4), (8, 0.25, 8), (4, 0.25, 3), (4, 0.99, 1), (64, 0.01, 64)],
)
def test_so_many_stay(count: int, share: float, expected: int) -> None:
    assert kept_count(count, share) == expected


def test_what_cannot_be_done_is_refused(planted: Any, pictures: Tensor) -> None:
    group = _group(planted, pictures, "first")
    with pytest.raises(ValueError, match=r"nothing is known of what is read of '[a-z.]+'"):
        thin_out(planted, group, {}, 8, pictures[:1])
    with pytest.raises(ValueError, match=r"3 of 2 channels cannot stay; give 1 to 2"):
        choose_channels([(np.eye(2), np.eye(2))], 3)
