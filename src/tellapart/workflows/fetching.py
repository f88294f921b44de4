"""A file from an address, whole or not at all. In: an address, its size and checksum. Out: a path. Next: workflows/demo_sets.py.

What was fetched before a connection broke is kept beside it as NAME.part, and the next try goes on from there. A file counts once
its checksum is the one that was published for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tellapart.errors import DataError, one_line
from tellapart.storage import storage_errors

_TRIES, _PAUSE = 4, 2.0  # seconds before the second try, twice as many before each other
_TIMEOUT = 30.0  # seconds without a byte
_CHUNK = 1024 * 1024
_AGENT = "tellapart (+https://github.com/tellapart)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A file elsewhere."""

    address: str  # https
    size: int  # bytes; no more are ever taken
    sha256: str = ""  # hex digits; "" where only an MD5 was published
    md5: str = ""

    @property
    def name(self) -> str:
        """What the file is called."""
        return self.address.rsplit("/", 1)[-1]


def fetch(remote: Remote, folder: Path, advance: Callable[[int], object] = int) -> Path:
    """The file in `folder`, fetched if it is not there; `advance` hears of bytes.

    Raises: DataError where it cannot be had, or is not the one that was published; StorageError.
    """
    target = folder / remote.name
    if target.is_file() and target.stat().st_size == remote.size:
        advance(remote.size)
        return target
    part = folder / f"{remote.name}.part"
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for tried in range(_TRIES):
        try:
            _go_on(remote, part, advance)
            break
        except (OSError, http.client.HTTPException) as error:
            if tried == _TRIES - 1 or not _passes(error):
                raise _unreachable(remote, target, error) from None
            time.sleep(_PAUSE * 2**tried)
    _check(remote, part)
    with storage_errors(target):
        part.replace(target)
    return target


def _go_on(remote: Remote, part: Path, advance: Callable[[int], object]) -> None:
    """Append what is still missing. Raises: OSError, HTTPException where the connection breaks."""
    have = part.stat().st_size if part.is_file() else 0
    if have == remote.size:
        return
    headers = {"User-Agent": _AGENT, **({"Range": f"bytes={have}-"} if have else {})}
    with urllib.request.urlopen(urllib.request.Request(remote.address, headers=headers), timeout=_TIMEOUT) as answer:
        go_on = answer.status == http.HTTPStatus.PARTIAL_CONTENT
        if go_on:
            advance(have)
        with storage_errors(part), part.open("ab" if go_on else "wb") as file:
            written = have if go_on else 0
            while chunk := answer.read(_CHUNK):
                written += len(chunk)
                if written > remote.size:
                    raise DataError(
                        f"{remote.address} sends more than the {remote.size:,} bytes that were published. Try later."
                    )
                file.write(chunk)
                advance(len(chunk))
    if written < remote.size:
        raise http.client.IncompleteRead(b"", remote.size - written)


def _check(remote: Remote, part: Path) -> None:
    """Raises: DataError where the bytes are not those that were published; they are removed then."""
    with storage_errors(part), part.open("rb") as file:
        digest = hashlib.file_digest(
            file, (lambda: hashlib.md5(usedforsecurity=False)) if not remote.sha256 else "sha256"
        )
    if digest.hexdigest() == (remote.sha256 or remote.md5):
        return
    with contextlib.suppress(OSError):
        part.unlink()
    raise DataError(
        f"what {remote.address} sent is not the file that was published: its checksum begins with {digest.hexdigest()[:12]}, not "
        f"with {(remote.sha256 or remote.md5)[:12]}. It was removed; try again later."
    )


def _passes(error: Exception) -> bool:
    """Whether another try may help: not where the server says that there is no such file."""
    return not isinstance(error, urllib.error.HTTPError) or error.code in (408, 429) or error.code >= 500


def _unreachable(remote: Remote, target: Path, error: Exception) -> DataError:
    reason = one_line(getattr(error, "reason", None) or error, most=120)
    return DataError(
        f"{remote.address} cannot be fetched ({reason}). Connect to the network and run the command again, which goes on where it "
        f"stopped; or fetch the address elsewhere and put the file at {target}."
    )
