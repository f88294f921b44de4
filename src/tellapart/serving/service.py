"""What every protocol asks of the server: what is in these pictures? In: a version, pictures. Out: Reply. Next: plain.py."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tellapart.serving.batches import BatchTimes, Network, OutputColumns, Outputs
from tellapart.serving.batching import Batcher
from tellapart.serving.metrics import Metrics
from tellapart.serving.opened import Version
from tellapart.serving.pictures import Picture
from tellapart.serving.refusals import Refusal
from tellapart.serving.repository import Repository
from tellapart.serving.scaled import Accept


@dataclass(frozen=True, slots=True, kw_only=True)
class ToExplain:
    """What a heatmap is of: what is said of a whole picture, or one box in it."""

    label: int  # number of the class
    sides: tuple[float, float, float, float] | None = None  # of the box, in pixels of the upright picture
    score: float | None = None  # of the box, in [0, 1]


# A version, a picture file -> a heatmap over it as PNG; a version of texts, a text -> what its words say, ready for JSON.
Explain = Callable[[Version, bytes, ToExplain], bytes | Mapping[str, Any]]


# Compared by identity: == on arrays gives an array.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reply:
    """What a version says of N pictures."""

    version: Version
    decided: Sequence[
        Any
    ]  # the task's answers for the pictures that could be read, in order, as arrays where it keeps them so
    errors: tuple[str, ...]  # N, why a picture could not be read; "" where it could
    embeddings: tuple[NDArray[np.float32] | None, ...]  # N of [D]; None without a gallery to compare them with

    def answers(self) -> list[Any]:
        """N answers, those of unreadable pictures among them."""
        if len(self.decided) == len(self.errors):
            return list(self.decided)
        decided, version = iter(self.decided), self.version
        return [
            version.answering.unread(error, classes=version.classes) if error else next(decided)
            for error in self.errors
        ]

    def tensors(self) -> Mapping[str, NDArray[Any] | list[bytes]]:
        """All answers as arrays [N, ...], under the names of the version's outputs. Raises: Refusal unless all could be read."""
        for index, error in enumerate(self.errors, 1):
            if error:
                raise Refusal(f"{self.version.item} {index} of {len(self.errors)} cannot be used: {error}.")
        return self.version.answering.tensors(self.decided)


Written = TypeVar("Written")


async def told_aside(reply: Reply, write: Callable[[], Written]) -> Written:
    """What `write` makes of a reply; in a thread where that takes long, as of masks, so that others are answered meanwhile."""
    return await asyncio.to_thread(write) if reply.version.answering.pictured else write()


class Service:
    """The repository and the queue together, and what is counted on the way."""

    def __init__(
        self,
        repository: Repository,
        *,
        threads: int,
        max_batch: int,
        max_delay: float,
        queue: int,
        timeout: float,
        max_wait: float | None = None,
        explain: Explain | None = None,
        cores: Sequence[int] = (),
        accept: Accept = "bytes",
    ) -> None:
        """`timeout` in seconds: the longest that a request may take; `max_delay` and `max_wait` in seconds; `queue` in pictures.

        `cores`: what own_core.py allots to the threads. `accept`: how clients scale the pixels that they send as floats.
        """
        self.repository, self.timeout, self.explain, self.accept = repository, timeout, explain, accept
        self.batcher = Batcher(
            threads=threads,
            max_batch=max_batch,
            max_delay=max_delay,
            queue=queue,
            max_wait=max_wait,
            observe=self._observe,
            cores=cores,
        )
        self.metrics = Metrics(waiting=lambda: self.batcher.waiting)
        repository.watch(self.metrics.show_models)
        self.stopping = False

    @property
    def ready(self) -> bool:
        """Whether requests should be sent here."""
        return not self.stopping and self.repository.ready

    def stop_taking(self) -> None:
        """Not ready from now on; what comes all the same is still answered until `close`."""
        self.stopping = True

    async def close(self) -> None:
        """Finish what was taken, refuse the rest."""
        self.stopping = True
        await self.batcher.close()

    def admit(self) -> None:
        """Look whether there is room, before a body is read for nothing. Raises: Overloaded, Stopping."""
        self.batcher.check_room(1)

    async def predict(self, version: Version, pictures: Sequence[Picture], *, timeout: float | None = None) -> Reply:
        """What the version says of pictures, in batches with those of others; `timeout` in seconds, at most the server's.

        Raises: Refusal and its kinds. A picture that cannot be read has its reason in `errors`.
        """
        seconds = self.timeout if timeout is None else min(timeout, self.timeout)
        started = time.monotonic()
        try:
            reply = _decide(version, await self.batcher.submit(version, pictures, timeout=seconds))
        except BaseException:
            version.statistics.add_request(time.monotonic() - started, failed=True)
            raise
        version.statistics.add_request(time.monotonic() - started, failed=any(reply.errors))
        self._count(reply)
        return reply

    def _count(self, reply: Reply) -> None:
        version = reply.version
        names, unknown = version.answering.tally(reply.decided) if len(reply.decided) else ((), 0)
        self.metrics.add_predictions(
            version.name,
            version.number,
            names=names,
            readable=len(reply.decided),
            unreadable=sum(map(bool, reply.errors)),
            unknown=unknown,
        )

    def _observe(self, network: Network, times: BatchTimes) -> None:
        if isinstance(network, Version):
            network.statistics.add_batch(
                pictures=times.pictures, waited=times.waited_in_all, decoding=times.decoding, running=times.running
            )
        self.metrics.add_batch(network, times)


def _decide(version: Version, outputs: Outputs | OutputColumns) -> Reply:
    if isinstance(outputs, OutputColumns):
        arrays = {name: array for name, array in outputs.arrays.items() if name in version.answering.outputs}
        return Reply(
            version=version,
            decided=version.decide(arrays, outputs.beside) if arrays else [],
            errors=outputs.errors,
            embeddings=_embeddings(outputs),
        )
    rows = [row for row in outputs.rows if row is not None]
    places = [place for place in outputs.beside if place is not None]
    decided: Sequence[Any] = []
    if version.tiled:  # what is said of a picture may be of any size
        wholes = zip(rows, places, strict=True)
        decided = [one for row, place in wholes for one in version.decide(_alone(row), [place])]
    elif rows:
        # np.array of a list of rows takes half the time of np.stack.
        arrays = {name: np.array([row[name] for row in rows]) for name in version.answering.outputs if name in rows[0]}
        decided = version.decide(arrays, places)
    return Reply(
        version=version,
        decided=decided,
        errors=outputs.errors,
        embeddings=tuple(None if row is None else row.get("embedding") for row in outputs.rows),
    )


def _embeddings(outputs: OutputColumns) -> tuple[NDArray[np.float32] | None, ...]:
    found = outputs.arrays.get("embedding")
    if found is None:
        return (None,) * len(outputs.errors)
    rows = iter(found)
    return tuple(None if error else next(rows) for error in outputs.errors)


def _alone(row: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The arrays [1, ...] of one picture."""
    return {name: value[None] for name, value in row.items()}
