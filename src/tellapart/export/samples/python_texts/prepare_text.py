"""A text to what model.onnx takes. In: texts.json, vocabulary.bin. Out: int32 [N, B, L]. Needs: NumPy. Next: self_test.py.

Nothing here is tellapart's: copy it, or write the same in your own language. Numbers of n-grams are 64 bits, without a sign.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

_BITS = (1 << 64) - 1


class Preparation:
    """The steps, with this model's numbers."""

    def __init__(self, folder: Path) -> None:
        self.told = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
        known = np.frombuffer((folder / "vocabulary.bin").read_bytes(), dtype="<u8")
        self.place = {int(number): row for row, number in enumerate(known)}
        constants = {name: int(value, 16) for name, value in self.told["constants"].items()}
        self.base, self.first, self.second = (constants[name] for name in ("base", "first", "second"))
        self.of_words, self.of_characters = constants["words"], constants["characters"]

    def clean(self, text: str) -> str:
        """Step 1: what nobody sees is left out, forms are made one, letters small, one blank between words."""
        text = text[: self.told["letters"]]
        text = re.sub("[\ud800-\udfff]", "\ufffd", text)
        if not text.isascii():
            text = unicodedata.normalize("NFKC", re.sub(self.told["unseen"], "", text))
        return re.sub(r"\s+", " ", re.sub("[\x00-\x1f\x7f-\x9f]", " ", text).casefold()).strip()

    def grams(self, cleaned: str) -> list[list[int]]:
        """Step 2: the numbers of its n-grams, a list a block, each as often as it occurs."""
        blocks = []
        if self.told["words"]:
            single = [self._stretch(word) for word in _words(cleaned)]
            blocks.append([self._run(single[at : at + size]) for size, at in _places(self.told["words"], len(single))])
        if self.told["characters"]:
            blocks.append(
                [self._mixed(self._stretch(one) + self.of_characters * len(one)) for one in self._pieces(cleaned)]
            )
        return blocks

    def tokens(self, texts: Sequence[str]) -> np.ndarray:
        """Step 3: rows of the model's table, each n-gram once; first in the first block how much of the text is not known."""
        found = [self._rows(self.grams(self.clean(text))) for text in texts]
        blocks = len(found[0])
        filled = np.full(
            (len(texts), blocks, max(len(row) for rows in found for row in rows)), len(self.place), dtype=np.int32
        )
        for at, rows in enumerate(found):
            for block, row in enumerate(rows):
                filled[at, block, : len(row)] = row
        return filled

    def _rows(self, blocks: list[list[int]]) -> list[list[int]]:
        every = [number for block in blocks for number in block]
        unknown = 1.0 if not every else 1 - sum(number in self.place for number in every) / len(every)
        rows = [sorted({self.place[number] for number in block if number in self.place}) for block in blocks]
        first = len(self.place) + 1 + round(unknown * self.told["steps"])
        # Of each block the first place is for that number; nothing stands there in the others.
        return [[first if block == 0 else len(self.place), *row] for block, row in enumerate(rows)]

    def _stretch(self, text: str) -> int:
        """The hash of a run of characters: a polynomial in the base, without any end."""
        total, power = 0, 1
        for character in text:
            letter = ((ord(character) + 1) * self.first) & _BITS
            total = (total + (letter ^ (letter >> 31)) * power) & _BITS
            power = (power * self.base) & _BITS
        return total

    def _run(self, single: Sequence[int]) -> int:
        """The number of words in a row."""
        number = (single[0] + self.of_words * len(single)) & _BITS
        for one in single[1:]:
            number = (self._mixed(number) * self.second + one) & _BITS
        return self._mixed(number)

    def _mixed(self, number: int) -> int:
        number &= _BITS
        number = ((number ^ (number >> 30)) * self.first) & _BITS
        number = ((number ^ (number >> 27)) * self.second) & _BITS
        return number ^ (number >> 31)

    def _pieces(self, cleaned: str) -> Iterator[str]:
        """Runs of characters: of one word and the blanks around it, or across words but for blanks."""
        padded = cleaned if self.told["across"] else f" {cleaned} "
        for size, at in _places(self.told["characters"], len(padded)):
            piece = padded[at : at + size]
            inner = piece if self.told["across"] else piece[1:-1]
            if " " not in inner and piece.strip(" "):
                yield piece


def _places(sizes: Sequence[int], count: int) -> Iterator[tuple[int, int]]:
    for size in sizes:
        for at in range(count - size + 1):
            yield size, at


def _words(cleaned: str) -> list[str]:
    """Words, and signs that are a word each."""
    found, word = [], ""
    for character in cleaned + " ":
        part = character.isalnum() or character == "_" or unicodedata.category(character).startswith("M")
        if part:
            word += character
            continue
        found += [word] if word else []
        found += [] if character == " " else [character]
        word = ""
    return found
