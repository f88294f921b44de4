"""torchvision's detectors on our backbones cost what torchvision says. In: a tiny backbone. Out: the same losses and logits."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.detection import RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.ssd import SSD

from tellapart.models.staged import StagedNetwork
from tellapart.tasks.detection.anchored import own_logits, targets_of
from tellapart.tasks.detection.detectors import DETECTORS, DetectorName
from tests.tasks.detection.lessons import NAN, SIZE, squares

Make = Callable[..., StagedNetwork]
PLAIN: dict[str, Any] = {"image_mean": [0.0] * 3, "image_std": [1.0] * 3}


@pytest.fixture(autouse=True)
def own_randomness() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


class Given(nn.Module):
    """A backbone that has looked already."""

    out_channels = 16

    def __init__(self, maps: list[Tensor]) -> None:
        super().__init__()
        self.maps = OrderedDict((str(number), one) for number, one in enumerate(maps))

    def forward(self, images: Tensor) -> OrderedDict[str, Tensor]:
        return self.maps


def lesson() -> tuple[Tensor, Tensor]:
    """Three pictures with a box, one of them with two, and one without."""
    pictures, boxes = squares(4, 1)
    boxes[0, 1] = (1, 3, 5, 30, 28, 0)
    return torch.from_numpy(pictures), torch.from_numpy(boxes)


def network_of(kind: DetectorName, body: StagedNetwork) -> Any:
    return DETECTORS[kind].make(body, class_count=2, size=SIZE, channels=16).train()


def blank(count: int) -> list[Tensor]:
    return [torch.zeros(3, SIZE, SIZE)] * count


def test_retinanets_losses_are_torchvisions(make_body: Make) -> None:
    network = network_of("retinanet", make_body())
    pictures, boxes = lesson()
    ours = network.measure(pictures, boxes, start=0)
    assert ours.found is None
    pyramid = network.pyramid(OrderedDict((str(n), one) for n, one in enumerate(network.maps(pictures))))
    sizes = tuple(tuple(int(4 * stride * 2 ** (octave / 3)) for octave in range(3)) for stride in (8, 16, 32, 64, 128))
    theirs = RetinaNet(
        Given(list(pyramid.values())),
        2,
        SIZE,
        SIZE,
        anchor_generator=AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * 5),
        head=network.head,
        **PLAIN,
    ).train()
    expected = theirs(blank(4), targets_of(boxes, first=0))
    torch.testing.assert_close(ours.parts["score_loss"].mean(), expected["classification"])
    torch.testing.assert_close(ours.parts["box_loss"].mean(), expected["bbox_regression"])
    assert float(expected["bbox_regression"].detach()) > 0


def test_ssds_losses_are_torchvisions(make_body: Make) -> None:
    network = network_of("ssd", make_body()).eval()
    pictures, boxes = lesson()
    ours = network.measure(pictures, boxes, start=0).parts
    generator = DefaultBoxGenerator([[2], [2, 3], [2, 3], [2, 3], [2]], min_ratio=0.1, max_ratio=0.9)
    for number in range(4):
        maps = [side(one) for side, one in zip(network.sides, network.maps(pictures[number : number + 1]), strict=True)]
        for block in network.smaller:
            maps.append(block(maps[-1]))
        theirs = SSD(Given(maps), generator, (SIZE, SIZE), 3, head=network.head, **PLAIN).train()
        expected = theirs(blank(1), targets_of(boxes[number : number + 1], first=1))
        torch.testing.assert_close(ours["score_loss"][number], expected["classification"])
        torch.testing.assert_close(ours["box_loss"][number], expected["bbox_regression"])
    assert [bool(value > 0) for value in ours["box_loss"]] == [True, True, True, False]


def test_faster_r_cnns_losses_are_torchvisions(make_body: Make) -> None:
    network = network_of("faster_rcnn", make_body()).eval()
    pictures, boxes = lesson()
    for number in range(4):
        picture, truth = pictures[number : number + 1], boxes[number : number + 1]
        network.train()
        network.body.eval()
        network.pyramid.eval()
        torch.manual_seed(7)
        ours = network.measure(picture, truth, start=0).parts
        maps = network.pyramid(OrderedDict((str(n), one) for n, one in enumerate(network.maps(picture))))
        torch.manual_seed(7)
        images, targets = ImageList(torch.zeros(1, 3, SIZE, SIZE), [(SIZE, SIZE)]), targets_of(truth, first=1)
        proposals, first = network.rpn(images, maps, targets)
        _, second = network.roi_heads(maps, proposals, images.image_sizes, targets)
        expected = {
            "object_loss": first["loss_objectness"],
            "proposal_loss": first["loss_rpn_box_reg"],
            "score_loss": second["loss_classifier"],
            "box_loss": second["loss_box_reg"],
        }
        for name, value in expected.items():
            torch.testing.assert_close(ours[name][0], value, rtol=1e-4, atol=1e-6)
        assert (float(ours["box_loss"][0].detach()) > 0) == (number < 3)


def test_a_logit_for_itself_is_the_classs_share_of_the_softmax() -> None:
    logits = torch.randn(50, 4, dtype=torch.float32) * 6
    logits[0] = torch.tensor([-40.0, 40.0, 0.0, 0.0])  # as sure as can be
    logits[1] = torch.tensor([0.0, 0.0, -90.0, -90.0])
    found = own_logits(logits)
    exact = logits.double().softmax(-1)[:, 1:]
    torch.testing.assert_close(found.sigmoid().double(), exact, rtol=1e-5, atol=1e-7)
    others = torch.stack([logits.double()[:, [n for n in range(4) if n != k]].logsumexp(1) for k in (1, 2, 3)], dim=1)
    torch.testing.assert_close(found.double(), logits.double()[:, 1:] - others, rtol=1e-4, atol=1e-4)


def test_targets_are_the_known_boxes_also_difficult_ones() -> None:
    truth = torch.tensor([[[1, 2, 3, 4, 5, 1], [NAN] * 6], [[NAN] * 6] * 2])
    first, second = targets_of(truth, first=1)
    assert first["boxes"].tolist() == [[2, 3, 4, 5]]
    assert first["labels"].tolist() == [2]
    assert second["boxes"].shape == (0, 4)
