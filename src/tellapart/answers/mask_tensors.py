"""Masks as arrays for the protocols. In: MaskAnswers. Out: tensors by name, each made when asked for. Next: segmentation.py.

N pictures, K classes; H and W are the height of the highest and the width of the widest of them. What of a smaller picture is
not there has the class 255 in `mask`, and zeros elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.answering import WARNING, Output, warning_tensor
from tellapart.answers.mask_files import IGNORED, Colour, mask_png

PNG = "mask_bytes"  # TensorFlow Serving writes outputs whose names end so as {"b64": ...}
DEFAULTS = (PNG, "areas")
MOST_VALUES = 256 * 1024**2  # of one tensor: bytes
Tensor = NDArray[Any] | list[bytes]


class MaskedPicture(Protocol):
    """What is read of an answer, a MaskAnswer of a picture that could be read."""

    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def mask(self) -> NDArray[np.uint8] | None: ...
    @property
    def certainty(self) -> NDArray[np.uint8] | None: ...
    @property
    def probabilities(self) -> NDArray[np.uint8] | None: ...
    @property
    def confidence(self) -> float | None: ...
    @property
    def areas(self) -> NDArray[np.int64]: ...
    @property
    def colours(self) -> Sequence[Colour]: ...
    @property
    def unknown(self) -> bool | None: ...
    @property
    def novelty(self) -> float | None: ...
    @property
    def warning(self) -> str: ...


class MaskTensors(Mapping[str, Tensor]):
    """Tensors that are made when they are asked for: the mask alone costs no probabilities."""

    def __init__(self, makers: Mapping[str, Callable[[], Tensor]]) -> None:
        self._makers = makers

    def __getitem__(self, name: str) -> Tensor:
        return self._makers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def mask_outputs(classes: int, *, novelty: bool = False, unknown: bool = False) -> list[Output]:
    """What `mask_tensors` gives of a model with that many classes, which may measure novelty and tell what is unknown."""
    told = [Output("novelty", "FP32", (-1,)), *([Output("unknown", "BOOL", (-1,))] if unknown else [])]
    return [
        Output(PNG, "BYTES", (-1,)),
        Output("areas", "INT32", (-1, classes)),
        Output("shares", "FP32", (-1, classes)),
        Output("sizes", "INT32", (-1, 2)),
        Output("confidence", "FP32", (-1,)),
        Output("mask", "UINT8", (-1, -1, -1)),
        Output("certainty", "UINT8", (-1, -1, -1), on_request=True),
        Output("probabilities", "UINT8", (-1, classes, -1, -1), on_request=True),
        *(told if novelty else []),
        WARNING,
    ]


def mask_tensors(answers: Sequence[MaskedPicture]) -> Mapping[str, Tensor]:
    """`mask_bytes` [N], PNG files with a palette; `areas` int32 [N, K], pixels; `shares` float32 [N, K] of the picture's pixels.

    `sizes` int32 [N, 2], height and width; `confidence` float32 [N], the mean probability of what is told. `mask` uint8 [N, H, W],
    numbers of classes; `certainty` uint8 [N, H, W], the probability of that class, 255 for 1; `probabilities` uint8 [N, K, H, W].
    `novelty` float32 and `unknown` bool, [N] each, where the model tells them. Asking for a tensor raises ValueError where it would
    be too large, or probabilities are asked for of a picture that is too large to keep them.
    """
    sizes = np.array([_mask(one).shape for one in answers], dtype=np.int32).reshape(-1, 2)
    areas = np.array([one.areas for one in answers], dtype=np.int32)
    found: dict[str, Callable[[], Tensor]] = {
        PNG: lambda: [mask_png(_mask(one), one.colours) for one in answers],
        "areas": lambda: areas,
        "shares": lambda: (areas / sizes.prod(axis=1, dtype=np.int64)[:, None]).astype(np.float32),
        "sizes": lambda: sizes,
        "confidence": lambda: np.array([one.confidence for one in answers], dtype=np.float32),
        "mask": lambda: _stacked([_mask(one) for one in answers], "mask", fill=IGNORED),
        "certainty": lambda: _stacked([one.certainty for one in answers], "certainty"),
        "probabilities": lambda: _stacked([one.probabilities for one in answers], "probabilities"),
        WARNING.name: lambda: warning_tensor([one.warning for one in answers], len(answers)),
    }
    if any(one.novelty is not None for one in answers):
        found["novelty"] = lambda: np.array(
            [np.nan if one.novelty is None else one.novelty for one in answers], dtype=np.float32
        )
    if any(one.unknown is not None for one in answers):
        found["unknown"] = lambda: np.array([bool(one.unknown) for one in answers])
    return MaskTensors(found)


def _mask(answer: MaskedPicture) -> NDArray[np.uint8]:
    """Raises: ValueError for an unread picture, of which there are no tensors."""
    if answer.mask is None:
        raise ValueError("a picture that could not be read has no mask")
    return answer.mask


def _stacked(arrays: Sequence[NDArray[np.uint8] | None], name: str, *, fill: int = 0) -> NDArray[np.uint8]:
    """Arrays [..., h, w] as one [N, ..., H, W], filled up at the right and the bottom."""
    known = [one for one in arrays if one is not None]
    if len(known) < len(arrays):
        raise ValueError(
            f"`{name}` of a picture so large are not kept. Ask for `mask` and `certainty`, or send it in parts"
        )
    height, width = (max((one.shape[axis] for one in known), default=0) for axis in (-2, -1))
    shape = (len(known), *(known[0].shape[:-2] if known else ()), height, width)
    if np.prod(shape, dtype=np.int64) > MOST_VALUES:
        raise ValueError(
            f"`{name}` of {len(known)} pictures would be {list(shape)}, more than {MOST_VALUES:,} bytes. Send fewer, or "
            "smaller ones"
        )
    stacked = np.full(shape, fill, dtype=np.uint8)
    for row, one in enumerate(known):
        stacked[row, ..., : one.shape[-2], : one.shape[-1]] = one
    return stacked
