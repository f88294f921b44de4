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
        """How many of its inputs count as one picture, in the queue and in a batch: 1, and of texts 16 or 64."""
        ...

    @property
    def item(self) -> str:
        """What it takes, in a word: picture, text."""
        ...

    @property
    def together(self) -> int:
        """So many inputs cost little more than one: fewer are not shared by threads. 1 of pictures, mostly 128 of texts.

        Where it is more than 1, `run_columns` is called.
        """
        ...

    def prepare(self, picture: Any) -> tuple[NDArray[Any], Any]:
        """A picture to the network's input [...], and what is wanted again beside its outputs. Raises: PictureError."""

    def run(self, inputs: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
        """Inputs [N, ...] to outputs by name, each [N, ...]."""

    def run_tiles(self, picture: Any, check: Callable[[], None]) -> tuple[Mapping[str, NDArray[Any]], Any]:
        """A picture to its row of outputs by name, and what is wanted beside them. Raises: PictureError; what `check` raises.

        `check` is called before each batch of tiles, and raises where nobody waits any more.
        """

    def run_columns(self, inputs: Sequence[Any]) -> OutputColumns:
        """What is said of N inputs, which are prepared and run all at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTimes:
    """How long the stages of one batch took, in seconds."""

    pictures: int  # that were decoded and run
    waited: tuple[
        float, ...
    ]  # in the queue, one a picture taken, or one for texts of a request that were taken together
    counts: tuple[int, ...] | None = None  # how many each of `waited` is of; None: one
    decoding: float
    running: float

    @property
    def waited_in_all(self) -> float:
        """The sum over all of its pictures."""
        counts = self.counts or (1,) * len(self.waited)
        return sum(seconds * count for seconds, count in zip(self.waited, counts, strict=True))


Observer = Callable[[Network, BatchTimes], None]  # who counts batches; called from the worker threads


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What the network says of the pictures of one request."""

    rows: tuple[
        Mapping[str, NDArray[Any]] | None, ...
    ]  # one a picture: each output's row; None where it was unreadable
    beside: tuple[Any, ...]  # one a picture: what came from `prepare` beside the input; None where it was unreadable
    errors: tuple[str, ...]  # one a picture: why it could not be read; "" where it could


# Compared by identity: == on arrays gives an array.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OutputColumns:
    """What a network says of N inputs that it takes together, as arrays: an object for each would cost more than it does."""

    arrays: Mapping[
        str, NDArray[Any]
    ]  # [M, ...] each, of those that could be read, in order; nothing where there is none
    beside: tuple[Any, ...]  # M, what is wanted again beside them
    errors: tuple[str, ...]  # N, why it could not be read; "" where it could


@dataclass(slots=True, kw_only=True, eq=False)
class QueuedRequest:
    """A request whose pictures wait or are under way."""

    network: Network
    pictures: Sequence[Any]
    deadline: float  # on the batcher's clock
    entered: float
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Outputs | OutputColumns]
    rows: list[Mapping[str, NDArray[Any]] | None]
    beside: list[Any]
    errors: list[str]
    missing: int  # pictures without a result
    parts: list[tuple[int, OutputColumns]] = field(default_factory=list)  # in place of rows, each with its first input
    given_up: bool = False  # nobody waits for it any more
    failure: BaseException | None = None


@dataclass(slots=True, eq=False)
class TakenBatch:
    """A batch on its way: pictures of several requests, one network."""

    spans: list[tuple[QueuedRequest, int, int]]  # a request, its first picture here, and how many
    finished: list[QueuedRequest] = field(default_factory=list)

    @property
    def network(self) -> Network:
        """Of all of them."""
        return self.spans[0][0].network

    @property
    def count(self) -> int:
        """How many pictures."""
        return sum(count for _, _, count in self.spans)

    @property
    def items(self) -> list[tuple[QueuedRequest, int]]:
        """Picture for picture: its request, and which one of that."""
        return [(request, index) for request, first, count in self.spans for index in range(first, first + count)]
