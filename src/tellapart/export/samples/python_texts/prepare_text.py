"""A text to what model.onnx takes. In: texts.json, vocabularies. Out: int32 [N, H, L]. Needs: NumPy. Next: prepare_pieces.py.

Nothing here is tellapart's: copy it, or write the same in your own language. Numbers of n-grams are 64 bits, without a sign.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from prepare_pieces import PiecePart

_BITS = (1 << 64) - 1


class Preparation:
    """The steps, with this model's numbers."""

    def __init__(self, folder: Path) -> None:
        self.told = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
        self.parts: list[CountedPart | PiecePart] = []
        for part in self.told["parts"]:
            file = folder / part["vocabulary"]
            if part["kind"] == "pieces":
                self.parts.append(
                    PiecePart(part, file.read_text("utf-8", "surrogatepass").split("\n"), self.told["letters"])
                )
            else:
                known = np.frombuffer(file.read_bytes(), dtype="<u8")
                self.parts.append(CountedPart(part, known, self.told["constants"]))

    def clean(self, text: str) -> str:
        """Step 1: what nobody sees is left out, forms are made one, letters small, one blank between words."""
        text = text[: self.told["letters"]]
        text = re.sub("[\ud800-\udfff]", "\ufffd", text)
        if not text.isascii():
            text = unicodedata.normalize("NFKC", re.sub(self.told["unseen"], "", text))
        return re.sub(r"\s+", " ", re.sub("[\x00-\x1f\x7f-\x9f]", " ", text).casefold()).strip()

    def found(self, text: str) -> list[list[list[Any]]]:
        """Step 2: what each part looks at, a list a block: numbers of n-grams or words, or words as they are."""
        cleaned = self.clean(text)
        return [part.found(text if isinstance(part, PiecePart) else cleaned) for part in self.parts]

    def rows(self, text: str) -> list[list[list[int]]]:
        """Step 3: rows of numbers, part by part, without what only fills up."""
        return [part.rows(found) for part, found in zip(self.parts, self.found(text), strict=True)]

    def tokens(self, texts: Sequence[str]) -> np.ndarray:
        """The network's input: the rows of all parts, filled up to the longest."""
        of_texts = [self.rows(text) for text in texts]
        padding = [part["padding"] for part in self.told["parts"] for _ in range(part["rows"])]
        flat = [[row for part in parts for row in part] for parts in of_texts]
        longest = max(1, max(len(row) for rows in flat for row in rows))
        filled = np.empty((len(texts), len(padding), longest), dtype=np.int32)
        filled[:] = np.array(padding)[:, None]
        for at, rows in enumerate(flat):
            for place, row in enumerate(rows):
                filled[at, place, : len(row)] = row
        return filled


class CountedPart:
    """A part that looks at n-grams, or at words (or characters) in their order."""

    def __init__(self, told: Mapping[str, Any], known: np.ndarray, constants: Mapping[str, str]) -> None:
        self.told = told
        self.place = {int(number): row for row, number in enumerate(known)}
        numbers = {name: int(value, 16) for name, value in constants.items()}
        self.base, self.first, self.second = (numbers[name] for name in ("base", "first", "second"))
        self.of_words, self.of_characters = numbers["words"], numbers["characters"]

    def found(self, cleaned: str) -> list[list[int]]:
        """The numbers of its n-grams, a list a block, each as often as it occurs."""
        blocks = []
        if self.told["words"]:
            single = [self._stretch(word) for word in _words(cleaned)]
            blocks.append([self._run(single[at : at + size]) for size, at in _places(self.told["words"], len(single))])
        if self.told["characters"]:
            blocks.append(
                [self._mixed(self._stretch(one) + self.of_characters * len(one)) for one in self._pieces(cleaned)]
            )
        return blocks

    def rows(self, blocks: list[list[int]]) -> list[list[int]]:
        """Words in their order; or n-grams each once, in order, and before those of the first block how much is not known."""
        if self.told["kind"] == "words":
            return [[self.place.get(number, len(self.place) + 1) for number in blocks[0][: self.told["window"]]]]
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
