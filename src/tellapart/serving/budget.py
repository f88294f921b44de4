"""How much may be under way at once. In: requests, bytes of bodies. Out: a place for each, or Overloaded. Next: guard.py."""

from __future__ import annotations

from tellapart.serving.refusals import Overloaded

BODIES = 8  # largest bodies that memory is given to at a time


class Room:
    """What one protocol's requests may hold together; for one event loop."""

    def __init__(self, *, requests: int, body_bytes: int) -> None:
        self.body_bytes, self.most_bytes = body_bytes, BODIES * body_bytes
        self._requests, self.taken, self.held = requests, 0, 0

    def enter(self) -> Slot:
        """A place for a request that is now at work. Raises: Overloaded."""
        if self.taken >= self._requests:
            raise Overloaded(
                f"{self._requests:,} requests are under way, as many as this server takes at a time. Come again later.",
                retry_after=1,
            )
        return Slot(self)


class Slot:
    """What one request holds, until it leaves."""

    __slots__ = ("_bytes", "_inside", "_room")

    def __init__(self, room: Room) -> None:
        self._room, self._bytes, self._inside = room, 0, True
        room.taken += 1

    def add(self, count: int) -> None:
        """So many more bytes of the body are in memory. Raises: Overloaded."""
        room = self._room
        if not self._inside or self._bytes > room.body_bytes:
            return
        self._bytes += count
        if self._bytes > room.body_bytes:  # too large: the rest is read, but nothing of it is kept
            room.held -= self._bytes - count
            return
        room.held += count
        if room.held > room.most_bytes:
            raise Overloaded(
                f"the bodies of the requests under way have {room.held:,} bytes; at most {room.most_bytes:,} are held at a "
                "time. Come again later.",
                retry_after=1,
            )

    def leave(self) -> None:
        """Give everything back; again does nothing."""
        if self._inside:
            self._inside = False
            self._room.taken -= 1
            if self._bytes <= self._room.body_bytes:
                self._room.held -= self._bytes
