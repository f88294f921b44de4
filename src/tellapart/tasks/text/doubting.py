"""The label doctor of texts. In: texts, targets. Out: Doubted. Next: looking.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.calibration import apply_in_place, fit_temperature
from tellapart.evaluation.doubts import Doubted
from tellapart.tasks.doubted_classes import doubted
from tellapart.texts.cleaning import clean
from tellapart.training.latent import latent
from tellapart.training.ngram_folds import ChosenTexts, choose, judge_out_of_fold


def doubt(
    texts: Sequence[str],
    targets: NDArray[np.int64],
    groups: Sequence[str],
    *,
    classes: Sequence[str],
    folds: int,
    seed: int,
    advance: Callable[[int], object] = int,
) -> Doubted:
    """Judge each label by classifiers of n-grams that did not see its text: N `texts`, `targets` [N] in 0..K-1, `groups` [N]."""
    given = choose([clean(text) for text in texts], targets, groups=groups, classes=len(classes), seed=seed)
    vectors = latent(given.counted.matrix, seed=seed)
    return doubt_counted(given, vectors, targets, groups, classes=classes, folds=folds, seed=seed, advance=advance)


def doubt_counted(
    given: ChosenTexts,
    vectors: NDArray[np.float32],
    targets: NDArray[np.int64],
    groups: Sequence[str],
    *,
    classes: Sequence[str],
    folds: int,
    seed: int,
    advance: Callable[[int], object] = int,
) -> Doubted:
    """The same of texts that are counted already, by classifiers as they were chosen; `vectors` [N, D] say what is like what."""
    logits = judge_out_of_fold(
        given, targets, groups=groups, classes=len(classes), folds=folds, seed=seed, advance=advance
    )
    judged = np.isfinite(logits).all(axis=1)
    if judged.any():
        logits[judged] = apply_in_place(logits[judged], fit_temperature(logits[judged], targets[judged]))
    return doubted(logits, targets, vectors, groups, classes=classes)
