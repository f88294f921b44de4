"""Who may ask. In: a file of keys, a request's headers. Out: nothing, or Unauthorized. Next: guard.py."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from pathlib import Path

from tellapart.errors import SettingsError
from tellapart.serving.refusals import Unauthorized
from tellapart.storage import storage_errors

_SHORTEST = 16  # characters


class Keys:
    """The API keys that the server knows; with none, everybody may ask."""

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self._digests = [_digest(key) for key in keys]

    def check(self, headers: Mapping[str, str]) -> None:
        """Look for `Authorization: Bearer KEY` or `X-API-Key: KEY`; names in lower case. Raises: Unauthorized."""
        if not self._digests:
            return
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        if not given:
            raise Unauthorized(
                "this server asks for a key. Send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`."
            )
        digest = _digest(given)
        # Digests, in constant time: how long it takes must not tell how much was right.
        if not any(hmac.compare_digest(digest, known) for known in self._digests):
            raise Unauthorized("the key is not one that this server knows. Ask its operator for one.")


def read_keys(path: Path) -> Keys:
    """Keys from a file, one a line; empty lines and those after # do not count. Raises: SettingsError, StorageError."""
    with storage_errors(path):
        lines = path.read_bytes().decode("utf-8-sig", "replace").splitlines()
    keys = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not keys:
        raise SettingsError(f"{path} holds no key, so nobody could ask. Write one key a line.")
    if any(len(key) < _SHORTEST for key in keys):
        raise SettingsError(
            f"{path} holds a key of fewer than {_SHORTEST} characters, which can be guessed. "
            "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    for key in keys:
        # What a client could never send in a header would lock everybody out without a word.
        if not all("!" <= sign <= "~" for sign in key):
            raise SettingsError(
                f"{path} holds a key with blanks or signs outside ASCII, of {len(key)} characters. Write the key alone on its "
                "line; what is said about it goes on a line that begins with #."
            )
    return Keys(keys)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
