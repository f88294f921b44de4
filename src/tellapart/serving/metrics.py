"""What Prometheus reads. In: requests, batches, models. Out: /metrics as text. Next: service.py.

Names and units follow prometheus.io/docs/practices/naming. Labels come from known models, routes and classes only, never from
what a client wrote, so their number is bounded.
"""

from __future__ import annotations

import collections
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from tellapart.serving.batches import BatchTimes, Network

if TYPE_CHECKING:
    from tellapart.serving.repository import Repository

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The counters of one process; `text` adds up those of all where several serve. `waiting`: pictures in the queue."""

    def __init__(self, *, waiting: Callable[[], int]) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "tellapart_requests", "Requests answered.", ["protocol", "operation", "status"], registry=registry
        )
        self.seconds = Histogram(
            "tellapart_request_seconds",
            "From the request's head to its answer's end.",
            ["protocol", "operation"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.under_way = Gauge(
            "tellapart_requests_under_way", "Requests being answered.", registry=registry, multiprocess_mode="livesum"
        )
        self.stage = Histogram(
            "tellapart_stage_seconds",
            "Queue: a picture; decoding and network: a batch.",
            ["stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._queued, self._decoding, self._running = map(self.stage.labels, ("queue", "decoding", "network"))
        self.batch = Histogram("tellapart_batch_pictures", "Pictures in a batch.", buckets=_SIZES, registry=registry)
        self.queue = Gauge(
            "tellapart_queue_pictures", "Pictures that wait.", registry=registry, multiprocess_mode="livesum"
        )
        self._waiting = waiting
        # To look a label up takes longer than to count.
        self._counters: dict[tuple[Counter, tuple[str, ...]], Counter] = {}
        self._requests: dict[tuple[str, str, str], tuple[Counter, Histogram]] = {}
        self._models: set[str] = set()
        self._describe_models(registry)

    def _describe_models(self, registry: CollectorRegistry) -> None:
        self.pictures = Counter(
            "tellapart_pictures",
            "Pictures classified, or not readable.",
            ["model", "version", "outcome"],
            registry=registry,
        )
        self.classes = Counter(
            "tellapart_predictions",
            "Pictures by the class that was named.",
            ["model", "class_name"],
            registry=registry,
        )
        self.unknown = Counter(
            "tellapart_unknown", "Pictures unlike those of the training.", ["model"], registry=registry
        )
        self.version = Gauge(
            "tellapart_model_version",
            "The newest version that serves; 0: none.",
            ["model"],
            registry=registry,
            multiprocess_mode="livemin",
        )
        self.refused = Gauge(
            "tellapart_model_versions_refused",
            "Versions on disk that cannot be opened.",
            ["model"],
            registry=registry,
            multiprocess_mode="livemax",
        )

    def add_request(self, protocol: str, operation: str, status: int | str, *, seconds: float) -> None:
        """A request was answered, `seconds` after its head came."""
        counter, histogram = self._of_request(protocol, operation, str(status))
        counter.inc()
        histogram.observe(seconds)

    def _of_request(self, protocol: str, operation: str, status: str) -> tuple[Counter, Histogram]:
        found = self._requests.get((protocol, operation, status))
        if found is None:
            found = self.requests.labels(protocol, operation, status), self.seconds.labels(protocol, operation)
            self._requests[protocol, operation, status] = found
        return found

    def add_batch(self, network: Network, times: BatchTimes) -> None:
        """A batch has run; called from the worker threads."""
        self.queue.set(self._waiting())
        self.batch.observe(times.pictures)
        for waited in times.waited:  # of texts that were taken together once
            self._queued.observe(waited)
        self._decoding.observe(times.decoding)
        self._running.observe(times.running)

    def add_predictions(
        self, model: str, version: int, *, names: Iterable[str], readable: int, unreadable: int, unknown: int
    ) -> None:
        """What was said of the pictures of one request; `names` holds every class that was named, as often as it was."""
        for name, count in collections.Counter(names).items():
            self._of(self.classes, model, name).inc(count)
        self._of(self.pictures, model, str(version), "classified").inc(readable)
        if unreadable:
            self._of(self.pictures, model, str(version), "unreadable").inc(unreadable)
        if unknown:
            self._of(self.unknown, model).inc(unknown)

    def _of(self, counter: Counter, *labels: str) -> Counter:
        found = self._counters.get((counter, labels))
        if found is None:
            found = self._counters[counter, labels] = counter.labels(*labels)
        return found

    def show_models(self, repository: Repository) -> None:
        """The repository has changed."""
        for name in self._models - repository.serving.keys():
            self.version.labels(name).set(0)
            self.refused.labels(name).set(0)
        self._models |= repository.serving.keys()
        for name, served in repository.serving.items():
            self.version.labels(name).set(max(served.versions, default=0))
            self.refused.labels(name).set(len(served.refused))

    def text(self) -> bytes:
        """All metrics in Prometheus's text format."""
        self.queue.set(self._waiting())
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self.registry)
        everything = CollectorRegistry()
        MultiProcessCollector(everything)  # type: ignore[no-untyped-call]
        return generate_latest(everything)
