"""Several names in one cell, with what separates them. In: names, a cell's text. Out: the same the other way. Next: targets.py."""

from __future__ import annotations

import ast
import re
from typing import Literal, TypeAlias, get_args

# What may stand between the names of a set; the last three are the Chinese and Japanese ones.
Separator: TypeAlias = Literal["|", ";", ",", " ", "/", "+", "&", "\u3001", "\uff0c", "\uff1b"]
SEPARATORS: tuple[Separator, ...] = get_args(Separator)
SEPARATOR = "|"  # the usual one
_ESCAPE = "\\"  # before a separator or a backslash that belongs to a name, and before a name's own "?" at its front
_LONGEST_LIST = 100_000  # characters
UNKNOWN = "?"  # before a class of which nothing is known


def split_names(text: str, separator: str) -> list[str]:
    """The parts of a cell between separators that no backslash makes part of a name, stripped, escapes kept.

    A space as separator means any stretch of white space.
    """
    parts = [""]
    place = 0
    while place < len(text):
        pair = text[place : place + 2]
        if pair in (_ESCAPE + separator, _ESCAPE * 2):
            parts[-1] += pair
            place += 2
            continue
        if text[place] == separator or (separator == " " and text[place].isspace()):
            parts.append("")
        else:
            parts[-1] += text[place]
        place += 1
    stripped = [part.strip() for part in parts]
    return [part for part in stripped if part] if separator == " " else stripped


def is_list(text: str) -> bool:
    """Whether a cell looks like a list as Python and JSON write it: ['cat', 'dog']."""
    return text.startswith("[") and text.endswith("]")


def listed_names(text: str) -> list[str] | None:
    """The names in such a list; None where it is none of words or whole numbers, or lacks commas, as NumPy writes it."""
    if len(text) > _LONGEST_LIST or re.search(r"""['"]\s+['"]""", text):
        return None
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    whole = isinstance(found, list) and all(type(name) in (str, int) and str(name).strip() for name in found)
    return [str(name).strip() for name in found] if whole else None


def escaped(name: str) -> str:
    """A name as it stands among others in a cell."""
    text = name.replace(_ESCAPE, _ESCAPE * 2).replace(SEPARATOR, _ESCAPE + SEPARATOR)
    return _ESCAPE + text if text.startswith(UNKNOWN) else text


def unescaped(text: str, separator: str) -> str:
    """The name that stands so in a cell."""
    name, place = "", 0
    while place < len(text):
        pair = text[place : place + 2]
        taken = pair in (_ESCAPE + separator, _ESCAPE * 2) or (place == 0 and pair == _ESCAPE + UNKNOWN)
        name += pair[1] if taken else text[place]
        place += 2 if taken else 1
    return name
