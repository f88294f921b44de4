"""Rounding in torch. In: numbers worked by hand. Out: those of ONNX, and gradients of what was not cut off."""

from __future__ import annotations

import torch

from tellapart.compression.straight_through import dequantize, quantize


def test_numbers_are_rounded_and_cut_off() -> None:
    data = torch.tensor([-3.0, -0.26, 0.25, 0.75, 400.0])
    given = [data, torch.tensor(0.5), torch.tensor(2, dtype=torch.uint8)]
    whole = quantize(given, [], {})
    # -6 + 2, -0.52 + 2, 0.5 and 1.5 to even, 800 + 2
    assert whole.tolist() == [0.0, 1.0, 2.0, 4.0, 255.0]
    assert dequantize([whole, *given[1:]], [], {}).tolist() == [-1.0, -0.5, 0.0, 1.0, 126.5]


def test_gradients_go_through_what_is_not_cut_off() -> None:
    data = torch.tensor([-200.0, 0.3, 500.0], requires_grad=True)
    given = [data, torch.tensor(2.0), torch.tensor(0, dtype=torch.int8)]
    dequantize([quantize(given, [], {}), *given[1:]], [], {}).sum().backward()
    assert data.grad is not None
    assert data.grad.tolist() == [1.0, 1.0, 0.0]  # -100 is there, 250 is not


def test_each_channel_has_a_scale_along_its_axis() -> None:
    data = torch.ones(2, 3)
    scales, zeros = torch.tensor([1.0, 0.5]), torch.zeros(2, dtype=torch.int8)
    assert quantize([data, scales, zeros], [], {"axis": 0}).tolist() == [[1.0] * 3, [2.0] * 3]
    whole = torch.tensor([[1, 2, 4]], dtype=torch.int32)
    assert dequantize([whole, torch.tensor([1.0, 2.0, 0.5])], [], {"axis": 1}).tolist() == [[1.0, 4.0, 2.0]]
