"""Who is next, and who is asked to come later. In: pictures of requests. Out: the next batch, or Overloaded. Next: batching.py.

Two rules of queueing, both known from networks:

- Round robin (Nagle 1987, "On packet switches with infinite storage", RFC 970): requests take turns, a picture each or 16
  texts. Who sends one picture does not wait for the hundred of somebody else, and those hundred cannot be starved by many who
  send one.
- A bound in time, not in number (Nichols and Jacobson 2012, "Controlling queue delay", ACM Queue 10(5); for servers Maurer
  2015, "Fail at scale", ACM Queue 13(8)): a burst may fill the queue, since it is over soon. A queue that has not been empty for
  longer than `max_wait` is more work than the threads can do, and a longer one would only make everybody wait: requests are
  then refused unless their turn comes within `max_wait`. The decision falls at the door; what was taken is never dropped.

What pictures took so far says nothing of a machine that others have just taken: a thread that has been at a batch for ten seconds
does, before it is done. Who would be late by that is refused.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from tellapart.serving.refusals import Overloaded

_PACE_WEIGHT = 0.1  # of the newest batch in the running mean of seconds a picture
# Without a `max_wait`. Of requests that come at random, at 70 % of what two threads can do, fewer than one in a hundred finds more
# before it; and at three times as much, those that are taken wait half as long again as the slowest hundredth at 70 %.
_PICTURES_A_THREAD = 4
_LEAST_WAIT = 0.05  # seconds; of a network that is quicker than that, more may wait
_MOST_RETRY_AFTER = 60  # seconds

Request = TypeVar("Request")
Owner = object


@dataclass(slots=True, kw_only=True, eq=False)
class _Lane:
    """What is known of one network."""

    pace: float = 0.0  # seconds a picture, of one thread; 0 before the first batch
    requests: int = 0  # that wait
    pictures: int = 0  # of them that wait
    many: int = 1  # of its inputs that count as one picture: 16 of texts or 64, which are as quick as that
    item: str = "picture"  # what waits, in a word
    together: int = 1  # of them that one thread takes at least, where there are as many: fewer take as long


@dataclass(slots=True, kw_only=True, eq=False)
class _Waiting(Generic[Request]):
    """A request in the line."""

    request: Request
    network: Owner
    lane: _Lane
    entered: float
    count: int
    next: int = 0  # index of its next picture


class WaitingLine(Generic[Request]):
    """Requests with pictures that wait, of any number of networks. Not for several threads at once: hold a lock.

    Times are in seconds; `now` is that of one clock that never goes back.
    """

    def __init__(self, *, threads: int, limit: int, max_wait: float | None, max_batch: int, max_delay: float) -> None:
        """`limit` in pictures; `max_wait` None: as long as four pictures take, and 50 ms at least."""
        self._threads, self._limit, self._max_wait = threads, limit, max_wait
        self._max_batch, self._max_delay = max_batch, max_delay
        self._line: deque[_Waiting[Request]] = deque()
        self._lanes: WeakKeyDictionary[Owner, _Lane] = WeakKeyDictionary()  # versions come and go
        self._busy: set[_Lane] = set()  # those in which requests wait: looked at for every request
        self._running: dict[
            int, tuple[_Lane, float, int]
        ] = {}  # a thread -> of whose batch, since when, of how many pictures
        self._standing_since: float | None = None  # when it was last empty; None: it is
        self.pictures = 0  # that wait

    def check(self, count: int, *, now: float, patience: float = math.inf, many: int = 1) -> None:
        """Raises: Overloaded when a request of `count` pictures should not be taken now; `many` of them count as one.

        `patience`: how long the request may wait; one that would be late is refused before it is begun.
        """
        if sum(lane.pictures / lane.many for lane in self._busy) + count / many > self._limit:
            most_that_may = self._limit * min((lane.many for lane in self._busy), default=1)
            self._refuse(f"{self.pictures:,} {self._items} are waiting, and at most {most_that_may:,} may")
        wait, most = self.estimate(), self._longest_wait()
        if (late := max(wait, self._estimate_by_running(now))) > patience:
            self._refuse(f"a request waits {_shown(late)} now, and this one allows {_shown(patience)}")
        if self._standing_since is not None and now - self._standing_since > most and wait > most:
            self._refuse(f"a request waits {_shown(wait)} now, and at most {_shown(most)} is allowed")

    def join(
        self,
        request: Request,
        network: Owner,
        count: int,
        *,
        now: float,
        many: int = 1,
        together: int | None = None,
        item: str = "picture",
    ) -> None:
        """A request takes its place behind all others; `many` of the network's inputs count as one picture.

        `together`: fewer of them are not given to two threads; `many` unless it is said. `item`: what they are, in a word.
        """
        lane = self._lanes.setdefault(network, _Lane())
        lane.many, lane.together, lane.item = many, together or many, item
        self._busy.add(lane)
        lane.requests += 1
        lane.pictures += count
        self.pictures += count
        self._line.append(_Waiting(request=request, network=network, lane=lane, entered=now, count=count))
        if self._standing_since is None:
            self._standing_since = now

    def seconds_to_fill(self, *, now: float) -> float:
        """How long the next batch may still wait for more pictures; 0 or less: take it. Somebody must be waiting."""
        network, lane = self._line[0].network, self._line[0].lane
        if self._max_delay == 0 or lane.pictures >= self._max_batch * lane.many:
            return 0.0
        oldest = min(one.entered for one in self._line if one.network is network)
        return oldest + self._max_delay - now

    def next_size(self, *, share: int, seconds: float) -> int:
        """How many pictures the next batch should have: one of `share` parts, and no longer than `seconds`."""
        lane = self._line[0].lane
        least = min(lane.pictures, lane.together)  # fewer take as long
        size = min(self._max_batch * lane.many, max(least, math.ceil(lane.pictures / share)))
        return max(1, int(min(size, seconds / lane.pace))) if lane.pace else size

    def take(self, size: int) -> list[tuple[Request, int, int]]:
        """The next `size` pictures at most, as request, first index and how many: all of the network whose turn it is."""
        network, lane = self._line[0].network, self._line[0].lane
        taken: list[tuple[Request, int, int]] = []
        passed: list[_Waiting[Request]] = []
        left = size
        while self._line and left:
            one = self._line.popleft()
            if one.network is not network:
                passed.append(one)
                continue
            alone = lane.requests == 1  # nobody to take turns with
            count = min(left, one.count - one.next, left if alone else lane.many)
            taken.append((one.request, one.next, count))
            one.next += count
            left -= count
            if one.next < one.count:
                self._line.append(one)
            else:
                lane.requests -= 1
        if not lane.requests:
            self._busy.discard(lane)
        self._line.extendleft(reversed(passed))
        lane.pictures -= size - left
        self.pictures -= size - left
        if not self._line:
            self._standing_since = None
        return taken

    def begin(self, thread: int, network: Owner, *, pictures: int, now: float) -> None:
        """A thread is at a batch from now on, until `end` or its next."""
        self._running[thread] = (self._lanes.setdefault(network, _Lane()), now, pictures)

    def end(self, thread: int) -> None:
        """It is at none."""
        self._running.pop(thread, None)

    def learn(self, network: Owner, *, seconds: float, pictures: int) -> None:
        """A thread has done a batch."""
        lane = self._lanes.setdefault(network, _Lane())
        measured = seconds / pictures
        lane.pace += (_PACE_WEIGHT if lane.pace else 1.0) * (measured - lane.pace)

    def estimate(self) -> float:
        """Seconds until the turn of a request that would join now: a picture of each that waits."""
        return sum(lane.requests * lane.pace for lane in self._busy) / self._threads

    def _estimate_by_running(self, now: float) -> float:
        """The same, if each picture takes as long as those have taken already that are being looked at."""
        paces: dict[_Lane, float] = {}
        for lane, since, pictures in self._running.values():
            paces[lane] = max(paces.get(lane, 0.0), (now - since) / pictures)
        return sum(lane.requests * paces.get(lane, lane.pace) for lane in self._busy) / self._threads

    def __bool__(self) -> bool:
        """Whether somebody waits."""
        return bool(self._line)

    @property
    def _items(self) -> str:
        """What waits, in a word."""
        kinds = {lane.item for lane in self._busy}
        return f"{kinds.pop()}s" if len(kinds) == 1 else "pictures and texts" if kinds else "pictures"

    def _longest_wait(self) -> float:
        if self._max_wait is not None:
            return self._max_wait
        pace = max((lane.pace for lane in self._busy), default=0.0)
        full = self._max_delay + self._max_batch * pace if self._max_delay else 0.0
        return max(_LEAST_WAIT, _PICTURES_A_THREAD * pace, full)

    def _refuse(self, why: str) -> None:
        seconds = sum(lane.pictures * lane.pace for lane in self._busy) / self._threads
        raise Overloaded(
            f"{why}. Send the request again later.", retry_after=min(_MOST_RETRY_AFTER, max(1, math.ceil(seconds)))
        )


def _shown(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"
