"""Several processes on one port. In: options, an open socket. Out: when all have ended. Next: workflows/serve.py.

The parent opens the HTTP port and hands it on; the system spreads connections. For gRPC every process opens the same port.
A process that dies is replaced; one that cannot start ends them all, and one that is slow to start is waited for: others may serve
already. When the parent is killed, they end too.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from tellapart.errors import SettingsError, TellapartError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from tellapart.workflows.serving.options import Ports, ServeOptions

_LATE_SECONDS = 60.0  # after which a process that has not begun to listen is told
_LOOK_SECONDS = 0.2
_RESTART_SECONDS = 1.0  # between the death of a process and its replacement


def supervise(
    options: ServeOptions, http: socket.socket, *, say: Callable[[str], None], ready: Callable[[Ports], None]
) -> None:
    """Run `options.workers` processes until SIGTERM or SIGINT. Raises: SettingsError when one cannot start."""
    with tempfile.TemporaryDirectory(prefix="tellapart-metrics-") as folder, _signals() as stopped:
        # Read by prometheus_client when the children import it: their counters are files here, added up on /metrics.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        workers = [_Worker(options, http, number) for number in range(options.workers)]
        try:
            ports = [worker.wait(say=say, stopped=stopped) for worker in workers]
            if ports[0] is not None and not stopped():
                ready(ports[0])
            while not stopped():
                time.sleep(_LOOK_SECONDS)
                _replace_dead(workers, options, http, say)
        finally:
            http.close()  # what still comes is refused, rather than left waiting for nobody
            for worker in workers:
                worker.process.terminate()
            for worker in workers:
                worker.process.join(options.timeout + options.linger + 10)
                worker.process.kill()
            del os.environ["PROMETHEUS_MULTIPROC_DIR"]


class _Worker:
    """A process that serves."""

    def __init__(self, options: ServeOptions, http: socket.socket, number: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._told, tell = context.Pipe(duplex=False)
        self.process = context.Process(target=_run, args=(options, http, number, tell), name="tellapart-serve")
        self.process.start()
        tell.close()

    def wait(
        self,
        *,
        say: Callable[[str], None],
        stopped: Callable[[], bool],
        now: Callable[[], float] = time.monotonic,
    ) -> Ports | None:
        """Until it listens; None where all are to stop before that. Raises: SettingsError with its reason when it cannot."""
        told: Any = "it ended before it listened"
        begun, late = now(), False
        with contextlib.suppress(EOFError, OSError):
            while not self._told.poll(_LOOK_SECONDS):
                if stopped():
                    return None
                if not late and now() - begun > _LATE_SECONDS:
                    late = True
                    say(f"process {self.process.pid} does not listen yet after {_LATE_SECONDS:g} s; it is waited for")
            told = self._told.recv()
        if isinstance(told, str):
            raise SettingsError(f"a process cannot serve: {told}")
        ports: Ports = told
        return ports


def _replace_dead(
    workers: list[_Worker], options: ServeOptions, http: socket.socket, say: Callable[[str], None]
) -> None:
    for index, worker in enumerate(workers):
        if not worker.process.is_alive():
            from prometheus_client.multiprocess import mark_process_dead

            mark_process_dead(worker.process.pid)  # type: ignore[no-untyped-call]
            say(f"process {worker.process.pid} ended with {worker.process.exitcode}; another takes its place")
            time.sleep(_RESTART_SECONDS)
            workers[index] = _Worker(options, http, index)


def _run(options: ServeOptions, http: socket.socket, number: int, tell: Connection) -> None:
    """The child's whole life."""
    from tellapart.workflows.serving.process import serve_here

    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        serve_here(options, http, number, _silent if options.quiet else _say, tell.send)
    except TellapartError as error:
        with contextlib.suppress(OSError):
            tell.send(str(error))
        sys.exit(error.exit_code)


def _end_with_parent() -> None:
    """Without it nobody would stop this process, and it would hold the ports."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _silent(text: str) -> None:
    pass


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def _signals() -> Iterator[Callable[[], bool]]:
    """Whether SIGTERM or SIGINT came."""
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda got, _: came.append(got)) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
