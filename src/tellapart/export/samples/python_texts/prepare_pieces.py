"""A text to numbers of word pieces, as BERT takes them. In: the part's numbers. Out: rows of numbers. Next: self_test.py."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

_UNSEEN = ("Cc", "Cf", "Co", "Cs")  # categories of Unicode


class PiecePart:
    """A part that looks at word pieces; it begins with the text as it was given."""

    def __init__(self, told: Mapping[str, Any], pieces: Sequence[str], letters: int) -> None:
        self.told, self.letters = told, letters
        self.place = {piece: number for number, piece in enumerate(pieces)}

    def found(self, text: str) -> list[list[str]]:
        """Its words and signs, as they are looked up: one block."""
        text = "".join(self._kept(character) for character in text[: self.letters])
        if self.told["unmarked"]:
            text = "".join(one for one in unicodedata.normalize("NFD", text) if unicodedata.category(one) != "Mn")
        if self.told["lowercase"]:
            text = "".join(one.lower() for one in text)  # one by one: a sigma at a word's end is as any other
        return ["".join(f" {one} " if _is_sign(one) else one for one in text).split()]

    def rows(self, blocks: list[list[str]]) -> list[list[int]]:
        """The longest pieces that are known, from each word's beginning on, between the first and the last number."""
        numbers = [self.told["first"]]
        for word in blocks[0]:
            numbers += self._cut(word)
        return [[*numbers[: self.told["most"] - 1], self.told["last"]]]

    def _kept(self, character: str) -> str:
        """What becomes of a character first: blanks are one, what is never seen goes, Chinese characters stand apart."""
        if character in "\t\n\r":
            return " "
        if character == "\ufffd" or unicodedata.category(character) in _UNSEEN:
            return ""
        if character.isspace():
            return " "
        chinese = self.told["apart"] and any(first <= ord(character) <= last for first, last in self.told["chinese"])
        return f" {character} " if chinese else character

    def _cut(self, word: str) -> list[int]:
        if len(word) > self.told["longest"]:
            return [self.told["unknown"]]
        found, start = [], 0
        while start < len(word):
            before = self.told["within"] if start else ""
            ends = range(len(word), start, -1)
            end = next((end for end in ends if f"{before}{word[start:end]}" in self.place), 0)
            if not end:
                return [self.told["unknown"]]
            found.append(self.place[f"{before}{word[start:end]}"])
            start = end
        return found


def _is_sign(character: str) -> bool:
    ascii_sign = ord(character) < 128 and not character.isalnum() and not character.isspace()
    return ascii_sign or unicodedata.category(character).startswith("P")
