"""Where the server is and who asks. In: an address, a key. Out: settings for httpx2, requests. Next: pictures.py."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tellapart.client.pictures import Item
from tellapart.client.proxies import is_loopback, proxy_before
from tellapart.errors import MissingExtra, SettingsError, one_line
from tellapart.storage import storage_errors

if TYPE_CHECKING:
    import httpx2

CONCURRENCY = 4  # requests under way at a time: enough to keep a server busy, too few to fill its queue
_ALL = 999_999  # classes a picture, the most that the server lets one ask for
_CONNECT_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One server, as a client was told of it."""

    url: str  # without the last /
    api_key: str | None
    timeout: float  # seconds, for one try
    retries: int  # after the first try
    model: str | None  # None: the only one that there is

    def __post_init__(self) -> None:
        """Raises: SettingsError, MissingExtra."""
        _check_url(self.url)
        # A header holds printable ASCII; a line's end in it would begin another header.
        if self.api_key is not None and not (self.api_key and all("!" <= sign <= "~" for sign in self.api_key)):
            raise SettingsError(
                "the API key is empty, or has blanks, line ends or signs outside ASCII. Give the key alone, as one line."
            )
        # A setting read from the environment is text, and text is not compared with numbers.
        if not isinstance(self.timeout, int | float) or not 0 < self.timeout < float("inf"):
            raise SettingsError(f"the timeout is {self.timeout!r}; it must be a positive number of seconds.")
        if self.retries < 0:
            raise SettingsError(f"retries is {self.retries}; it must be 0 or more.")
        _require()

    def settings(self) -> Mapping[str, Any]:
        """For `httpx2.Client` and `AsyncClient`. Redirects are not followed: the key is for this server only."""
        import httpx2

        headers = {"Accept": "application/json", "User-Agent": f"tellapart-client httpx2/{httpx2.__version__}"}
        if self.api_key is not None:
            headers["Authorization"] = f"Bearer {self.api_key}"
        return {
            "base_url": self.url + "/",
            "headers": headers,
            "timeout": httpx2.Timeout(self.timeout, connect=min(self.timeout, _CONNECT_SECONDS)),
            "limits": httpx2.Limits(max_connections=CONCURRENCY * 2),
            "trust_env": not is_loopback(self.url),
        }

    def request(self, model: str, items: Sequence[Item], *, explain: int, texts: bool = False) -> Mapping[str, Any]:
        """What httpx2's `request` takes to classify pictures, or `texts`. No path of the user's leaves this machine.

        `explain`: 0 for no heatmap; of which box else, for models that find boxes.
        """
        wanted = {"explain": "true"} if explain else {}
        if explain > 1:
            wanted["box"] = str(explain)
        asked = {"method": "POST", "url": "predict", "params": {"model": model, "top": str(_ALL), **wanted}}
        if texts and (written := _decoded(items)) is not None:
            return {**asked, "json": {"text": written}}
        return {**asked, "files": [("file", ("picture", item.data, "application/octet-stream")) for item in items]}


def _decoded(items: Sequence[Item]) -> list[str] | None:
    """Texts as JSON has them; None where one is not in UTF-8: what is wrong with it, the server says of the bytes themselves."""
    try:
        return [item.data.decode("utf-8") for item in items]
    except UnicodeDecodeError:
        return None


def read_key(path: Path) -> str:
    """The API key in a file: its first line that is neither empty nor a comment. Raises: SettingsError, StorageError."""
    with storage_errors(path):
        lines = path.read_bytes().decode("utf-8", "replace").splitlines()
    for line in lines:
        if line.strip() and not line.lstrip().startswith("#"):
            return line.strip()
    raise SettingsError(f"{path} holds no key. Write the key into it, as one line.")


def _check_url(url: str) -> None:
    try:
        parts = urllib.parse.urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        guess = url if url and ":/" not in url else "127.0.0.1:8501"
        raise SettingsError(f"{url[:100]!r} is not the address of a server. Write it like http://{guess[:100]}.")
    if parts.username or parts.query or parts.fragment:
        raise SettingsError(
            f"the address of {parts.hostname} holds more than a host, a port and a path. Leave names, ? and # out; "
            "a key goes in api_key, or --api-key-file."
        )


def _require() -> None:
    try:
        import httpx2  # noqa: F401
        import tenacity  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtra("predict --server", "client", str(error.name)) from None


def failure(error: httpx2.HTTPError, connection: Connection) -> str:
    """Why no answer came, as a sentence with its remedy."""
    import httpx2

    proxy = proxy_before(connection.url)
    if proxy is not None and isinstance(error, httpx2.ProxyError | httpx2.ConnectError | httpx2.ConnectTimeout):
        reason = one_line(error, most=200)
        return (
            f"no server answers at {connection.url} through the proxy {proxy}, which the environment names ({reason}). Check the "
            "address, or add the server to no_proxy."
        )
    if isinstance(error, httpx2.TimeoutException) and not isinstance(error, httpx2.ConnectTimeout):
        return (
            f"the server at {connection.url} did not answer within {connection.timeout:g} s. Allow it more time, or look "
            "whether it is overloaded."
        )
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        reason = one_line(error, most=200)
        return f"no server answers at {connection.url} ({reason}). Check the address, or start one with: tellapart serve MODEL."
    return f"the connection to {connection.url} broke ({type(error).__name__}). Look whether the server still runs."
