"""What every protocol asks of the server: classify these pictures. In: a version, pictures. Out: Answer. Next: plain.py."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.serving.batching import Batcher, BatchTimes, Network, Outputs
from tellapart.serving.metrics import Metrics
from tellapart.serving.pictures import Picture
from tellapart.serving.refusals import Refusal
from tellapart.serving.repository import Repository, Version

Sets = Callable[[NDArray[np.floating], float], NDArray[np.bool_]]  # probabilities [N, K], threshold -> bool [N, K]
Explain = Callable[[Version, bytes, int], bytes]  # a version, a picture file, a class -> a heatmap over it as PNG


# Compared by identity: == on arrays gives an array.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What a version says of N pictures."""

    version: Version
    probabilities: NDArray[np.float32]  # [N, K], calibrated; NaN where the picture could not be read
    novelty: NDArray[np.float32] | None  # [N]; None where the model does not measure it
    sets: NDArray[np.bool_] | None  # [N, K], which classes are in the prediction set; None where it has no threshold
    unknown: NDArray[np.bool_] | None  # [N], unlike the training pictures; None where the model cannot tell
    errors: tuple[str, ...]  # N, why a picture could not be read; "" where it could
    embeddings: tuple[NDArray[np.float32] | None, ...]  # N of [D]; None without a gallery to compare them with
    labels: tuple[str, ...]  # N, the most probable class; of equal ones, and where it could not be read, the first

    def ranked(self, row: int, top: int) -> list[int]:
        """The `top` most probable classes of one picture, best first."""
        order: list[int] = np.argsort(-self.probabilities[row], kind="stable")[:top].tolist()
        return order

    def whole(self) -> Answer:
        """Itself where every picture could be read. Raises: Refusal, naming the first that could not."""
        for index, error in enumerate(self.errors, 1):
            if error:
                raise Refusal(f"picture {index} of {len(self.errors)} cannot be used: {error}.")
        return self


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
        sets: Sets,
        explain: Explain | None = None,
        cores: Sequence[int] = (),
    ) -> None:
        """`timeout` in seconds: the longest that a request may take; `max_delay` and `max_wait` in seconds; `queue` in pictures.

        `cores`: what own_core.py allots to the threads.
        """
        self.repository, self.timeout, self._sets, self.explain = repository, timeout, sets, explain
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

    async def classify(self, version: Version, pictures: Sequence[Picture], *, timeout: float | None = None) -> Answer:
        """Classify pictures, in batches with those of others; `timeout` in seconds, at most the server's.

        Raises: Refusal and its kinds. A picture that cannot be read has its reason in `errors`.
        """
        seconds = self.timeout if timeout is None else min(timeout, self.timeout)
        started = time.monotonic()
        try:
            answer = self._decide(version, await self.batcher.submit(version, pictures, timeout=seconds))
        except BaseException:
            version.statistics.add_request(time.monotonic() - started, failed=True)
            raise
        version.statistics.add_request(time.monotonic() - started, failed=any(answer.errors))
        self._count(answer)
        return answer

    def _decide(self, version: Version, outputs: Outputs) -> Answer:
        abstention, count = version.model.manifest.abstention, len(outputs.rows)
        probabilities = np.full((count, len(version.classes)), np.nan, dtype=np.float32)
        novelty = np.full(count, np.nan, dtype=np.float32)
        embeddings: list[NDArray[np.float32] | None] = [None] * count
        given = version.outputs
        measured = "novelty" in given
        for index, row in enumerate(outputs.rows):
            if row is not None:
                named = dict(zip(given, row, strict=True))
                probabilities[index] = named["probabilities"]
                novelty[index] = named.get("novelty", np.nan)
                embeddings[index] = named.get("embedding")
        sets = unknown = None
        if abstention is not None:
            sets = self._sets(probabilities, abstention.threshold)
            if measured and abstention.novelty_threshold is not None:
                unknown = novelty > abstention.novelty_threshold
        labels = tuple(version.classes[index] for index in probabilities.argmax(axis=1).tolist())
        return Answer(
            version=version,
            probabilities=probabilities,
            novelty=novelty if measured else None,
            sets=sets,
            unknown=unknown,
            errors=outputs.errors,
            embeddings=tuple(embeddings),
            labels=labels,
        )

    def _count(self, answer: Answer) -> None:
        version = answer.version
        self.metrics.add_predictions(
            version.name,
            version.number,
            labels=[label for label, error in zip(answer.labels, answer.errors, strict=True) if not error],
            unknown=0 if answer.unknown is None else int(answer.unknown.sum()),
            unreadable=sum(map(bool, answer.errors)),
        )

    def _observe(self, network: Network, times: BatchTimes) -> None:
        if isinstance(network, Version):
            network.statistics.add_batch(
                pictures=times.pictures, waited=sum(times.waited), decoding=times.decoding, running=times.running
            )
        self.metrics.add_batch(network, times)
