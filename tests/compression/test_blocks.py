"""Which blocks a network could do without. In: planted and real networks. Out: paths. Next: test_channels.py."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from torch import Tensor

from tellapart.compression.blocks import leave_out, removable_blocks


def test_the_blocks_of_a_planted_network_and_no_layer_in_them(planted: Any, pictures: Tensor) -> None:
    assert removable_blocks(planted, pictures[:1]) == ("first", "second", "third")


def test_the_residual_blocks_of_a_real_network_as_its_paper_repeats_them() -> None:
    # Stages repeat 1, 2, 2, 3, 3, 4, 1 times (Tan and Le 2019, table 1); all but the first of each pass on their input.
    network = timm.create_model("tf_efficientnet_lite0").eval()
    repeats = (1, 2, 2, 3, 3, 4, 1)
    expected = tuple(f"blocks.{stage}.{block}" for stage, count in enumerate(repeats) for block in range(1, count))
    assert removable_blocks(network, torch.zeros(1, 3, 64, 64)) == expected


def test_without_a_block_that_adds_nothing_the_answers_are_the_same(planted: Any, pictures: Tensor) -> None:
    with torch.no_grad():
        planted.second.last.weight.zero_()
        planted.second.last.bias.zero_()
        before = planted(pictures)
        leave_out(planted, "second")
        assert torch.equal(planted(pictures), before)
        leave_out(planted, "third")
        assert not torch.allclose(planted(pictures), before)


def test_a_block_that_is_not_there_is_refused(planted: Any) -> None:
    with pytest.raises(ValueError, match=r"there is no block 'fourth'"):
        leave_out(planted, "fourth")
