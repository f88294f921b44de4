"""What each word of a text says for a class over another. In: a model, texts. Out: TextVotes. Next: ngrams.py.

A classifier of n-grams adds up, so that its file tells what each of them says: exactly, and what all words say, with what the
classes begin with, is the difference of the logits. Where the file cannot be read so, since the package for that is missing or what
it computes is no sum, each word is left out in turn: by how much the difference falls is what it says.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import Model
from tellapart.explanation.ngrams import in_words, letter_votes
from tellapart.texts.inputs import TextInputs
from tellapart.texts.vocabulary import GramInputs

MOST_LEFT_OUT = 400  # words that are left out in turn; of a longer text several stand together
_WORDS = re.compile(r"\s*\S+")
_LEAST = 1e-12  # of a probability

Chances = Callable[[Sequence[str]], NDArray[np.float32]]  # N cleaned texts -> probabilities [N, K]
# Votes, squares, biases, and which n-grams are of another writing.
Table = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextVotes:
    """What the words of one text say for a class over another, in logits."""

    words: Sequence[tuple[str, float]]  # each with the blanks before it; together they are the text
    begins: float | None  # what the class has over the other before any word; None where the words do not add up


def read_table(model: Model) -> Table | None:
    """Votes [F, K], squares [F], biases [K] and, where it has some, which n-grams are of another writing, [F], of the file of a
    classifier of n-grams; None where it cannot be read so.
    """
    grams = model.inputs.grams if isinstance(model.inputs, TextInputs) else None
    if importlib.util.find_spec("onnx") is None or grams is None or not model.path.is_file():
        return None
    import onnx
    from onnx import numpy_helper

    # Weights that are kept in half the bytes have a name of their own.
    there = {one.name.removesuffix(".half"): one for one in onnx.load(model.path).graph.initializer}
    if not {"table", "classifier.bias"} <= set(there):
        return None
    table, bias = (numpy_helper.to_array(there[name]) for name in ("table", "classifier.bias"))
    known, classes = len(grams.known), len(model.manifest.classes)
    if table.shape not in ((grams.rows, classes + 2), (grams.rows, classes + 3)):
        return None
    numbers = table[:known].astype(np.float32, copy=False)
    other = numbers[:, classes + 2] > 0 if table.shape[1] > classes + 2 else None
    return numbers[:, :classes], numbers[:, classes], bias.astype(np.float32, copy=False), other


def exact_votes(text: str, inputs: GramInputs, table: Table, *, chosen: int, other: int) -> TextVotes:
    """Of a cleaned text, for class `chosen` over `other`."""
    votes, squares, bias, _ = table
    letters = letter_votes(text, inputs, votes=votes, squares=squares)
    return TextVotes(
        words=[
            (word, float(vote[chosen] - vote[other]))
            for word, vote in in_words(text, letters, unspaced=inputs.rules.across)
        ],
        begins=float(bias[chosen] - bias[other]),
    )


def votes_by_leaving_out(
    text: str, chances: Chances, *, chosen: int, other: int, unspaced: bool, temperature: float = 1.0
) -> TextVotes:
    """The same of any model: by how much the logit's difference falls without each word."""
    words = _parts(text, unspaced=unspaced)
    without = ["".join(words[:place] + words[place + 1 :]).strip() for place in range(len(words))]
    found = np.log(np.maximum(chances([text, *without]).astype(np.float64), _LEAST))
    odds = temperature * (found[:, chosen] - found[:, other])
    return TextVotes(
        words=[(word, float(odds[0] - odd)) for word, odd in zip(words, odds[1:], strict=True)], begins=None
    )


def _parts(text: str, *, unspaced: bool) -> list[str]:
    """Words with the blanks before them, letters where words do not stand apart; of many, several in one."""
    words = list(text) if unspaced else [one.group() for one in _WORDS.finditer(text)]
    together = -(-len(words) // MOST_LEFT_OUT) or 1
    return ["".join(words[start : start + together]) for start in range(0, len(words), together)]
