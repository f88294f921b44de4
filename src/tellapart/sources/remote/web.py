"""Files behind http(s), in parts. In: addresses. Out: bytes, stamps. Next: objects.py.

Certificates are checked, proxies are those of the environment. A password goes to the host that it was told for, and to no other.
"""

from __future__ import annotations

import base64
import contextlib
import email.utils
import errno
import http.client
import re
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request
from typing import IO, Any

from tellapart.errors import one_line
from tellapart.sources.remote.addresses import secret_of, without_secrets
from tellapart.sources.remote.stores import MayPass, Stamped

_TIMEOUT = 60.0  # seconds without a byte
_AGENT = "tellapart (+https://github.com/tellapart)"
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_PASSING = (408, 425, 429)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to http(s) alone, and takes no password along to another host."""

    max_redirections = 5

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """As the parent's. Raises: HTTPError."""
        new = super().redirect_request(req, fp, code, msg, headers, newurl)
        if new is not None and urllib.parse.urlsplit(newurl)[:2] != urllib.parse.urlsplit(req.full_url)[:2]:
            new.headers.pop("Authorization", None)
        return new


class WebStore:
    """As `Store` says. What it gives no part of cannot be read in place."""

    def __init__(self) -> None:
        self._opener = urllib.request.build_opener(_Redirects())

    def look(self, address: str) -> Stamped:
        """By asking for one byte: an address that is signed for reading may be asked for nothing else."""
        with self._ask(address, "bytes=0-0") as answer:
            return Stamped(_found(answer)[2], _stamp(answer))

    def part(self, address: str, start: int, end: int) -> tuple[bytes, str]:
        """As promised."""
        with self._ask(address, f"bytes={start}-{end - 1}") as answer:
            first, last, _ = _found(answer)
            if (first, last) != (start, end - 1):
                raise MayPass("the server gave another part than was asked for")
            try:
                data = answer.read(end - start)
            except (OSError, http.client.HTTPException) as error:
                raise MayPass(_said(error)) from None
            if len(data) != end - start:
                raise MayPass("the connection ended too early")
            return data, _stamp(answer)

    def names(self, address: str) -> list[str]:
        """Raises: OSError: servers of http list nothing."""
        raise OSError(errno.ENOTSUP, "folders on the web are not listed; name the files, such as shard-{000..099}.tar")

    def _ask(self, address: str, part: str) -> contextlib.AbstractContextManager[Any]:
        secret = secret_of(address)
        parts = urllib.parse.urlsplit(address)
        path = urllib.parse.quote(parts.path, safe="/%:=&~+!$,;'@()*")
        whole = urllib.parse.urlunsplit((parts.scheme, parts.netloc, path, secret.query, ""))
        headers = {"User-Agent": _AGENT, "Range": part, "Accept-Encoding": "identity"}
        if secret.user:
            user = urllib.parse.unquote(secret.user)
            headers["Authorization"] = "Basic " + base64.b64encode(user.encode()).decode()
        try:
            answer: Any = self._opener.open(urllib.request.Request(whole, headers=headers), timeout=_TIMEOUT)
        except urllib.error.HTTPError as error:
            with error:
                raise _refused(error) from None
        except urllib.error.URLError as error:
            raise _unreached(error.reason) from None
        except (OSError, http.client.HTTPException) as error:
            raise _unreached(error) from None
        if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
            answer.close()
            raise OSError(errno.ENOTSUP, "the server gives no parts of files. Download it, and give the file")
        return contextlib.closing(answer)


def _found(answer: Any) -> tuple[int, int, int]:
    """First and last byte, and the bytes of the whole file. Raises: OSError where the server does not say it."""
    found = _RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
    if found is None:
        raise OSError(errno.EIO, "the server does not say how large the file is. Download it, and give the file")
    return int(found[1]), int(found[2]), int(found[3])


def _stamp(answer: Any) -> str:
    return str(answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "")


def _refused(error: urllib.error.HTTPError) -> Exception:
    """What a status means."""
    status = error.code
    if status in (404, 410):
        return FileNotFoundError(errno.ENOENT, f"no such file (status {status})")
    if status in (401, 403, 407):
        return PermissionError(
            errno.EACCES, f"the server refuses it (status {status}); was it signed, give the address anew"
        )
    if status in _PASSING or status >= 500:
        return MayPass(f"the server answers with status {status}", _wait(error.headers.get("Retry-After")))
    return OSError(errno.EIO, f"the server answers with status {status}")


def _wait(told: str | None) -> float | None:
    """Seconds until a date, or as many as are told; None where neither is."""
    if told is None:
        return None
    if told.strip().isdecimal():
        return float(told)
    with contextlib.suppress(ValueError, TypeError):
        until = email.utils.parsedate_to_datetime(told)
        return max(0.0, until.timestamp() - email.utils.localtime().timestamp())
    return None


def _unreached(error: object) -> Exception:
    if isinstance(error, ssl.SSLCertVerificationError):
        return OSError(errno.EIO, f"the server's certificate does not do: {one_line(error.verify_message)}")
    if isinstance(error, socket.gaierror):
        return OSError(errno.EIO, "there is no such host, or no network")
    return MayPass(_said(error))


def _said(error: object) -> str:
    return without_secrets(one_line(getattr(error, "strerror", None) or error or type(error).__name__))
