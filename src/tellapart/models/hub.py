"""Whether a hub of weights can be reached. In: nothing. Out: a block for its client. Next: weights.py."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager
from urllib.parse import urlsplit

_CONNECT_SECONDS = 5.0


def hub_client() -> AbstractContextManager[None]:
    """Where no hub can be reached its client is told so: it takes what it downloaded before, or fails at once."""
    return contextlib.nullcontext() if _hub_reachable() else _hub_offline()


@contextlib.contextmanager
def _hub_offline() -> Iterator[None]:
    """Without it the hub's client tries for most of a minute. What it has downloaded before still loads."""
    from huggingface_hub import constants

    # The client looks at HF_HUB_OFFLINE only when it is imported, and others import it.
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _hub_reachable() -> bool:
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return True
    address = urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co"))
    try:
        with socket.create_connection((address.hostname or "", address.port or 443), timeout=_CONNECT_SECONDS):
            return True
    except OSError:
        return False
