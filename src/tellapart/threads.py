"""Work in threads, a little ahead of who takes the results. In: units, a function. Out: results. Next: storage.py.

A few units are under way at a time, so that memory does not grow with their number; what has not begun when the results are no
longer wanted (an error, Ctrl-C, a reader that has seen enough) never begins.
"""

from __future__ import annotations

import importlib
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from itertools import islice
from typing import TypeVar

_UNITS_A_WORKER = 8  # queued, so that no worker waits while the reader is busy with the results of others

Unit = TypeVar("Unit")
Result = TypeVar("Result")


def let_waiting_threads_sleep() -> None:
    """For OpenMP's threads (PyTorch's), which spin while they wait and take the cores from those that work.

    Counts from the first import of what uses them; what the environment says already stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def settle_numpy() -> None:
    """Import numpy.ma, as NumPy does when it first needs it, before another thread imports onnx.

    onnx brings ml_dtypes, which adds types to the table that numpy.ma reads as it is imported: whoever asks for np.unique just then
    meets "dictionary changed size during iteration".
    """
    importlib.import_module("numpy.ma")


def import_ahead(*names: str) -> threading.Thread:
    """A thread that imports modules that are needed later; of one that cannot be had nothing is said: who needs it says it.

    The end of the program waits for it: a thread that is torn out of a library's C++ then ends the process by abort().
    """
    settle_numpy()
    thread = threading.Thread(target=_import_all, args=names, name="import ahead")
    thread.start()
    return thread


def _import_all(*names: str) -> None:
    for name in names:
        with suppress(Exception):
            importlib.import_module(name)


@contextmanager
def one_thread_a_product() -> Iterator[None]:
    """Inside, matrix products take one thread each.

    BLAS' own threads spin while they wait for each other, which is ten times slower on a machine that does anything
    else, and they split sums by their number, which changes the last digits.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield


def in_order(
    units: Iterable[Unit],
    work: Callable[[Unit], Result],
    *,
    workers: int,
    name: str,
    ahead: int | None = None,
    stop: threading.Event | None = None,
) -> Generator[Result, None, None]:
    """The results of `work` in the order of `units`, from `workers` threads called `name`.

    While the reader has a result, `ahead` more units are under way, by default twice as many as threads. `stop` is set at the
    end, before the threads are waited for: `work` may look at it to end sooner. Close it to let go of the threads.
    Raises: what `work` and `units` raise.
    """
    with ThreadPoolExecutor(workers, thread_name_prefix=name) as pool:
        yield from pool_in_order(pool, units, work, ahead=2 * workers if ahead is None else ahead, stop=stop)


def pool_in_order(
    pool: ThreadPoolExecutor,
    units: Iterable[Unit],
    work: Callable[[Unit], Result],
    *,
    ahead: int,
    stop: threading.Event | None = None,
) -> Generator[Result, None, None]:
    """The same from the threads of a `pool`, which others may use as well."""
    remaining, most = iter(units), 1 + ahead
    under_way: deque[Future[Result]] = deque()
    try:
        while True:
            under_way.extend(pool.submit(work, unit) for unit in islice(remaining, most - len(under_way)))
            if not under_way:
                return
            yield under_way.popleft().result()
    finally:
        _end(under_way, stop)


def as_they_come(
    units: Iterable[Unit],
    work: Callable[[Unit], Result],
    *,
    workers: int,
    name: str,
    stop: threading.Event | None = None,
) -> Generator[Result, None, None]:
    """The same, each result as soon as it is there.

    What was computed is handed on before an error of another unit ends all.
    """
    remaining, most = iter(units), _UNITS_A_WORKER * workers
    under_way: set[Future[Result]] = set()
    with ThreadPoolExecutor(workers, thread_name_prefix=name) as pool:
        try:
            while True:
                under_way.update(pool.submit(work, unit) for unit in islice(remaining, most - len(under_way)))
                if not under_way:
                    return
                finished, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                for future in sorted(finished, key=lambda one: one.exception() is not None):
                    yield future.result()
        finally:
            _end(under_way, stop)


def _end(under_way: Iterable[Future[Result]], stop: threading.Event | None) -> None:
    if stop is not None:
        stop.set()
    for future in under_way:
        future.cancel()
