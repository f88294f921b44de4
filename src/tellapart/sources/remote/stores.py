"""What holds files elsewhere, whichever it is. In: nothing. Out: Store, what is tried again. Next: web.py."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

from tellapart.errors import StorageError

_TRIES = 7
_FEW_TRIES, _ENOUGH_SECONDS = 3, 120.0  # of a library that itself tries again for a minute before it gives up
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 60.0  # seconds; twice as long before each further try

_Result = TypeVar("_Result")


class Stamped(NamedTuple):
    """A file elsewhere, as it is now."""

    size: int  # bytes
    stamp: str  # of its content: an ETag, or when it was changed; "" where the store says neither


class Store(Protocol):
    """Gives files elsewhere in parts. Addresses have no secrets.

    Raises: FileNotFoundError, PermissionError, OSError where nothing helps; MayPass where another try may.
    """

    def look(self, address: str) -> Stamped:
        """Size and stamp of a file."""

    def part(self, address: str, start: int, end: int) -> tuple[bytes, str]:
        """The bytes from `start` to before `end`, and the stamp of the file that they are of."""

    def names(self, address: str) -> list[str]:
        """The addresses of the files in a folder, at any depth, sorted."""


class MayPass(Exception):
    """A connection that broke, a store that is busy: another try may help."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        """`wait`: seconds that the store asks for."""
        super().__init__(reason)
        self.reason, self.wait = reason, wait


def again(
    action: Callable[[], _Result],
    address: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.monotonic,
) -> _Result:
    """What an action gives, tried up to seven times with longer and longer pauses; three times where two minutes went by.

    A store that says how long to wait is obeyed, up to a minute. One that stays away ends the work: else each of thousands of
    pictures would be waited for, and then be missing. Raises: StorageError; OSError, as the action does.
    """
    waited = 0.0  # in the action itself; pauses that the store asks for are no reason to give up
    for tried in range(_TRIES):
        begun = now()
        try:
            return action()
        except MayPass as passing:
            waited += now() - begun
            if tried == _TRIES - 1 or (tried >= _FEW_TRIES - 1 and waited > _ENOUGH_SECONDS):
                raise StorageError(
                    f"{address} cannot be read: {passing.reason}, {tried + 1} times. Run the command again when it answers; what "
                    "was fetched is kept."
                ) from None
            own = _FIRST_PAUSE * 2**tried * random.uniform(0.75, 1.25)  # so that processes do not come back together
            sleep(min(_LONGEST_PAUSE, own if passing.wait is None else passing.wait))
    raise AssertionError("unreachable")
