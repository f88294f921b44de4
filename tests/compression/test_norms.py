"""What batch norms subtract follows a cut, and nothing else. In: planted networks. Out: statistics. Next: test_sensitivity.py."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tellapart.compression.norms import align_norms, norm_statistics


def test_a_network_that_was_not_cut_stays_as_it_is(planted: Any, run: Callable[[nn.Module], object]) -> None:
    before = copy.deepcopy(planted.state_dict())
    align_norms(planted, norm_statistics(planted, run), run)
    for name, tensor in planted.state_dict().items():
        torch.testing.assert_close(tensor, before[name])


def test_a_shift_before_a_norm_is_taken_back_by_it(
    planted: Any, pictures: Tensor, run: Callable[[nn.Module], object]
) -> None:
    known = norm_statistics(planted, run)
    with torch.no_grad():
        before = planted(pictures)
        planted.second.expand.weight.mul_(1.5)  # the norm after it reads 1.5 times as much, its eps aside
        assert not torch.allclose(planted(pictures), before, atol=1e-2)
        mean = planted.second.norm.running_mean.clone()
        align_norms(planted, known, run)
    seen = planted.second.expand
    assert not torch.equal(planted.second.norm.running_mean, mean)
    after = norm_statistics(planted, run)["second.norm"]
    moved = torch.stack([one for one, _ in after]).mean(0) - torch.stack([one for one, _ in known["second.norm"]]).mean(
        0
    )
    torch.testing.assert_close(planted.second.norm.running_mean - mean, moved)
    assert seen.weight.shape == (16, 8, 1, 1)


def test_a_norm_that_has_become_narrower_is_left_alone(planted: Any, run: Callable[[nn.Module], object]) -> None:
    known = norm_statistics(planted, run)
    known["first.norm"] = [(mean[:4], variance[:4]) for mean, variance in known["first.norm"]]
    before = planted.first.norm.running_mean.clone()
    align_norms(planted, known, run)
    assert torch.equal(planted.first.norm.running_mean, before)
