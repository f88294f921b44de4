"""What torchvision's detectors are given, and what they give. In: true boxes. Out: targets, anchors, logits. Next: retinanet.py.

Shapes: B pictures, S side of the picture in pixels, M boxes of the picture that has most, P anchors, K classes. True boxes are
float32 [B, M, 6]: class, left, top, right, bottom, and 1 for a difficult one; rows of NaN are none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection.image_list import ImageList

_HALF = 0.5
_SEED = 0  # of what is drawn to judge a network; a training draws anew for each update


def targets_of(truth: Tensor, *, first: int) -> list[dict[str, Tensor]]:
    """`boxes` float32 [m, 4] and `labels` int64 [m] of each picture, whose classes count from `first`.

    Difficult boxes are learned like others: torchvision's losses cannot leave a place out, and to be told that nothing is there
    would be worse.
    """
    known = [rows[~rows[:, 0].isnan()] for rows in truth]
    return [{"boxes": rows[:, 1:5], "labels": rows[:, 0].long() + first} for rows in known]


def anchors_at(generator: nn.Module, size: int, strides: Sequence[int]) -> Tensor:
    """The anchors of a generator of torchvision's for maps at these strides, float32 [P, 4] in pixels, level by level."""
    maps = [torch.zeros(1, 1, *(2 * [-(-size // stride)])) for stride in strides]
    found: Tensor = generator(ImageList(torch.zeros(1, 3, size, size), [(size, size)]), maps)[0]
    return found


def decoded(coder: Any, codes: Tensor, anchors: Tensor) -> Tensor:
    """Boxes [B, P, 4] of what the network says, [B, P, 4], by torchvision's box coder and anchors [P, 4] or [B, P, 4]."""
    many = anchors.expand(codes.shape[0], -1, -1).reshape(-1, 4)
    boxes: Tensor = coder.decode_single(codes.reshape(-1, 4), many)
    return boxes.reshape(codes.shape)


def own_logits(logits: Tensor) -> Tensor:
    """Of logits [..., 1 + K] over background and classes the logit of each class for itself, [..., K].

    So the sigmoid of it is the class's share of the softmax. The most probable one's is told by all the others, so that it stays
    exact where nearly nothing is left for them.
    """
    shares = logits.softmax(-1)
    leads = shares > _HALF  # one at most
    others = logits.where(~leads, -torch.inf).logsumexp(-1, keepdim=True)
    rest = (1 - shares.clamp(max=_HALF)).log()
    found = torch.where(leads, logits - others, logits - logits.logsumexp(-1, keepdim=True) - rest)
    return found[..., 1:]


def each(measure: Callable[[int], dict[str, Tensor]], count: int) -> dict[str, Tensor]:
    """Losses of pictures by name, [B] each, from what is measured of each alone: a batch's mean would weigh its pictures."""
    found = [measure(number) for number in range(count)]
    return {name: torch.stack([one[name] for one in found]) for name in found[0]}


@contextmanager
def drawn_alike(training: bool, device: torch.device) -> Iterator[None]:
    """Outside of training the same samples are drawn each time, and the random states stay as they were."""
    if training:
        yield
        return
    # torchvision draws on the device where the labels are.
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(_SEED)
        if device.type == "cuda":
            torch.cuda.manual_seed(_SEED)
        yield
