"""Until when a server runs, and where it writes its log. In: signals. Out: an event, handlers of loggers. Next: process.py."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal

# What a client does wrong is in the access log; it must not fill the log with lines of other libraries as well.
_LEVELS = {
    "tellapart": logging.INFO,
    "uvicorn": logging.ERROR,
    "python_multipart": logging.CRITICAL,
    "grpc": logging.ERROR,
}


def stop_on_signals() -> asyncio.Event:
    """Set by SIGTERM or SIGINT, of the running loop; a second SIGINT cancels what the loop is at."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def told(number: int) -> None:
        if number == signal.SIGINT and stop.is_set():
            # Who presses Ctrl-C again wants no more waiting. An exception raised wherever the process happens to be would be
            # taken for the failure of a request that is just being answered.
            for task in asyncio.all_tasks(loop):
                task.cancel()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # Windows, or not the main thread
            loop.add_signal_handler(number, told, number)
    return stop


def log_to_standard_error(*, access: bool) -> None:
    """What goes wrong while a server runs, and with `access` a line for each request."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    # A line says what happened, and nothing of threads, processes and tasks, which are asked for with each, else.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    for name, level in _LEVELS.items():
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(level)
        logger.propagate = False
    logging.getLogger("tellapart.access").setLevel(logging.INFO if access else logging.WARNING)
