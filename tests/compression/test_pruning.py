"""What goes first, and in which steps. In: planted redundancy. Out: cuts, steps. Next: src/tellapart/models/narrow.py."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tellapart.compression.costs import multiply_adds
from tellapart.compression.pruning import PruningTerms, choose_cuts, prune
from tellapart.compression.sensitivity import Cut, PruningSubject, weigh_cuts


@pytest.fixture
def subject(planted: Any, pictures: Tensor, run: Callable[[nn.Module], object]) -> Callable[[], PruningSubject]:
    """The planted network as it is when this is called, measured by its distance from what it says then."""

    def make() -> PruningSubject:
        whole = copy.deepcopy(planted)
        with torch.no_grad():
            expected = whole(pictures)

        def harm(network: nn.Module) -> float:
            with torch.no_grad():
                return float(((network.eval()(pictures) - expected) ** 2).mean())

        return PruningSubject(network=planted, sample=pictures[:1], run=run, harm=harm, whole=("classifier",))

    return make


def _forget(network: Any, name: str) -> None:
    """Let a block add nothing."""
    with torch.no_grad():
        block = network.get_submodule(name)
        block.last.weight.zero_()
        block.last.bias.zero_()


def test_a_block_that_is_the_identity_is_the_first_to_go(planted: Any, subject: Callable[[], PruningSubject]) -> None:
    _forget(planted, "second")
    cuts, _ = weigh_cuts(subject(), share=0.25)
    assert (cuts[0].kind, cuts[0].path, cuts[0].harm) == ("block", "second", 0.0)
    assert {(one.kind, one.path) for one in cuts if one.harm < 1e-12} <= {
        ("block", "second"),
        ("channels", "second.expand"),
        ("channels", "second.depthwise"),
    }


def test_copied_channels_go_before_others(
    planted: Any, subject: Callable[[], PruningSubject], duplicate: Callable[[Any], None]
) -> None:
    duplicate(planted)
    cuts, _ = weigh_cuts(subject(), share=0.5, blocks=False)
    assert cuts[0].path.split(".")[0] == "first"
    assert cuts[0].harm < 1e-6 < cuts[1].harm
    assert (cuts[0].keep, cuts[0].of) == (8, 16)


def test_a_network_with_planted_redundancy_is_pruned_without_loss(
    planted: Any, pictures: Tensor, subject: Callable[[], PruningSubject], duplicate: Callable[[Any], None]
) -> None:
    duplicate(planted)
    _forget(planted, "third")
    whole = sum(multiply_adds(planted, pictures[:1]).values())
    with torch.no_grad():
        before = planted(pictures)
    # A block is 25,600 of 90,656 multiply-adds, half of another's 12,800: 42 %.
    steps = list(prune(subject(), PruningTerms(share=0.4, step=0.2, channels=0.5), whole=whole))
    assert [one.number for one in steps] == [1, 2]
    assert [(cut.kind, cut.path.split(".")[0]) for one in steps for cut in one.cuts] == [
        ("block", "third"),
        ("channels", "first"),
    ]
    assert steps[-1].saved >= 0.4
    assert steps[-1].multiply_adds == sum(multiply_adds(planted, pictures[:1]).values())
    with torch.no_grad():
        torch.testing.assert_close(planted(pictures), before, rtol=1e-3, atol=1e-3)


def test_a_pruning_goes_on_where_another_process_left_it(
    planted: Any, pictures: Tensor, subject: Callable[[], PruningSubject], duplicate: Callable[[Any], None]
) -> None:
    duplicate(planted)
    _forget(planted, "third")
    whole, terms = sum(multiply_adds(planted, pictures[:1]).values()), PruningTerms(share=0.4, step=0.2, channels=0.5)
    first = next(prune(subject(), terms, whole=whole))
    (second,) = prune(subject(), terms, whole=whole, done=[first])
    assert second.number == 2
    assert second.saved >= 0.4
    nearly = PruningTerms(share=second.saved + 0.009, step=0.2, channels=0.5)
    assert list(prune(subject(), nearly, whole=whole, done=[first, second])) == []  # so little is not worth a step


def test_a_block_whose_channels_went_before_it_in_a_step_stays(
    pictures: Tensor, run: Callable[[nn.Module], object]
) -> None:
    """As in the decoder of a U-Net, whose parts add nothing to what they take: conv1 thinner, conv2 left out did not fit."""
    torch.manual_seed(0)
    block = nn.Sequential(nn.Conv2d(32, 32, 3, padding=1), nn.ReLU())
    network = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), block, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 4)
    )
    with torch.no_grad():
        network[0].weight[16:], network[0].bias[16:] = network[0].weight[:16], network[0].bias[:16]  # type: ignore[union-attr, index, operator]
        expected = network.eval()(pictures)
    subject = PruningSubject(
        network=network,
        sample=pictures[:1],
        run=run,
        whole=("4",),
        harm=lambda one: float((one.eval()(pictures) - expected).detach().square().mean()),
    )
    whole = sum(multiply_adds(network, pictures[:1]).values())
    cuts = weigh_cuts(subject, share=0.5)[0]
    kinds = [(one.kind, one.path) for one in choose_cuts(cuts, wanted=0.9 * whole)]
    assert kinds.index(("channels", "0")) < kinds.index(("block", "1"))
    step = next(prune(subject, PruningTerms(share=0.9, step=0.9, channels=0.5), whole=whole))
    assert ("block", "1") not in [(one.kind, one.path) for one in step.cuts]
    assert network(pictures).shape == (32, 4)


def test_it_ends_where_nothing_is_left_that_could_go(pictures: Tensor) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 4)).eval()
    subject = PruningSubject(network=network, sample=pictures[:1], run=lambda one: one(pictures), harm=lambda one: 0.0)
    assert list(prune(subject, PruningTerms(share=0.5), whole=768)) == []


@pytest.mark.parametrize("name", ["share", "step", "channels"])
def test_shares_beyond_their_range_are_refused(name: str, subject: Callable[[], PruningSubject]) -> None:
    with pytest.raises(ValueError, match=rf"{name} is 1.0; it must be between 0 and 1"):
        next(prune(subject(), PruningTerms(**{"share": 0.3, name: 1.0}), whole=1))


def test_nothing_is_cut_inside_a_block_that_goes() -> None:
    def one(path: str, saved: int, kind: Any = "channels") -> Cut:
        return Cut(kind=kind, path=path, keep=0, of=1, saved=saved, harm=0.0)

    cuts = [one("a.b", 10), one("a", 50, "block"), one("ab", 5), one("c", 30)]
    assert [cut.path for cut in choose_cuts(cuts, wanted=14)] == ["a.b", "ab"]
    assert [cut.path for cut in choose_cuts(cuts[1:], wanted=60)] == ["a", "ab", "c"]
    assert choose_cuts(cuts, wanted=0) == ()


def test_of_the_blocks_of_one_stage_one_goes_in_a_step() -> None:
    paths = ["stages.1.1", "stages.1.2", "stages.2.1"]
    cuts = [Cut(kind="block", path=path, keep=0, of=1, saved=10, harm=0.1) for path in paths]
    assert [cut.path for cut in choose_cuts(cuts, wanted=100)] == ["stages.1.1", "stages.2.1"]
    inside = replace(cuts[0], kind="channels", path="stages.1.3.expand")
    assert [cut.path for cut in choose_cuts([*cuts[:1], inside], wanted=100)] == ["stages.1.1", "stages.1.3.expand"]
