"""In which writing systems texts are. In: str. Out: shares of letters. Next: cleaning.py."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np

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


def main_systems(texts: Sequence[str]) -> list[str]:
    """The writing system of most letters of each text; "" where it has none."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    letters, places = np.unique(codes, return_inverse=True)
    named = [system_of(chr(letter)) for letter in letters.tolist()]
    names = sorted({"", *named})
    number = np.array([names.index(name) for name in named], dtype=np.int64)
    rows = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    counts = np.bincount(rows * len(names) + number[places], minlength=len(texts) * len(names))
    counts = counts.reshape(len(texts), len(names))
    counts[:, 0] = 0  # what is no letter; where nothing else is there, this is the first of the most
    return [names[most] for most in counts.argmax(axis=1).tolist()]


def is_unspaced(texts: Iterable[str]) -> bool:
    """Whether most letters are of writing systems whose words do not stand apart."""
    found = count_letters(texts)
    return 2 * sum(count for system, count in found.items() if system in UNSPACED) > sum(found.values())
