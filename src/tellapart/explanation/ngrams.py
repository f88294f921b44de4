"""What of a text speaks for which class, exactly. In: a cleaned text. Out: votes a letter. Next: tasks/text/telling_grams.py.

A classifier of n-grams adds up what each of them says. What one says is shared evenly by its occurrences, and by the letters of
each: so the letters' votes and the bias add up to the logits.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from tellapart.texts.ngrams import find_grams
from tellapart.texts.vocabulary import GramInputs

_LEAST = 1e-9  # of a squared length, as the model has it
_WORDS = re.compile(r"\s*\S+")


def letter_votes(
    text: str, inputs: GramInputs, *, votes: NDArray[np.float32], squares: NDArray[np.float32]
) -> NDArray[np.float64]:
    """What each letter of a cleaned text says, [n, K]; `votes` [F, K] and `squares` [F] are the columns of the model's table."""
    count = len(text)
    found = np.zeros((count, votes.shape[1]))
    for grams in find_grams([text], inputs.rules):
        place = np.minimum(np.searchsorted(inputs.known, grams.numbers), max(0, len(inputs.known) - 1))
        there = inputs.known[place] == grams.numbers if len(inputs.known) else np.zeros(len(place), dtype=np.bool_)
        known, inverse, times = np.unique(place[there], return_inverse=True, return_counts=True)
        length = np.sqrt(max(_LEAST, float(squares[known].sum(dtype=np.float64))))
        each = votes[known].astype(np.float64) / length / times[:, None]
        # The blanks around a text are no letters of it.
        starts, ends = np.clip(grams.starts[there], 0, count), np.clip(grams.ends[there], 0, count)
        shares = each[inverse] / np.maximum(1, ends - starts)[:, None]
        steps = np.zeros((count + 1, votes.shape[1]))
        np.add.at(steps, starts, shares)
        np.subtract.at(steps, ends, shares)
        found += np.cumsum(steps, axis=0)[:count]
    return found


def in_words(text: str, letters: NDArray[np.float64], *, unspaced: bool) -> list[tuple[str, NDArray[np.float64]]]:
    """The words of a text, each with the blanks before it, and what they say, [K] each; letters where words do not stand apart."""
    if unspaced:
        return [(letter, letters[place]) for place, letter in enumerate(text)]
    return [(one.group(), letters[one.start() : one.end()].sum(axis=0)) for one in _WORDS.finditer(text)]
