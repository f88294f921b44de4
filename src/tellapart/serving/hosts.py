"""For whom a request is, and which page sent it. In: its headers. Out: nothing, or Forbidden. Next: guard.py.

A page on the internet can make its visitor's browser ask servers on the visitor's own machine. Two ways are closed here: a name
of the attacker's that is made to point at 127.0.0.1 (DNS rebinding; the Host header gives it away), and a form sent across
sites (Origin and Sec-Fetch-Site do). Starlette's TrustedHostMiddleware cuts IPv6 addresses at their first colon and says only
"Invalid host header", hence not that.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from tellapart.errors import SettingsError
from tellapart.serving.refusals import Forbidden

_SAFE = ("GET", "HEAD", "OPTIONS")  # RFC 9110, section 9.2.1
_NAME = re.compile(r"[\w.-]+(:\d+)?|\[[\da-fA-F:.]+\](:\d+)?|[\da-fA-F:.]+")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})  # the usual ones, told without a parser
_OWN = ("same-origin", "none")  # none: typed into the address bar


class Hosts:
    """The names under which this server may be asked; with None any, without a name those of the machine itself."""

    def __init__(self, named: Sequence[str] | None = None, *, origins: Sequence[str] = ()) -> None:
        """`origins` are sites, such as https://cats.example.com, whose pages may ask this server."""
        self._named = None if named is None else frozenset(_host(name) for name in named)
        self.origins = tuple(origins)

    def check(self, headers: Mapping[str, str], method: str) -> None:
        """Look at Host, and for what changes anything at who sends it; names in lower case. Raises: Forbidden."""
        self._check_host(headers.get("host", ""))
        if method not in _SAFE:
            self._check_sender(headers)

    def _check_host(self, given: str) -> None:
        # Without Host it is no browser that asks, and only a browser can be tricked.
        if self._named is None or not given:
            return
        name = _host(given)
        if not _is_loopback(name) and name not in self._named:
            raise Forbidden(
                f"this server is not {name[:100]!r}: it answers to localhost{''.join(f', {one}' for one in sorted(self._named))}. "
                f"If it shall answer to that name too, start it with --allow-host {name[:100]}."
            )

    def _check_sender(self, headers: Mapping[str, str]) -> None:
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if origin in self.origins:
            return
        if site is not None:  # browsers send it to localhost and over HTTPS, and no page can change it
            if site in _OWN:
                return
        elif origin is None or (
            (sender := urlsplit(origin).netloc.lower())
            and (sender == headers.get("host", "").lower() or _host(sender) in (self._named or ()))
        ):  # no browser, or one of before 2020
            return
        raise Forbidden(
            f"a page of another site sent this ({(origin or site or '')[:100]!r}); only this server's own page may. "
            "To let that site's pages, start it with --allow-origin. Programs send neither Origin nor Sec-Fetch-Site."
        )


def hosts_for(bound: str, allowed: Sequence[str], origins: Sequence[str] = ()) -> Hosts:
    """The names for a server that listens on `bound` and was told that it is called `allowed` as well.

    A loopback address answers to its own names only. Elsewhere any name will do, unless some were given.
    Raises: SettingsError for what cannot be a name.
    """
    for one in allowed:
        if not _NAME.fullmatch(one):
            raise SettingsError(
                f"--allow-host {one!r} is no host name: give it without http:// and without a path, such as cats.example.com."
            )
    sites = [_origin(one) for one in origins]
    name = _host(bound)
    if not allowed and not _is_loopback(name):
        return Hosts(origins=sites)
    return Hosts([*allowed, *([] if _is_loopback(name) or _is_wildcard(name) else [name])], origins=sites)


def _origin(text: str) -> str:
    """A site as browsers name it in Origin (RFC 6454): scheme, host and a port that is not the usual. Raises: SettingsError."""
    try:
        parts = urlsplit(text)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        scheme, host, port = "", "", None
    if (
        scheme not in ("http", "https")
        or not _NAME.fullmatch(host)
        or text.rstrip("/") != f"{parts.scheme}://{parts.netloc}"
    ):
        raise SettingsError(
            f"--allow-origin {text!r} is no site: give scheme, host and port, such as https://cats.example.com, one by one. A star "
            "would let every page on the internet ask."
        )
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" + ("" if port in (None, {"http": 80, "https": 443}[scheme]) else f":{port}")


def _host(text: str) -> str:
    """Host of "host", "host:port", "[::1]:port" or "::1", in lower case."""
    text = text.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return (text.partition(":")[0] if text.count(":") == 1 else text).rstrip(".")


def _is_loopback(name: str) -> bool:
    if name in _LOOPBACK or name.endswith(".localhost"):  # RFC 6761, section 6.3
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _is_wildcard(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_unspecified
    except ValueError:
        return not name
