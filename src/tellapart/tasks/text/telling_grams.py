"""N-grams that speak for a class, and mistakes word by word. In: NgramCandidate. Out: JSON. Next: sections.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.explanation.ngrams import in_words, letter_votes
from tellapart.tasks.text.probing import NgramCandidate
from tellapart.texts.cleaning import CleanTexts, clean, in_parts
from tellapart.texts.ngrams import find_grams
from tellapart.training.ngram_rows import parts_of

_TOLD = 15  # n-grams of a class
_MISTAKES = 24
_LETTERS = 400  # of a mistake that is shown
_AT_ONCE = 2_000  # texts that are looked through for the letters of n-grams


def telling_grams(
    candidate: NgramCandidate, train: NDArray[np.int64], labels: NDArray[np.int64], classes: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """The n-grams of each class that say most for it over its training texts `train` [n], with how many of these have them."""
    probe = candidate.probe
    against = probe.weight - probe.weight.mean(axis=0, keepdims=True)
    said, counts = np.zeros(against.shape), np.zeros(against.shape, dtype=np.int32)
    for first, matrix in parts_of(probe.counted.rows):
        own = labels[first : first + matrix.shape[0]]
        for number in np.unique(own).tolist():
            part = matrix[own == number]
            said[number] += np.asarray(part.sum(axis=0)).ravel()
            counts[number] += part.getnnz(axis=0)
    chosen: dict[str, list[tuple[int, float, int]]] = {}
    for number, name in enumerate(classes):
        sums = said[number] * against[number]
        best = np.argsort(-sums, kind="stable")[:_TOLD]
        there = [one for one in best.tolist() if sums[one] > 0]
        chosen[name] = [(one, float(sums[one]), int(counts[number, one])) for one in there]
    spelt = _spelt(candidate, train, {one for rows in chosen.values() for one, _, _ in rows})
    return {
        name: [
            {"gram": spelt[one], "texts": count, "weight": round(total, 4)}
            for one, total, count in rows
            if one in spelt
        ]
        for name, rows in chosen.items()
    }


def _spelt(candidate: NgramCandidate, train: NDArray[np.int64], wanted: set[int]) -> dict[int, str]:
    """How n-grams are written, as they first occur."""
    inputs, found = candidate.probe.inputs, dict[int, str]()
    numbers = inputs.known[sorted(wanted)]
    for texts in in_parts(CleanTexts(candidate.texts, train.tolist()), most=_AT_ONCE):
        if len(found) == len(wanted):
            break
        for grams in find_grams(texts, inputs.rules):
            for place in np.flatnonzero(np.isin(grams.numbers, numbers)).tolist():
                known = int(np.searchsorted(inputs.known, grams.numbers[place]))
                if known not in found:
                    text = f" {texts[grams.rows[place]]} "
                    found[known] = text[grams.starts[place] + 1 : grams.ends[place] + 1]
    return found


def worst_mistakes(
    texts: Sequence[str],
    probabilities: NDArray[np.float32],
    labels: NDArray[np.int64],
    classes: Sequence[str],
    colour: Callable[[str, int, int], list[tuple[str, float]]],
) -> list[dict[str, Any]]:
    """The surest wrong answers to n test texts, word by word: what speaks for the answer, and against the truth, from -1 to 1.

    `colour` says that of a text, an answer and the truth.
    """
    best = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(best != labels)
    wrong = wrong[np.argsort(-probabilities[wrong, best[wrong]], kind="stable")][:_MISTAKES]
    told = []
    for place in wrong.tolist():
        answer, truth = int(best[place]), int(labels[place])
        told.append(
            {
                "row": place,
                "label": classes[truth],
                "predicted": classes[answer],
                "probability": round(float(probabilities[place, answer]), 4),
                "words": colour(texts[place], answer, truth),
            }
        )
    return told


def coloured(candidate: NgramCandidate, text: str, answer: int, truth: int) -> list[tuple[str, float]]:
    """The words of a text, the largest vote for `answer` over `truth` being 1."""
    probe, cleaned = candidate.probe, clean(text)
    votes = (probe.weight * probe.frequency).T
    letters = letter_votes(cleaned, probe.inputs, votes=votes, squares=np.square(probe.frequency))
    words = in_words(cleaned[:_LETTERS], letters[:_LETTERS], unspaced=probe.inputs.rules.across)
    heat = [float(vote[answer] - vote[truth]) for _, vote in words]
    largest = max([1e-9, *map(abs, heat)])
    return [(word, round(one / largest, 3)) for (word, _), one in zip(words, heat, strict=True)]
