"""SIGTERM ends a command as Ctrl-C does. In: a block. Out: what it had begun goes away, the exit code 143. Next: several.py."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def ended_as_by_ctrl_c() -> Iterator[None]:
    """SIGTERM, which would end the process on the spot, unwinds the block first. Raises: SystemExit with 143 then."""
    if threading.current_thread() is not threading.main_thread():  # others may not say what a signal does
        yield
        return
    came = list[int]()

    def stop(number: int, _: FrameType | None) -> None:
        came.append(number)
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGTERM)
    if before is signal.SIG_DFL:  # who has another wish keeps it
        signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        if not came:
            raise
        print("\nStopped.", file=sys.stderr)
        raise SystemExit(128 + came[0]) from None
    finally:
        if before is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, before)
