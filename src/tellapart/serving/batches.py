"""What goes into a batch and comes out of it. In: nothing. Out: values, Network. Next: batching.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray


class Network(Protocol):
    """What a batch needs of a model."""

    def prepare(self, picture: Any) -> tuple[NDArray[Any], Any]:
        """A picture to the network's input [...], and what is wanted again beside its outputs. Raises: PictureError."""

    def run(self, inputs: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
        """Inputs [N, ...] to outputs by name, each [N, ...]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTimes:
    """How long the stages of one batch took, in seconds."""

    pictures: int  # that were decoded and run
    waited: tuple[float, ...]  # in the queue, one a picture taken
    decoding: float
    running: float


Observer = Callable[[Network, BatchTimes], None]  # who counts batches; called from the worker threads


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What the network says of the pictures of one request."""

    rows: tuple[
        Mapping[str, NDArray[Any]] | None, ...
    ]  # one a picture: each output's row; None where it was unreadable
    beside: tuple[Any, ...]  # one a picture: what came from `prepare` beside the input; None where it was unreadable
    errors: tuple[str, ...]  # one a picture: why it could not be read; "" where it could
