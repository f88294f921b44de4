"""What each cut would cost and save. In: a network, a measure of harm. Out: Cuts, weighed. Next: pruning.py."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from tellapart.compression.blocks import leave_out, removable_blocks
from tellapart.compression.channels import ChannelGroup, Moments, channel_groups, kept_count, read_channels, thin_out
from tellapart.compression.costs import below, multiply_adds


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """One thing that can be left out of a network."""

    kind: Literal["block", "channels"]
    path: str  # of the block, or of the layer that makes the channels
    keep: int  # channels that stay; of a block 0
    of: int  # channels that there are; of a block 1
    saved: int  # multiply-adds for one item
    harm: float  # what it does to the measure: the higher, the worse

    @property
    def price(self) -> float:
        """Harm for each multiply-add that is saved."""
        return self.harm / self.saved


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PruningSubject:
    """The network to be cut, and all that is needed to judge a cut."""

    network: nn.Module
    sample: Tensor  # [1, ...], one item as the network takes it
    run: Callable[[nn.Module], object]  # passes calibration pictures through a network, in the mode that it is in
    harm: Callable[[nn.Module], float]  # of a network that was cut: how far from the whole one
    whole: Sequence[str] = ()  # paths of layers that must read all their channels
    original: nn.Module | None = None  # the network before anything was cut, which what is left is fitted to
    # A network -> what runs the part of it in which channels may go, up to layers of `whole`; None: channels may go everywhere.
    traced: Callable[[nn.Module], nn.Module] | None = None


def weigh_cuts(
    subject: PruningSubject, *, share: float, blocks: bool = True, channels: bool = True
) -> tuple[list[Cut], Moments]:
    """Every cut that saves something, the best first; and what the layers read, which `cut` needs.

    `share` is the part of a group's channels that one cut takes, in (0, 1). Each cut is tried on a copy.
    """
    network, sample = subject.network, subject.sample
    before = multiply_adds(network, sample)
    total = sum(before.values())
    groups = groups_of(subject) if channels else ()
    moments = read_channels(network, groups, subject.run)
    found: list[Cut] = []
    wanted = [("block", path, 0, 1) for path in (removable_blocks(network, sample) if blocks else ())]
    wanted += [("channels", group.root, kept_count(group.count, share), group.count) for group in groups]
    for kind, path, keep, of in wanted:
        if keep >= of:
            continue
        copied = copy.deepcopy(network)
        traced = subject.traced and subject.traced(copied)
        cut(copied, sample, kind=kind, path=path, keep=keep, groups=groups, moments=moments, traced=traced)
        saved = below(before, path) if kind == "block" else total - sum(multiply_adds(copied, sample).values())
        if saved <= 0:
            continue
        harm = max(subject.harm(copied), 0.0)
        found.append(
            Cut(kind="block" if kind == "block" else "channels", path=path, keep=keep, of=of, saved=saved, harm=harm)
        )
    return sorted(found, key=lambda one: (one.price, one.path)), moments


def cut(
    network: nn.Module,
    sample: Tensor,
    *,
    kind: str,
    path: str,
    keep: int,
    groups: Sequence[ChannelGroup],
    moments: Moments,
    traced: nn.Module | None = None,
) -> None:
    """Make one cut in `network`; `traced` is as for `channel_groups`. Raises: ValueError for a block or group that there is not."""
    if kind == "block":
        leave_out(network, path)
        return
    group = next((one for one in groups if one.root == path), None)
    if group is None:
        raise ValueError(f"there is no group of channels that {path!r} makes")
    thin_out(network, group, moments, keep, sample, traced=traced)


def groups_of(subject: PruningSubject) -> tuple[ChannelGroup, ...]:
    """The groups of channels that the network has now."""
    whole = [subject.network.get_submodule(path) for path in subject.whole]
    traced = subject.traced and subject.traced(subject.network)
    return channel_groups(subject.network, subject.sample, whole=whole, traced=traced)
