"""How good networks are, as published. In: the table. Out: figures of the very weights that are taken, within what can be."""

from __future__ import annotations

from timm.models import get_pretrained_cfg

from tellapart.models.catalog import BACKBONES
from tellapart.models.measuring import listed
from tellapart.models.published import read_published


def test_they_are_of_the_weights_that_are_taken() -> None:
    for name, told in read_published().items():
        assert get_pretrained_cfg(name).tag == told.weights, name


def test_they_can_be() -> None:
    found = read_published()
    assert set(found) <= set(listed())
    assert all(50 < one.top_1 < one.top_5 < 100 and 192 <= one.pixels <= 600 for one in found.values())
    assert (found["vgg16"].top_1, found["vgg16"].top_5) == (71.592, 90.384)  # as torchvision publishes its weights
    for name, backbone in BACKBONES.items():  # other sizes and crops give other figures, but not by much
        if name in found:
            assert abs(backbone.accuracy - found[name].top_1) < 1, name
