"""What a version has done so far. In: requests and batches. Out: counts, as Triton tells them. Next: repository.py.

Source of the form: Triton's statistics extension, docs/protocol/extension_statistics.md.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Spent:
    """How often something happened, and how long it took in all."""

    count: int = 0
    ns: int = 0

    def add(self, seconds: float, times: int = 1) -> None:
        """`times` events that took `seconds` together."""
        self.count += times
        self.ns += round(seconds * 1e9)

    def as_json(self) -> dict[str, int]:
        """Count and nanoseconds."""
        return {"count": self.count, "ns": self.ns}


@dataclass(slots=True, eq=False)
class Statistics:
    """Counts of one version; its methods may be called from any thread."""

    last: int = 0  # milliseconds since 1970
    inferences: int = 0  # pictures
    executions: int = 0  # batches
    success: Spent = field(default_factory=Spent)
    fail: Spent = field(default_factory=Spent)
    queue: Spent = field(default_factory=Spent)
    decoding: Spent = field(default_factory=Spent)
    running: Spent = field(default_factory=Spent)
    batches: dict[int, tuple[Spent, Spent]] = field(default_factory=dict)  # by size: decoding, running
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add_batch(self, *, pictures: int, waited: float, decoding: float, running: float) -> None:
        """A batch of `pictures` has run; `waited` is the sum over its pictures, all in seconds."""
        with self.lock:
            self.last = round(time.time() * 1000)
            self.inferences += pictures
            self.executions += 1
            self.queue.add(waited, pictures)
            self.decoding.add(decoding, pictures)
            self.running.add(running, pictures)
            by_size = self.batches.setdefault(pictures, (Spent(), Spent()))
            by_size[0].add(decoding)
            by_size[1].add(running)

    def add_request(self, seconds: float, *, failed: bool) -> None:
        """A request was answered, or could not be."""
        with self.lock:
            (self.fail if failed else self.success).add(seconds)

    def as_json(self, name: str, number: int) -> dict[str, Any]:
        """The form of Triton's statistics extension."""
        with self.lock:
            nothing = Spent().as_json()
            return {
                "name": name,
                "version": str(number),
                "last_inference": self.last,
                "inference_count": self.inferences,
                "execution_count": self.executions,
                "inference_stats": {
                    "success": self.success.as_json(),
                    "fail": self.fail.as_json(),
                    "queue": self.queue.as_json(),
                    "compute_input": self.decoding.as_json(),
                    "compute_infer": self.running.as_json(),
                    "compute_output": nothing,
                    "cache_hit": nothing,
                    "cache_miss": nothing,
                },
                "batch_stats": [
                    {
                        "batch_size": size,
                        "compute_input": decoding.as_json(),
                        "compute_infer": running.as_json(),
                        "compute_output": nothing,
                    }
                    for size, (decoding, running) in sorted(self.batches.items())
                ],
            }
