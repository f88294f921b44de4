"""Which store an address belongs to. In: s3, http ... Out: a Store. Next: blocks.py."""

from __future__ import annotations

import functools

from tellapart.errors import MissingFormat
from tellapart.sources.remote.stores import Store

_WEB = ("http", "https")
_PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs"}  # by fsspec's own names


@functools.cache
def store_of(scheme: str) -> Store:
    """The store of an address's scheme. Raises: MissingFormat without the extra."""
    if scheme in _WEB:
        from tellapart.sources.remote.web import WebStore

        return WebStore()
    try:
        from tellapart.sources.remote.objects import ObjectStore

        return ObjectStore(scheme)
    except ImportError:
        raise MissingFormat(f"an address that begins with {scheme}://", "remote", _PACKAGES[scheme]) from None
