"""What goes into a batch and comes out of it. In: nothing. Out: values, Network. Next: batching.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from numpy.typing import NDArray


class Network(Protocol):
    """What a batch needs of a model."""

    @property
    def tiled(self) -> bool:
        """Whether a picture is answered in tiles, which fill batches of their own: then `run_tiles` is called, else the others."""
        ...

    @property
    def many(self) -> int:
        """How many of its inputs count as one picture, in the queue and in a batch: 1, and 16 of texts."""
        ...

    def prepare(self, picture: Any) -> tuple[NDArray[Any], Any]:
        """A picture to the network's input [...], and what is wanted again beside its outputs. Raises: PictureError."""

    def run(self, inputs: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
        """Inputs [N, ...] to outputs by name, each [N, ...]."""

    def run_tiles(self, picture: Any, check: Callable[[], None]) -> tuple[Mapping[str, NDArray[Any]], Any]:
        """A picture to its row of outputs by name, and what is wanted beside them. Raises: PictureError; what `check` raises.

        `check` is called before each batch of tiles, and raises where nobody waits any more.
        """


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


@dataclass(slots=True, kw_only=True, eq=False)
class QueuedRequest:
    """A request whose pictures wait or are under way."""

    network: Network
    pictures: Sequence[Any]
    deadline: float  # on the batcher's clock
    entered: float
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Outputs]
    rows: list[Mapping[str, NDArray[Any]] | None]
    beside: list[Any]
    errors: list[str]
    missing: int  # pictures without a result
    given_up: bool = False  # nobody waits for it any more
    failure: BaseException | None = None


@dataclass(slots=True, eq=False)
class TakenBatch:
    """A batch on its way: pictures of several requests, one network."""

    items: list[tuple[QueuedRequest, int]]
    finished: list[QueuedRequest] = field(default_factory=list)
