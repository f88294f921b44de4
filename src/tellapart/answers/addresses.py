"""Pictures that lie on the web. In: an http(s) address. Out: a file's bytes. Next: predictor.py.

Who names addresses may not be who runs the program: a table from elsewhere must not make it ask the machines around it. So
only public addresses are asked, unless more is allowed. A name is looked up once, what was found is what is connected to,
and every redirect is looked at in the same way: a name that points elsewhere a moment later (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import ipaddress
import socket
import ssl
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any, Self, TypeAlias

from tellapart.errors import PictureError, one_line
from tellapart.preprocessing import MAX_FILE_BYTES

MOST_SECONDS = 30.0  # for a whole picture, redirects included
MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_CHUNK = 65_536
_EMBEDDED = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last 32 bits
_UNICAST = ipaddress.ip_network(
    "2000::/3"
)  # RFC 4291, 2.4: all of IPv6 that was ever given out to be reached by anybody

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Allowed: TypeAlias = Callable[[Address], bool]
Resolve: TypeAlias = Callable[..., Any]  # as socket.getaddrinfo


def is_public(address: Address) -> bool:
    """Whether an IP address is one that anybody on the internet may ask."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _EMBEDDED:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        # Else sites of old, compatible IPv4 and translators inside a network pass: Python calls global what is not listed.
        if address not in _UNICAST:
            return False
    return address.is_global and not address.is_multicast


def any_address(address: Address) -> bool:
    """For those who allow private addresses."""
    return True


def fetch(
    url: str,
    *,
    allowed: Allowed = is_public,
    resolve: Resolve = socket.getaddrinfo,
    seconds: float = MOST_SECONDS,
    most_bytes: int = MAX_FILE_BYTES,
) -> bytes:
    """The bytes at an address. Raises: PictureError, also for more than `most_bytes` or a wait of more than `seconds`."""
    end = time.monotonic() + seconds
    hop: _Hop | None = None
    try:
        for _ in range(MOST_REDIRECTS + 1):
            with _Hop(url, end - time.monotonic(), allowed, resolve) as hop:
                found = _ask(hop.connect(), url, most_bytes)
            if hop.late:  # a line that was cut looks like one that ended
                raise TimeoutError
            if isinstance(found, bytes):
                return found
            url = found
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, TimeoutError) or (hop is not None and hop.late):
            raise PictureError(f"it did not arrive within {seconds:g} s") from None
        raise PictureError(f"cannot be fetched: {_reason(error)}{_unused_proxy(url)}") from None
    raise PictureError(f"more than {MOST_REDIRECTS} redirects. Name the picture's own address")


def _ask(connection: http.client.HTTPConnection, url: str, most_bytes: int) -> bytes | str:
    """The body, or where it is to be had."""
    parts = urllib.parse.urlsplit(url)
    path = urllib.parse.quote(parts.path or "/", safe="/%:=&~+!$,;'@()*") + (
        "?" + urllib.parse.quote(parts.query, safe="/%:=&?~+!$,;'@()*[]") if parts.query else ""
    )
    connection.request("GET", path, headers={"User-Agent": "tellapart", "Accept": "image/*,*/*;q=0.5"})
    with connection.getresponse() as response:  # else what it holds stays open after the connection is closed
        if response.status in _REDIRECTS and (where := response.headers.get("Location")):
            return urllib.parse.urljoin(url, where)
        if response.status != 200:
            raise PictureError(f"the server answers with status {response.status} ({response.reason[:60]})")
        if (response.length or 0) > most_bytes:
            raise PictureError(f"file of {response.length:,} bytes; the limit is {most_bytes:,}. Store it smaller")
        parts_read, length = [], 0
        while chunk := response.read(_CHUNK):
            length += len(chunk)
            if length > most_bytes:
                raise PictureError(f"file of more than {most_bytes:,} bytes, which is the limit. Store it smaller")
            parts_read.append(chunk)
        return b"".join(parts_read)


class _Hop:
    """A connection to what one address names, which is cut when the time is up.

    A server that sends a byte now and then keeps every single wait short, so that no timeout of a socket ends it.
    """

    def __init__(self, url: str, seconds: float, allowed: Allowed, resolve: Resolve) -> None:
        """Raises: PictureError for an address that cannot be one."""
        self._parts = urllib.parse.urlsplit(url)
        if self._parts.scheme not in ("http", "https") or not self._parts.hostname:
            raise PictureError(f"{url[:100]!r} is no address of a picture. Write it like https://example.com/cat.jpg")
        if self._parts.username is not None:
            raise PictureError("the address holds a name or password. Fetch the picture yourself, and give the file")
        if seconds <= 0:
            raise TimeoutError
        self.late = False
        self._line: socket.socket | None = None
        self._seconds, self._allowed, self._resolve = seconds, allowed, resolve
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._line is not None:
            self._line.close()

    def connect(self) -> http.client.HTTPConnection:
        """The connection, made already. Raises: PictureError, OSError, ValueError."""
        host, secure = self._parts.hostname or "", self._parts.scheme == "https"
        port = self._parts.port or (443 if secure else 80)
        self._line = _reach(host, port, self._seconds, self._allowed, self._resolve)
        if secure:
            line = _trust().wrap_socket(self._line, server_hostname=host, do_handshake_on_connect=False)
            self._line = line
            line.do_handshake()
        connection = http.client.HTTPConnection(host, port, timeout=self._seconds)
        connection.sock = self._line
        return connection

    def _cut(self) -> None:
        self.late, line = True, self._line
        if line is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(line, socket.SHUT_RDWR)  # not TLS's own, which would say good-bye first


def _reach(host: str, port: int, seconds: float, allowed: Allowed, resolve: Resolve) -> socket.socket:
    """A socket to the first of the host's allowed addresses that answers. Raises: PictureError, OSError."""
    found = resolve(host, port, type=socket.SOCK_STREAM)
    good = [one for one in found if allowed(ipaddress.ip_address(str(one[4][0]).partition("%")[0]))]
    if not good:
        where = found[0][4][0] if found else "nowhere"
        raise PictureError(
            f"{host[:100]} leads to {where}, no public address, and such are not asked. If it is yours, give --allow-private "
            "(in Python allow_private=True)"
        )
    for index, (family, kind, protocol, _, address) in enumerate(good):
        made = socket.socket(family, kind, protocol)
        made.settimeout(seconds)
        try:
            made.connect(address)
            return made
        except OSError:
            made.close()
            if index == len(good) - 1:
                raise
    raise OSError("it has no address")


@functools.cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return one_line(text, most=200)


def _unused_proxy(url: str) -> str:
    """A proxy is not used: where it leads could not be looked at."""
    proxy = urllib.request.getproxies().get(url.partition(":")[0].lower())
    return f" (the proxy {proxy[:60]} is not used for pictures; fetch them yourself)" if proxy else ""
