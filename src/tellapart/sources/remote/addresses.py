"""Addresses of shards elsewhere, without what is secret in them. In: s3://bucket/a.tar. Out: paths, secrets. Next: stores.py.

Who names an address may write a password or a signature into it. Only this process keeps those; everywhere else the address stands
without them, as a path has it: https:/host/a.tar. And only what a user told is ever asked for: a table or a run from elsewhere
that names addresses makes nobody ask for them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from tellapart.errors import SettingsError

SHARDS = (".tar", ".tar.gz", ".tgz", ".zip", ".parquet", ".pq", ".arrow", ".feather")
SCHEMES = ("s3", "gs", "az", "http", "https")
_FORM = re.compile(rf"({'|'.join(SCHEMES)}):/+(?=[^/])", re.IGNORECASE)
_USER = re.compile(r"^([^/@]*)@")
_SECRET = re.compile(rf"((?:{'|'.join(SCHEMES)})://?)(?:[^/\s@'\"]*@)?([^\s?'\"]*)(?:\?[^\s'\"]*)?", re.IGNORECASE)
_WEB = ("http", "https")


class Secret(NamedTuple):
    """What of an address is kept apart."""

    user: str = ""  # user:password
    query: str = ""  # a signature, mostly


_TOLD: dict[str, Secret] = {}  # address as a path has it -> its secret


def looks_like_address(text: str | os.PathLike[str]) -> bool:
    """Whether this has the form of an address: s3://bucket/a.tar, also as a path has it, with one stroke."""
    return _FORM.match(os.fspath(text)) is not None


def tell(text: str | os.PathLike[str]) -> str:
    """A user named this address: it may be asked for. The same without its secrets; anything else stays as it is."""
    whole = os.fspath(text)
    found = _FORM.match(whole)
    if found is None or os.path.lexists(whole):
        return whole
    scheme, rest = found[1].lower(), whole[found.end() :]
    user = ""
    if (named := _USER.match(rest)) and (scheme in _WEB or ":" in named[1]):
        user, rest = named[1], rest[named.end() :]
    query = ""
    if scheme in _WEB or "=" in rest.partition("?")[2]:
        rest, _, query = rest.partition("?")
        query = query.partition("#")[0]
    key = f"{scheme}:/{rest.rstrip('/')}"
    if user or query or key not in _TOLD:
        _TOLD[key] = Secret(user, query)
    return f"{scheme}://{rest}"


def tell_argument(argument: str) -> str:
    """An argument of the command line, or the value of --flag=VALUE, told where it names shards or a place in a store.

    Other addresses on the web are pictures, which are fetched in another way.
    """
    flag, equals, value = argument.partition("=") if argument.startswith("--") else ("", "", argument)
    found = _FORM.match(value)
    if found is None or (found[1].lower() in _WEB and not value.partition("?")[0].lower().endswith(SHARDS)):
        return argument
    return f"{flag}{equals}{tell(value)}"


def check_written_here(arguments: Sequence[str]) -> None:
    """Raises: SettingsError where --out is an address: a folder of that name would be made here."""
    for argument, following in pairwise([*arguments, ""]):
        flag, equals, value = argument.partition("=")
        place = value if equals else following
        if flag == "--out" and looks_like_address(place):
            raise SettingsError(
                f"--out {without_secrets(place)} lies elsewhere, and results are written to this machine's disks alone. Name a "
                "folder here, and copy it there afterwards."
            )


def share(pattern: str, names: Iterable[str]) -> None:
    """What a pattern stands for is told as the pattern was, with its secrets."""
    if looks_like_address(pattern) and (known := _TOLD.get(_key(pattern))) is not None:
        _TOLD.update((_key(name), known) for name in names)


def is_remote(path: str | os.PathLike[str]) -> bool:
    """Whether a path is an address that was told, or lies below one."""
    return _told_above(os.fspath(path)) is not None


def address_of(path: str | os.PathLike[str]) -> str:
    """The address of a path, with two strokes and without secrets."""
    scheme, _, rest = _key(os.fspath(path)).partition(":/")
    return f"{scheme}://{rest}"


def secret_of(path: str | os.PathLike[str]) -> Secret:
    """What was told with an address, or with the one that it lies below."""
    above = _told_above(os.fspath(path))
    return Secret() if above is None else _TOLD[above]


def without_secrets(text: str) -> str:
    """A sentence in which addresses have lost passwords and queries."""
    return _SECRET.sub(r"\1\2", text) if "://" in text or ":/" in text else text


def forget() -> None:
    """As if nothing had been told: for tests."""
    _TOLD.clear()


def _key(text: str) -> str:
    found = _FORM.match(text)
    return text if found is None else f"{found[1].lower()}:/{text[found.end() :].rstrip('/')}"


def _told_above(path: str) -> str | None:
    if not _TOLD or _FORM.match(path) is None:
        return None
    here = _key(path)
    while ":/" in here:
        if here in _TOLD:
            return here
        here = here.rpartition("/")[0]
    return None
