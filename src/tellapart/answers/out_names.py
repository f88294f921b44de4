"""What a picture is called in a folder that we fill. In: paths, addresses. Out: names that stay inside. Next: box_forms.py.

A picture named by itself keeps its name, one that was found in a folder, an archive or by a pattern its way below that. No name
leads out of the folder, is one that some system refuses, or stands for two pictures.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Sequence
from urllib.parse import unquote, urlsplit

from tellapart.answers.items import is_address

NAMELESS = "picture"  # what has no name: standard input, an address without one
_MOST_BYTES = 180  # of a part: 255 are what file systems take, and numbers and endings come behind
_REFUSED = re.compile(r'[<>:"|?*\x00-\x1f\x7f]')  # by Windows
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)


def roots_of(arguments: Iterable[str]) -> tuple[str, ...]:
    """The folders and archives that arguments of a command line search, the longest first."""
    found = []
    for argument in arguments:
        if is_address(argument) or argument == "-":
            continue
        there = os.path.lexists(argument)
        found.append(argument if there else _fixed_part(argument))
    return tuple(sorted({os.path.normpath(one) for one in found}, key=len, reverse=True))


def name_of(path: str, roots: Sequence[str]) -> str:
    """What the picture at a path or address is called, its parts separated by /; each is safe on every system."""
    if is_address(path):
        return safe_part(unquote(urlsplit(path).path).replace("\\", "/").rstrip("/").rpartition("/")[2])
    plain = os.path.normpath(path) if path else ""
    for root in roots:
        if plain == root:
            return safe_part(os.path.basename(plain))
        if root == os.curdir and not os.path.isabs(plain):
            return safe_name(plain)
        if plain.startswith(root.rstrip(os.sep) + os.sep):
            return safe_name(plain[len(root.rstrip(os.sep)) + 1 :])
    return safe_name(os.path.splitdrive(plain)[1])


def safe_name(path: str) -> str:
    """The parts of a path, each safe, without what leads upward."""
    parts = [part for part in path.replace(os.sep, "/").split("/") if part not in ("", os.curdir, os.pardir)]
    return "/".join(map(safe_part, parts)) or NAMELESS


def safe_part(text: str) -> str:
    """A file's or folder's name that every system takes, that no other folder is in, and that is not hidden."""
    plain = text.encode("utf-8", "replace").decode()  # a name that is no UTF-8 has characters that no file of text has
    plain = _REFUSED.sub("_", plain.replace("/", "_").replace("\\", "_")).strip().rstrip(".")
    if plain.startswith("."):
        plain = "_" + plain[1:]
    if _DEVICES.fullmatch(plain):
        plain = "_" + plain
    stem, ending = os.path.splitext(plain)
    room = _MOST_BYTES - len(ending.encode())
    cut = (
        stem.encode()[:room].decode(errors="ignore") + ending
        if room > 0
        else plain.encode()[:_MOST_BYTES].decode(errors="ignore")
    )
    return cut or NAMELESS


class UniqueNames:
    """Gives each name once; a second one gets a number. Upper and lower case are one, as on some systems."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, name: str) -> str:
        """The name, or the name with -2, -3 ... before its ending. Two names that differ in their endings alone are two, too,
        so that what is made of a picture can be called by its stem."""
        stem, ending = os.path.splitext(name)
        number, tried = 1, stem
        while tried.casefold() in self._taken:
            number += 1
            tried = f"{stem}-{number}"
        self._taken.add(tried.casefold())
        return tried + ending


def _fixed_part(pattern: str) -> str:
    """The folder that a pattern searches."""
    parts = pattern.split(os.sep)
    fixed = next((place for place, part in enumerate(parts) if glob.has_magic(part)), len(parts) - 1)
    return os.sep.join(parts[:fixed]) or (os.sep if pattern.startswith(os.sep) else os.curdir)
