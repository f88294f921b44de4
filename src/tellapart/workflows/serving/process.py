"""One process that serves. In: options, an open socket. Out: a server, until it is told to stop. Next: processes.py."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import sys
from collections.abc import Callable

from starlette.types import ASGIApp

from tellapart.memory import give_freed_memory_back
from tellapart.reporting.phrases import table
from tellapart.runtime import cores
from tellapart.serving.app import build_app
from tellapart.serving.bodies import Limits
from tellapart.serving.corrections import Corrections
from tellapart.serving.engines import EngineChoice
from tellapart.serving.hosts import hosts_for
from tellapart.serving.keys import Keys, read_keys
from tellapart.serving.listener import keep_fresh, listen
from tellapart.serving.own_core import allot
from tellapart.serving.repository import Repository
from tellapart.serving.service import Service
from tellapart.serving.versions import read_sources
from tellapart.workflows.serving.heatmaps import make_explainer
from tellapart.workflows.serving.lifetime import log_to_standard_error, stop_on_signals
from tellapart.workflows.serving.options import Ports, ServeOptions, grpc_taken

_PAGE = "page_"  # how the keys of the page's phrases begin
_GRACE_SECONDS = 5.0  # beyond the longest that a request may take


def serve_here(
    options: ServeOptions,
    http: socket.socket,
    worker: int,
    say: Callable[[str], None],
    ready: Callable[[Ports], None],
    *,
    keys: Keys | None = None,
) -> None:
    """Process `worker`, counted from 0: serve on a socket that is open already, until SIGTERM or SIGINT.

    `keys`: those of the options' file where they were read already; a pipe can be read once.
    """
    if keys is None:
        keys = read_keys(options.api_key_file) if options.api_key_file is not None else Keys()
    try:
        asyncio.run(_serve(options, keys, http, worker, say, ready))
    except asyncio.CancelledError:  # by a second Ctrl-C
        raise KeyboardInterrupt from None


async def _serve(
    options: ServeOptions,
    keys: Keys,
    http: socket.socket,
    worker: int,
    say: Callable[[str], None],
    ready: Callable[[Ports], None],
) -> None:
    log_to_standard_error(access=options.access_log)
    _allow_many_connections()
    repository = Repository(
        read_sources(options.models),
        keep=options.keep,
        max_pixels=options.max_megapixels * 1_000_000,
        control=options.control,
        say=say,
        engine=EngineChoice(name=options.engine, threads=_threads(options)),
        give_back=_give_back,
    )
    repository.start()
    service = _service(options, repository, worker)
    limits = Limits(
        body_bytes=options.max_body_mb * 1024 * 1024, body_seconds=options.timeout, requests=options.max_requests
    )
    grpc, grpc_port = None, None
    if options.grpc_port is not None:
        grpc, grpc_port = _open_grpc(options, service, limits, keys)
    ports = Ports(host=options.host, http=http.getsockname()[1], grpc=grpc_port)
    stop = stop_on_signals()
    looking = asyncio.create_task(keep_fresh(service, seconds=options.poll)) if _polls(options) else None
    try:
        await listen(
            service,
            _app(options, service, limits, keys),
            http=http,
            grpc=grpc,
            grace=options.timeout + _GRACE_SECONDS,
            stop=stop,
            linger=options.linger,
            ready=lambda: ready(ports),
        )
    finally:
        if looking is not None:
            looking.cancel()


def _give_back() -> None:
    """What a version held: what a request that failed still points to, too, which Python looks for seldom when little is asked."""
    gc.collect()
    give_freed_memory_back()


def _service(options: ServeOptions, repository: Repository, worker: int) -> Service:
    threads = _threads(options)
    return Service(
        repository,
        threads=threads,
        max_batch=options.max_batch,
        max_delay=options.max_delay_ms / 1000,
        queue=options.queue,
        max_wait=None if options.max_wait_ms is None else options.max_wait_ms / 1000,
        timeout=options.timeout,
        explain=make_explainer(),
        cores=allot(threads=threads, worker=worker, workers=options.workers),
        accept=options.accept,
    )


def _threads(options: ServeOptions) -> int:
    return options.threads or max(1, cores() // options.workers)


def _app(options: ServeOptions, service: Service, limits: Limits, keys: Keys) -> ASGIApp:
    words = {key: phrase for key, phrase in table().items() if key.startswith(_PAGE)}
    corrections = None
    if options.corrections is not None:
        corrections = Corrections(options.corrections, most_bytes=options.corrections_mb * 1_000_000)
    hosts = hosts_for(options.host, options.allow_host, options.allow_origin)
    return build_app(
        service,
        limits=limits,
        keys=keys,
        hosts=hosts,
        words=words,
        corrections=corrections,
        in_chinese=options.in_chinese,
    )


def _open_grpc(options: ServeOptions, service: Service, limits: Limits, keys: Keys) -> tuple[object, int]:
    from tellapart.serving.grpc_service import build_grpc

    host = f"[{options.host}]" if ":" in options.host else options.host
    address = f"{host}:{options.grpc_port}"
    try:
        return build_grpc(service, limits=limits, keys=keys, address=address, share_port=options.workers > 1)
    except RuntimeError:
        raise grpc_taken(options) from None


def _polls(options: ServeOptions) -> bool:
    return options.poll > 0 and not options.control


def _allow_many_connections() -> None:
    """Open files are connections too, and the usual limit of 1,024 is soon reached."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
