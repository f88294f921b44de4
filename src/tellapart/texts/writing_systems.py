"""In which writing systems texts are. In: str. Out: shares of letters. Next: cleaning.py."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

# How the names of characters begin, and what people call such texts; the rest go by the first word of their names.
_CALLED = {
    "CJK": "Chinese characters",
    "KANGXI": "Chinese characters",
    "HIRAGANA": "Japanese kana",
    "KATAKANA": "Japanese kana",
    "HALFWIDTH": "Japanese kana",
    "HANGUL": "Hangul",
    "FULLWIDTH": "Latin",
}
# Between whose words no blanks stand, or, as in Korean, which are told apart by characters at least as well.
UNSPACED = frozenset({"Chinese characters", "Japanese kana", "Hangul", "Thai", "Lao", "Khmer", "Myanmar", "Tibetan"})


@lru_cache(maxsize=65536)
def system_of(character: str) -> str:
    """The writing system of a letter, such as Latin, Cyrillic or Chinese characters; "" for what is no letter."""
    if not character.isalpha():
        return ""
    first = unicodedata.name(character, "").partition(" ")[0]
    return _CALLED.get(first, first.title())


def count_letters(texts: Iterable[str]) -> Counter[str]:
    """How many letters of each writing system there are."""
    characters: Counter[str] = Counter()
    for text in texts:
        characters.update(text)
    found: Counter[str] = Counter()
    for character, count in characters.items():
        if system := system_of(character):
            found[system] += count
    return found


def is_unspaced(texts: Iterable[str]) -> bool:
    """Whether most letters are of writing systems whose words do not stand apart."""
    found = count_letters(texts)
    return 2 * sum(count for system, count in found.items() if system in UNSPACED) > sum(found.values())
