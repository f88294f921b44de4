"""The mistakes of a network of texts, word by word. In: WordCandidate. Out: JSON. Next: sections.py."""

from __future__ import annotations

import numpy as np

from tellapart.explanation.words import in_heat, occluded, spell
from tellapart.tasks.text.word_candidate import WordCandidate
from tellapart.texts.cleaning import clean

_WORDS = 120  # of a mistake that is shown


def coloured_by_occlusion(candidate: WordCandidate, text: str, answer: int, truth: int) -> list[tuple[str, float]]:
    """The words of a text, the largest that speaks for `answer` over `truth` being 1."""
    spelled = spell(clean(text), candidate.words)
    nothing = len(candidate.words.known)
    weights = occluded(spelled.numbers, target=answer, over=truth, ask=candidate.ask, nothing=nothing)
    largest = max(1e-9, float(np.abs(weights).max(initial=0.0)))
    heat = in_heat(spelled.words, weights / largest, spelled.rest)[:_WORDS]
    return [(word, round(weight, 3)) for word, weight in heat]
