"""What Unicode says of characters, as a file of lines. In: nothing. Out: unicode.txt. Next: text_lines.py.

Forms, small letters and kinds of characters differ from one version of Unicode to the next, and so between languages and their
versions: samples that read this file make of a text what this Python makes of it. A line is a word and numbers in hexadecimal:

    canonical C D...     what C is made of, in the forms NFD and NFC; Hangul's syllables are worked out
    compatible C D...    the same in the forms NFKD and NFKC, where it is another
    order C N            its class of combining characters, in decimal
    compose A B C        two characters that become one
    fold C D...          its small letters for comparison (case folding), where it is not itself
    lower C D...         its small letters
    blank, word, mark, sign, hidden  FIRST LAST: characters from one to another that are blanks, parts of words, marks on letters,
                         signs between word pieces, and never seen by word pieces
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Callable, Iterable, Iterator

_HANGUL = range(0xAC00, 0xD7A4)
_HIDDEN = ("Cc", "Cf", "Co", "Cs")
_BLANKS_OF_PIECES = "\t\n\r"


@functools.cache
def unicode_table() -> str:
    """The file as a text."""
    every = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    return "\n".join([*_forms(every), *_letters(every), *_kinds(every)]) + "\n"


def ranges(every: Iterable[str], wanted: Callable[[str], bool]) -> Iterator[tuple[int, int]]:
    """First and last of each run of characters, in their order, that are wanted."""
    first = last = -2
    for character in every:
        if not wanted(character):
            continue
        code = ord(character)
        if code != last + 1:
            if last >= 0:
                yield first, last
            first = code
        last = code
    if last >= 0:
        yield first, last


def _codes(text: str) -> str:
    return " ".join(f"{ord(one):x}" for one in text)


def _forms(every: Iterable[str]) -> Iterator[str]:
    for one in every:
        if unicodedata.combining(one):
            yield f"order {ord(one):x} {unicodedata.combining(one)}"
        if not unicodedata.decomposition(one) or ord(one) in _HANGUL:
            continue
        canonical, compatible = unicodedata.normalize("NFD", one), unicodedata.normalize("NFKD", one)
        if canonical != one:
            yield f"canonical {_codes(one)} {_codes(canonical)}"
        if compatible != canonical:
            yield f"compatible {_codes(one)} {_codes(compatible)}"
        parts = unicodedata.decomposition(one).split()
        if len(parts) == 2 and "<" not in parts[0] and unicodedata.normalize("NFC", one) == one:
            yield f"compose {' '.join(f'{int(part, 16):x}' for part in parts)} {_codes(one)}"


def _letters(every: Iterable[str]) -> Iterator[str]:
    for one in every:
        if one.casefold() != one:
            yield f"fold {_codes(one)} {_codes(one.casefold())}"
        if one.lower() != one:
            yield f"lower {_codes(one)} {_codes(one.lower())}"


def _kinds(every: Iterable[str]) -> Iterator[str]:
    category = unicodedata.category
    kinds: dict[str, Callable[[str], bool]] = {
        "blank": str.isspace,
        "word": lambda one: one.isalnum() or one == "_" or category(one)[0] == "M",
        "mark": lambda one: category(one) == "Mn",
        "sign": lambda one: (
            category(one)[0] == "P" or (one.isascii() and one.isprintable() and not one.isalnum() and one != " ")
        ),
        "hidden": lambda one: one not in _BLANKS_OF_PIECES and (one == "\ufffd" or category(one) in _HIDDEN),
    }
    for name, wanted in kinds.items():
        yield from (f"{name} {first:x} {last:x}" for first, last in ranges(every, wanted))
