"""What each word of a text says to a network that reads them in order. In: a text. Out: weights a word. Next: word_paths.py.

Shapes: L words of a text, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.texts.ngrams import find_grams
from tellapart.texts.sequences import WordInputs, rows_of

# Numbers of words int32 [n, L] -> logits [n, K], of each row up to a number that all its classes share.
AskWords = Callable[[NDArray[np.int32]], NDArray[np.floating]]

_AT_ONCE = 128  # texts that are asked together
_STEPS = 16  # parts in which the words go
_ORDERS = 5  # in which they go by chance


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpelledWords:
    """A text as the network reads it."""

    numbers: NDArray[np.int32]  # [L], rows of the network's table
    words: tuple[str, ...]  # [L], each with what stands before it
    rest: str  # what is not looked at: behind the last word, and beyond the window


def spell(text: str, inputs: WordInputs) -> SpelledWords:
    """The words of a cleaned text, as far as the window reaches."""
    (grams,) = find_grams([text], inputs.rules)
    count = min(len(grams.numbers), inputs.window)
    ends = np.clip(grams.ends[:count], 0, len(text)).tolist()
    starts = [0, *ends[:-1]]
    return SpelledWords(
        numbers=rows_of(grams.numbers[:count], inputs.known),
        words=tuple(text[start:end] for start, end in zip(starts, ends, strict=True)),
        rest=text[ends[-1] :] if ends else text,
    )


def occluded(numbers: NDArray[np.int32], *, target: int, over: int, ask: AskWords, nothing: int) -> NDArray[np.float64]:
    """How far the logit of class `target` over that of `over` falls while nothing stands in a word's place, [L].

    Source: Zeiler and Fergus 2013, arXiv 1311.2901, section 4.2, with a word for a square.
    """
    count = len(numbers)
    covered = np.repeat(numbers[None], count + 1, axis=0)
    covered[np.arange(count), np.arange(count)] = nothing  # the last row is the whole text
    found = np.concatenate(
        [_odds(covered[start : start + _AT_ONCE], target, over, ask) for start in range(0, count + 1, _AT_ONCE)]
    )
    return np.asarray(found[-1] - found[:-1], dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class WordFaithfulness:
    """How far an explanation can be believed: the class's mean probability while words are deleted, in [0, 1]."""

    deletion: float  # those first that say most for the class; the lower, the more faithful
    chance: float  # in orders drawn at random, the mean of several

    @property
    def tells(self) -> bool:
        """Whether it is better than chance."""
        return self.deletion < self.chance


def word_faithfulness(
    numbers: NDArray[np.int32],
    weights: NDArray[np.floating],
    *,
    target: int,
    probabilities: AskWords,
    nothing: int,
    seed: int = 0,
) -> WordFaithfulness:
    """Delete words by their `weights` [L], and by chance. `probabilities` answers in place of logits.

    Source: Petsiuk et al. 2018, arXiv 1806.07421, section 4.1, with words for pixels.
    """
    chance = np.random.default_rng(seed)
    orders = [
        np.argsort(-np.asarray(weights), kind="stable"),
        *(chance.permutation(len(numbers)) for _ in range(_ORDERS)),
    ]
    areas = [_deleted(numbers, order, target, probabilities, nothing) for order in orders]
    return WordFaithfulness(deletion=areas[0], chance=float(np.mean(areas[1:])))


def _deleted(
    numbers: NDArray[np.int32], order: NDArray[np.int64], target: int, probabilities: AskWords, nothing: int
) -> float:
    """The mean probability, by the trapezoidal rule, while the words go in that order."""
    counts = np.unique(np.rint(np.linspace(0, len(numbers), min(_STEPS, len(numbers)) + 1)).astype(np.int64))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    asked = np.full((len(counts), max(1, len(numbers))), nothing, dtype=np.int32)
    for row, count in enumerate(counts.tolist()):
        left = numbers[rank >= count]
        asked[row, : len(left)] = left
    curve = probabilities(asked)[:, target].astype(np.float64)
    heights = (curve[1:] + curve[:-1]) / 2
    return float(heights @ np.diff(counts)) / max(1, len(numbers))


def _odds(numbers: NDArray[np.int32], target: int, over: int, ask: AskWords) -> NDArray[np.float64]:
    logits = np.asarray(ask(numbers), dtype=np.float64)
    return np.asarray(logits[:, target] - logits[:, over], dtype=np.float64)


def in_heat(words: Sequence[str], weights: NDArray[np.floating], rest: str) -> list[tuple[str, float]]:
    """Each word with its weight; what is not looked at with none."""
    found = [(word, float(weight)) for word, weight in zip(words, weights, strict=True)]
    return [*found, (rest, 0.0)] if rest else found
