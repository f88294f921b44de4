"""How far explanations of a network of texts can be believed. In: WordCandidate, test rows. Out: JSON. Next: network_section.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.explanation.word_paths import has_paths, integrated_words
from tellapart.explanation.words import occluded, word_faithfulness
from tellapart.tasks.text.word_candidate import WordCandidate

_TEXTS = 40  # that are looked at: the first of the test
_LONGEST = 200  # words of each that are deleted


def believed(candidate: WordCandidate, rows: NDArray[np.int64]) -> dict[str, Any]:
    """The mean probability of the answered class while words are deleted, by method and by chance, over some of `rows` [n].

    Of the probabilities of the network itself, before calibration: which order is better does not depend on that.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    nothing, sequences = len(candidate.words.known), candidate.given.sequences
    for row in rows[:_TEXTS].tolist():
        numbers = sequences.padded(np.array([row]), nothing=nothing)[0][:_LONGEST]
        logits = candidate.ask(numbers[None])[0]
        target, over = np.argsort(-logits, kind="stable")[:2].tolist()
        for name, weigh in _methods(candidate).items():
            weights = weigh(numbers, target, over)
            one = word_faithfulness(
                numbers,
                weights,
                target=target,
                probabilities=lambda asked: _softmax(candidate.ask(asked)),
                nothing=nothing,
            )
            found.setdefault(name, []).append((one.deletion, one.chance))
    methods = {
        name: {"deletion": round(float(deletion), 4), "chance": round(float(chance), 4)}
        for name, (deletion, chance) in ((name, np.mean(areas, axis=0)) for name, areas in found.items())
    }
    return {"texts": min(_TEXTS, len(rows)), "methods": methods}


Weigh = Callable[[NDArray[np.int32], int, int], NDArray[np.float64]]  # numbers of words, two classes -> a weight a word


def _methods(candidate: WordCandidate) -> dict[str, Weigh]:
    nothing = len(candidate.words.known)
    methods: dict[str, Weigh] = {
        "occlusion": lambda numbers, target, over: occluded(
            numbers, target=target, over=over, ask=candidate.ask, nothing=nothing
        )
    }
    if has_paths(candidate.weights):
        methods["integrated_gradients"] = lambda numbers, target, over: integrated_words(
            numbers, candidate.weights, target=target, over=over
        )
    return methods


def _softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """[n, K]"""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), dtype=np.float64)
