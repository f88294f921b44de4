"""When to ask again, and after how long. In: an answer or a failure. Out: settings for tenacity. Next: answers.py."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tenacity import RetryCallState

# Too busy, shutting down or not ready, and what a proxy says while a replica comes up. Nothing was begun.
AGAIN = frozenset({429, 502, 503})
LONGEST_WAIT = 60.0  # seconds; a server that wants more is not waited for
_FIRST, _LAST = 0.25, 8.0  # seconds before the second try, and at most before any


@dataclass(slots=True)
class LastAnswer:
    """When the server last answered one of this client's requests."""

    last: float = 0.0  # by `now`
    now: Callable[[], float] = time.monotonic

    def note(self, status: int) -> None:
        """An answer came."""
        if status == 200:
            self.last = self.now()


def policy(retries: int, *, patience: float, progress: LastAnswer) -> Mapping[str, Any]:
    """What `tenacity.Retrying` and `AsyncRetrying` need. When all tries are used, the last outcome stands as it is.

    A server that is gone or starting is asked `retries` times more. One that is busy (429) is at work, perhaps on other
    requests of this very client, so it is asked until `patience` seconds have passed without any answer as well.
    """
    import httpx2
    import tenacity

    # Classifying changes nothing on the server, so a connection that broke in the middle may be tried again as well. One
    # that timed out may not: the server is at work on it.
    broken = (
        httpx2.ConnectError,
        httpx2.ConnectTimeout,
        httpx2.ReadError,
        httpx2.WriteError,
        httpx2.RemoteProtocolError,
    )
    return {
        "retry": tenacity.retry_if_exception_type(broken)
        | tenacity.retry_if_result(lambda response: response.status_code in AGAIN),
        "stop": lambda state: (
            _asked(state) > LONGEST_WAIT
            or (state.attempt_number > retries and not (retries and _is_busy(state, patience, progress)))
        ),
        "wait": wait,
        "retry_error_callback": _last_outcome,
    }


def wait(state: RetryCallState) -> float:
    """Seconds before the next try: never less than the server asked for, and never the same for all clients."""
    backoff = min(_LAST, _FIRST * 2 ** (state.attempt_number - 1))
    asked = _asked(state)
    if asked > 0:
        return asked + random.uniform(0, 0.25 * asked)
    return random.uniform(0.5 * backoff, backoff)


def retry_after(text: str, *, now: Callable[[], float] = time.time) -> float:
    """Seconds that a Retry-After header asks for (RFC 9110, section 10.2.3): a number, or a date. 0 for nonsense.

    `now` gives the seconds since 1970.
    """
    if text.isascii() and text.strip().isdigit():
        return float(text.strip()[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now())
    except (ValueError, OverflowError):
        return 0.0


def _is_busy(state: RetryCallState, patience: float, progress: LastAnswer) -> bool:
    if state.outcome is None or state.outcome.failed or state.outcome.result().status_code != 429:
        return False
    return progress.now() - max(state.start_time, progress.last) < patience


def _asked(state: RetryCallState) -> float:
    if state.outcome is None or state.outcome.failed:
        return 0.0
    return retry_after(state.outcome.result().headers.get("Retry-After", ""))


def _last_outcome(state: RetryCallState) -> Any:
    return None if state.outcome is None else state.outcome.result()
