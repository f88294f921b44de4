"""Batches are moved and cut, whatever they hold. In: tensors, lists, dicts. Out: parts that are the whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tellapart.data.batch import Batch, map_tensors


def batch(inputs: Any = None, targets: Any = None, count: int = 5) -> Batch:
    plain = torch.arange(count)
    return Batch(
        inputs=plain if inputs is None else inputs, targets=plain * 2 if targets is None else targets, rows=plain + 100
    )


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_parts_are_numpys_and_together_the_whole(count: int) -> None:
    boxes = [torch.full((number, 4), float(number)) for number in range(5)]  # as many boxes as its number
    whole = batch(
        inputs=([*boxes], {"mask": torch.arange(10).view(5, 2)}), targets={"boxes": boxes, "class": torch.arange(5)}
    )
    parts = whole.split(count)
    expected = [part.tolist() for part in np.array_split(np.arange(5), count)]  # an implementation of the same rule
    assert [(part.rows - 100).tolist() for part in parts] == expected
    assert [part.targets["class"].tolist() for part in parts] == expected
    assert [[len(box) for box in part.targets["boxes"]] for part in parts] == expected
    assert [[len(box) for box in part.inputs[0]] for part in parts] == expected
    assert [(part.inputs[1]["mask"][:, 0] // 2).tolist() for part in parts] == expected
    assert [len(part) for part in parts] == [len(rows) for rows in expected]


def test_a_part_is_a_view() -> None:
    whole = batch()
    assert whole.split(2)[1].inputs.data_ptr() == whole.inputs[3:].data_ptr()


@pytest.mark.parametrize("count", [0, 6])
def test_no_part_may_be_empty(count: int) -> None:
    with pytest.raises(ValueError, match=rf"a batch of 5 items cannot be split into {count} parts; 1 to 5 can be"):
        batch().split(count)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (torch.zeros(4), "a Tensor of length 4 in a batch of 5 items"),
        ([1, 2, 3], "a list of length 3 in a batch of 5 items"),
        ({"boxes": (torch.zeros(6),)}, "a Tensor of length 6 in a batch of 5 items"),
        ("names", "a batch cannot hold str"),
    ],
)
def test_what_is_not_as_long_as_the_batch_is_refused(targets: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        batch(targets=targets).split(2)


def test_every_tensor_moves_and_the_rest_stays() -> None:
    inputs = ([torch.zeros(2), torch.ones(3)], {"mask": torch.arange(2)}, "a name")
    moved = batch(inputs=inputs, targets=torch.arange(5)).to(torch.device("meta"))  # a device that every machine has
    places = [tensor.device.type for tensor in (*moved.inputs[0], moved.inputs[1]["mask"], moved.targets)]
    assert places == ["meta"] * 4
    assert moved.inputs[2] == "a name"
    assert moved.rows.tolist() == [100, 101, 102, 103, 104]
    doubled = map_tensors(inputs, lambda tensor: tensor * 2)
    assert [type(part) for part in doubled] == [list, dict, str]
    assert doubled[0][1].tolist() == [2.0, 2.0, 2.0]
