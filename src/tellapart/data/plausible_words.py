"""Which letters in a row could be a word. In: a word, its encoding. Out: whether. Next: dialects.py.

Bytes that were written in one encoding and read in another give letters as well; but seldom those that stand together in words.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

# The first bytes of the characters that are in daily use, where an alphabet has thousands.
_COMMON: dict[str, tuple[tuple[int, int], ...]] = {
    "gb18030": ((0xB0, 0xD7),),
    "cp950": ((0xA4, 0xC6),),
    "cp932": ((0x82, 0x83), (0x88, 0x97)),
    "euc_jp": ((0xA4, 0xA5), (0xB0, 0xCF)),
    "cp949": ((0xB0, 0xC8),),
}
# Letters beside a to z, by language: where two guesses both look like words, the one of a single language is better.
_ALPHABETS = tuple(
    map(
        frozenset,
        (
            "äöüßéàè",  # German, with its loans
            "àâæçéèêëîïôœùûüÿ",  # French
            "áéíñóúü",  # Spanish
            "àèéìíîòóù",  # Italian
            "ãáàâçéêíóôõúü",  # Portuguese
            "åäöæøéü",  # the Nordic ones
            "ąćęłńóśźż",  # Polish
            "áäčďéěíĺľňóôřŕšťúůýž",  # Czech and Slovak
            "áéíóöőúüű",  # Hungarian
            "ăâîşţ",  # Romanian
            "čćđšž",  # Croatian, Slovenian
            "âçğıöşûü",  # Turkish
            "áðéíóöúýþæ",  # Icelandic
            "āčēģīķļņšūž",  # Latvian
            "ąčęėįšųūž",  # Lithuanian
            "äõöüšž",  # Estonian
        ),
    )
)
_DOT_ABOVE = "\u0307"  # what is left of the Turkish large I with its dot, made small
_LONG_VOWEL = "ー"  # of Japanese; among the signs, not the letters
_SCRIPTS = (
    *("LATIN", "CYRILLIC", "GREEK", "HEBREW", "ARABIC", "THAI", "HANGUL", "HIRAGANA", "KATAKANA", "CJK"),
    "KATAKANA-HIRAGANA",  # its name is that of a mark
)
_TOGETHER = {"HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "CJK"}


def is_plausible(word: str, encoding: str) -> bool:
    """Whether a word could be one: letters in daily use, of scripts that go together, none large behind the first of many."""
    if any(map(_is_small_then_large, word, word[1:])) or _is_large_within(word):
        return False
    scripts = set()
    for place, character in enumerate(word):
        kind, script = unicodedata.category(character), unicodedata.name(character, "").split(" ")[0]
        if kind == "Nd" and script != "THAI":
            continue
        if not kind.startswith("L" if place == 0 else ("L", "M")):
            return False
        if script not in _SCRIPTS or not _is_common(character, encoding):
            return False
        scripts.add(script)
    # Of a word in Latin letters some are a to z; small Cyrillic ones, taken for Latin, are all accents.
    if scripts == {"LATIN"} and len(word) > 2 and 4 * sum(map(str.isascii, word)) < len(word):
        return False
    return len(scripts) <= 1 or scripts <= _TOGETHER


def _is_small_then_large(one: str, other: str) -> bool:
    return one.islower() and other.isupper() and not (one.isascii() and other.isascii())


def _is_large_within(word: str) -> bool:
    """MŘller, but not MÜLLER."""
    large = any(not character.isascii() and character.isupper() for character in word[1:])
    return large and any(map(str.islower, word))


def _is_common(character: str, encoding: str) -> bool:
    ranges = _COMMON.get(encoding)
    if ranges is None or character.isascii() or character == _LONG_VOWEL:
        return True
    first = character.encode(encoding)[0]
    return any(low <= first <= high for low, high in ranges)


def are_of_one_language(words: Iterable[str]) -> bool:
    """Whether all letters beside a to z are those of one language."""
    letters = {letter for word in words for letter in word.lower() if not letter.isascii()} - {_DOT_ABOVE}
    return any(letters <= alphabet for alphabet in _ALPHABETS)
