"""How texts become a model's numbers, as a specification. In: TextInputs. Out: JSON values, files. Next: text_golden.py.

Whoever makes texts ready in another language finds every step here, with this model's numbers; a vocabulary is a file of its own.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from tellapart.texts.cleaning import MOST_LETTERS, UNSEEN
from tellapart.texts.inputs import TextInputs, TextPart
from tellapart.texts.ngrams import CONSTANTS
from tellapart.texts.pieces import CHINESE, LONGEST_WORD, WITHIN, PieceInputs
from tellapart.texts.sequences import WordInputs
from tellapart.texts.vocabulary import STEPS, GramInputs

SCHEMA = 2


def text_specification(classes: Sequence[str], inputs: TextInputs) -> dict[str, Any]:
    """What stands in texts.json: the steps from a text to the network's input, as numbers."""
    return {
        "schema": SCHEMA,
        "classes": list(classes),
        "input": {"name": "tokens", "type": "int32", "shape": ["N", inputs.height, "L"]},
        "letters": MOST_LETTERS,
        "unseen": UNSEEN,
        "folds": _folds(),
        "unicode": unicodedata.unidata_version,
        "constants": {name: f"{value:#x}" for name, value in CONSTANTS.items()},
        "parts": [_part(part) for part in inputs.parts],
    }


def vocabularies(inputs: TextInputs) -> dict[str, bytes]:
    """The vocabularies of the parts as files, by name: numbers of 64 bits, little-endian and sorted, or a piece a line."""
    found = {}
    for part in inputs.parts:
        data = part.written() if isinstance(part, PieceInputs) else _numbers(part)
        found[_part(part)["vocabulary"]] = data
    return found


def _numbers(part: TextPart) -> bytes:
    if not isinstance(part, GramInputs | WordInputs):
        raise ValueError(f"nobody knows the vocabulary of {type(part).__name__}")
    data: bytes = part.known.astype("<u8").tobytes()
    return data


def _part(part: TextPart) -> dict[str, Any]:
    """What is particular to a part, in whose order its rows stand in the input."""
    if isinstance(part, GramInputs):
        return {
            "kind": "grams",
            "vocabulary": "vocabulary.bin",
            "rows": part.height,
            "padding": part.padding,
            **_rules(part),
            "steps": STEPS,
        }
    if isinstance(part, WordInputs):
        return {
            "kind": "words",
            "vocabulary": "words.bin",
            "rows": part.height,
            "padding": part.padding,
            **_rules(part),
            "window": part.window,
        }
    if isinstance(part, PieceInputs):
        own = {name: getattr(part, name) for name in ("lowercase", "unmarked", "apart", "first", "last", "unknown")}
        return {
            "kind": "pieces",
            "vocabulary": "pieces.txt",
            "rows": part.height,
            "padding": part.padding,
            **own,
            "most": part.most,
            "within": WITHIN,
            "longest": LONGEST_WORD,
            "chinese": [[first, end - 1] for first, end in CHINESE],
        }
    raise ValueError(f"nobody knows the steps of {type(part).__name__}")


def _rules(part: GramInputs | WordInputs) -> Mapping[str, Any]:
    rules = part.rules
    return {"words": list(rules.words), "characters": list(rules.characters), "across": rules.across}


def _folds() -> dict[str, str]:
    """Characters that case folding makes other ones of than lowering does."""
    every = (chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    return {one: one.casefold() for one in every if one.casefold() != one.lower()}
