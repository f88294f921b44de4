"""Which proxy the environment puts before a server. In: an address. Out: whether one is used, and its name. Next: retries.py."""

from __future__ import annotations

import ipaddress
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import TypeVar

from tellapart.errors import SettingsError

_Made = TypeVar("_Made")


def is_loopback(url: str) -> bool:
    """Whether the server is on this very machine, which no proxy can reach."""
    host = (urllib.parse.urlsplit(url).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761, section 6.3
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def proxy_before(url: str) -> str | None:
    """The proxy that requests to the server go through, without a name or password; None where they go straight."""
    parts = urllib.parse.urlsplit(url)
    proxies = urllib.request.getproxies()
    found = proxies.get(parts.scheme) or proxies.get("all")
    if is_loopback(url) or not found or urllib.request.proxy_bypass(parts.netloc):
        return None
    return _without_password(found)


def _unusual_proxy() -> str | None:
    """A proxy of the environment that is not asked over HTTP, whichever servers it is for: the client prepares for all of them."""
    names = ("http", "https", "all")
    found = [proxy for name, proxy in urllib.request.getproxies().items() if name in names]
    other = [proxy for proxy in found if not proxy.lower().startswith(("http://", "https://"))]
    return _without_password(other[0]) if other else None


def _without_password(proxy: str) -> str:
    scheme, mark, rest = proxy.rpartition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"[:200]


def with_proxy(url: str, make: Callable[[], _Made]) -> _Made:
    """What `make` makes. Raises: SettingsError where the proxy of the environment is of a kind that cannot be used."""
    try:
        return make()
    except (
        ImportError,
        ValueError,
    ) as error:  # what httpx2 raises of SOCKS without its package, and of strange addresses
        proxy = None if is_loopback(url) else _unusual_proxy() or proxy_before(url)
        if proxy is None:
            raise
        reason = (
            "its package is not installed: pip install socksio" if isinstance(error, ImportError) else str(error)[:120]
        )
        raise SettingsError(
            f"the environment (all_proxy, http_proxy or https_proxy) names the proxy {proxy}, which cannot be used ({reason}). "
            "Unset it, name another, or add the server to no_proxy."
        ) from None
