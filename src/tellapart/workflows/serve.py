"""Models behind ports. In: models, options. Out: a server, until it is told to stop. Next: serving/process.py."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from tellapart.errors import SettingsError
from tellapart.serving.hosts import hosts_for
from tellapart.serving.keys import Keys, read_keys
from tellapart.serving.listener import open_socket
from tellapart.serving.versions import read_sources
from tellapart.workflows.serving.options import Ports, ServeOptions, check_options, grpc_taken
from tellapart.workflows.serving.process import serve_here


def serve(options: ServeOptions, *, say: Callable[[str], None], ready: Callable[[Ports], None]) -> None:
    """Serve until SIGTERM or SIGINT. `ready` is called when requests can come.

    Raises: ModelFileError, SettingsError, StorageError before anything listens.
    """
    check_options(options)
    keys = read_keys(options.api_key_file) if options.api_key_file is not None else Keys()
    hosts_for(options.host, options.allow_host, options.allow_origin)
    read_sources(options.models)
    with contextlib.closing(open_socket(options.host, options.port)) as http:
        if options.workers > 1 and options.grpc_port is not None:
            # The processes share this port, and would share it with a server that runs already.
            try:
                open_socket(options.host, options.grpc_port).close()
            except SettingsError:
                raise grpc_taken(options) from None
        if options.workers == 1:
            serve_here(options, http, 0, say, ready, keys=keys)
            return
        from tellapart.workflows.serving.processes import supervise

        supervise(options, http, say=say, ready=ready)
