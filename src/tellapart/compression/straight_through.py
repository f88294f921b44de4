"""Rounding to integers as torch sees it. In: tensors, scales. Out: tensors, with gradients. Next: aware.py.

ONNX's QuantizeLinear and DequantizeLinear, to the bit; backwards a number that was not cut off goes through as if nothing had been
rounded. Source: Bengio et al. 2013, arXiv 1308.3432 ("straight-through estimator"); Jacob et al. 2018, arXiv 1712.05877, section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

_ENDS: Mapping[torch.dtype, tuple[int, int]] = MappingProxyType({torch.uint8: (0, 255), torch.int8: (-128, 127)})


def quantize(given: Sequence[Any], known: Sequence[Any], attributes: Mapping[str, Any]) -> Tensor:
    """Of a tensor, its scale and its zero point: whole numbers, kept as floats so that gradients come back."""
    data, scale, zero = given
    least, most = _ENDS[zero.dtype]
    scale, zero = (_along(one, data, attributes) for one in (scale, zero.float()))
    # ONNX rounds first and then adds the zero point, which is whole; both round halves to even.
    plain = data / scale
    whole = plain + (plain.round() - plain).detach()
    found: Tensor = (whole + zero).clamp(least, most)
    return found


def dequantize(given: Sequence[Any], known: Sequence[Any], attributes: Mapping[str, Any]) -> Tensor:
    """Of whole numbers, their scale and, where it is told, their zero point: what they stand for."""
    data, scale = given[0].float(), given[1]
    zero = given[2].float() if len(given) > 2 and given[2] is not None else torch.zeros_like(scale)
    found: Tensor = (data - _along(zero, data, attributes)) * _along(scale, data, attributes)
    return found


ROUNDING: Mapping[str, Callable[[Sequence[Any], Sequence[Any], Mapping[str, Any]], Tensor]] = MappingProxyType(
    {"QuantizeLinear": quantize, "DequantizeLinear": dequantize}
)


def _along(numbers: Tensor, data: Tensor, attributes: Mapping[str, Any]) -> Tensor:
    """One number, or one for each place along the operator's axis, so that it goes with `data`."""
    if numbers.ndim == 0 or numbers.numel() == 1:
        return numbers.reshape(())
    shape = [1] * data.ndim
    shape[attributes.get("axis", 1)] = -1
    return numbers.reshape(shape)
