"""Texts judged by classifiers that did not see them; classifiers of fewer. In: texts, labels. Out: logits, Learn. Next: latent.py.

What is chosen by cross-validation (which n-grams, the strength) is chosen before. N texts, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.training.discriminant import hold_out
from tellapart.training.folds import number_groups
from tellapart.training.growing import Learn
from tellapart.training.ngram_counts import CountedTexts, count_texts_in, learn_grams
from tellapart.training.ngram_probe import NgramTrial, fit_ngrams, fit_trial
from tellapart.training.probe import picture_weights
from tellapart.training.sparse_softmax import Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChosenTexts:
    """N texts as rows of n-grams, and how a classifier of them is fitted."""

    chosen: NgramTrial
    counted: CountedTexts


def count_chosen(texts: Sequence[str], chosen: NgramTrial) -> ChosenTexts:
    """N cleaned texts, for a choice that was made before."""
    inputs, frequency = learn_grams(texts, chosen.rules)
    return ChosenTexts(chosen=chosen, counted=count_texts_in(texts, inputs, frequency))


def choose(
    texts: Sequence[str], labels: NDArray[np.int64], *, groups: Sequence[str], classes: int, seed: int
) -> ChosenTexts:
    """The same, chosen by cross-validation over all N cleaned texts; `labels` [N] in 0..K-1, `groups` [N], "" is none."""
    numbers, weights = number_groups(groups, len(labels)), picture_weights(labels, classes, "none")
    probe = fit_ngrams(texts, labels, groups=numbers, weights=weights, classes=classes, seed=seed)
    return ChosenTexts(chosen=probe.chosen, counted=probe.counted)


def judge_out_of_fold(
    given: ChosenTexts,
    labels: NDArray[np.int64],
    *,
    groups: Sequence[str],
    classes: int,
    folds: int,
    seed: int,
    advance: Callable[[int], object] = int,
) -> Floats:
    """Logits float32 [N, K] of texts by fits on the other folds, that saw neither them nor their groups; NaN where none could.

    `labels` [N] in 0..K-1, `groups` [N], "" is none; `advance(1)` follows each fold.
    """
    weights, matrix = picture_weights(labels, classes, "none"), given.counted.matrix
    logits = np.full((len(labels), classes), np.nan, dtype=np.float32)
    for out in hold_out(labels, number_groups(groups, len(labels)), classes, folds, seed):
        if out.any():
            found = fit_trial(matrix[~out], labels[~out], weights[~out], classes=classes, chosen=given.chosen)
            logits[out] = found.logits(matrix[out])
        advance(1)
    return logits


def learn_parts(given: ChosenTexts, labels: NDArray[np.int64], *, classes: int) -> Learn:
    """What learns from some of N texts and answers others; the fewer, the stronger the penalty. `labels` [N] in 0..K-1."""
    weights = picture_weights(labels, classes, "none")
    matrix: Any = given.counted.matrix

    def learn(rows: NDArray[np.int64], judged: NDArray[np.int64], share: float) -> NDArray[np.int64]:
        chosen = given.chosen._replace(inverse=given.chosen.inverse * share**-0.5)
        found = fit_trial(matrix[rows], labels[rows], weights[rows], classes=classes, chosen=chosen)
        answers: NDArray[np.int64] = found.logits(matrix[judged]).argmax(axis=1)
        return answers

    return learn
