"""The classifier of texts, fitted to convergence. In: texts, labels. Out: NgramProbe. Next: tasks/text/probing.py.

Which n-grams, whether classes see them on their own scales, and the strength of the penalty are found by cross-validation inside
the given texts. The strength lambda is relative to the mean loss: scikit-learn's C = 1 / (N x lambda).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tellapart.memory import give_freed_memory_back
from tellapart.runtime import cores
from tellapart.texts.ngrams import Rules
from tellapart.texts.vocabulary import GramInputs
from tellapart.texts.writing_systems import is_unspaced
from tellapart.training.folds import choose_rows, deal_folds, number_groups
from tellapart.training.ngram_counts import (
    LEAST_TEXTS,
    MOST_GRAMS,
    CountedTexts,
    class_ratios,
    learn_grams,
    store_texts_in,
)
from tellapart.training.ngram_rows import CountRows, KeptRows
from tellapart.training.other_writing import of_other_writing
from tellapart.training.quasi_newton import Numbers
from tellapart.training.sparse_softmax import Floats, SparseSoftmax, SparseSolution

SPACED = (Rules(words=(1, 2), characters=(2, 3, 4, 5)),)
UNSPACED = (Rules(characters=(1, 2), across=True), Rules(characters=(1, 2, 3), across=True))
INVERSE = (3.0, 10.0, 30.0, 100.0)  # 1 / (N x lambda), from strong to weak, until the held-out loss rises
_PLAIN = 3.0  # times that, where classes share one scale
_SEARCHED = 20_000  # texts by which all that is chosen
_FOLDS, _HELD_OUT = 5, 2  # folds, and how many of them are held out in turn
_TIGHT = 1e-5  # largest element of the last gradient, in nats
_TRIED, _FITTED = (
    20,
    80,
)  # steps of a trial, which goes on from the one before, and of the last fit: more change no answer
_SAMPLE = 2_000  # texts whose letters say in which writing system they are


class NgramTrial(NamedTuple):
    """What was tried."""

    rules: Rules
    by_class: bool  # whether each class sees n-grams on its own scale
    inverse: float  # 1 / (N x lambda)


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenGrams:
    """What a person says of the classifier; None: cross-validation chooses."""

    words: tuple[int, ...] | None = None  # lengths, () for none
    characters: tuple[int, ...] | None = None
    by_class: bool | None = None
    strength: float | None = None  # lambda, relative to the mean loss
    least: int = LEAST_TEXTS  # texts that must have an n-gram
    most: int = MOST_GRAMS

    def rules_for(self, texts: Sequence[str]) -> tuple[Rules, ...]:
        """Which n-grams are tried; those that are not told are as usual for such texts."""
        found = []
        for usual in candidates(texts):
            told = replace(
                usual,
                words=usual.words if self.words is None else self.words,
                characters=usual.characters if self.characters is None else self.characters,
            )
            if told.blocks and told not in found:
                found.append(told)
        return tuple(found) or candidates(texts)[:1]

    def inverses(self, count: int) -> tuple[float, ...]:
        """1 / (N x lambda) of N texts, from strong to weak."""
        return INVERSE if self.strength is None else (1.0 / (self.strength * count),)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NgramProbe:
    """A fitted classifier; F n-grams, K classes, N texts."""

    inputs: GramInputs
    frequency: Floats  # [F]
    weight: Floats  # [K, F], of features as CountedTexts has them
    bias: Floats  # [K]
    counted: CountedTexts  # the N texts
    chosen: NgramTrial
    trials: Mapping[NgramTrial, float]  # mean held-out log loss in nats
    held_out: Floats  # [N, K], logits of fits without the text or its group; NaN where it was not held out
    steps: int
    other: NDArray[np.bool_] | None = None  # [F], those of another writing than most texts are in; None where none is


def candidates(texts: Sequence[str]) -> tuple[Rules, ...]:
    """Which n-grams may suit cleaned texts, by whether their words stand apart."""
    chosen = np.linspace(0, len(texts) - 1, min(len(texts), _SAMPLE)).astype(np.int64)
    return UNSPACED if is_unspaced(texts[row] for row in chosen) else SPACED


def fit_ngrams(
    texts: Sequence[str],
    labels: NDArray[np.int64],
    *,
    groups: NDArray[np.int64],
    weights: Floats,
    classes: int,
    seed: int,
    given: GivenGrams | None = None,
    advance: Callable[[int], object] = int,
) -> NgramProbe:
    """Fit N cleaned texts; `labels`, `groups` and `weights` are [N]. No group is held out and trained on at once.

    What `given` says is not searched.
    """
    given = given or GivenGrams()
    generator = np.random.default_rng(seed)
    rows = choose_rows(labels, classes, generator, most=_SEARCHED)
    dealt = deal_folds(labels[rows], number_groups(groups, len(labels))[rows], classes, _FOLDS, generator)
    few = [texts[row] for row in rows.tolist()]
    best, counted = _choose(few, labels[rows], weights[rows], dealt[:_HELD_OUT], classes, given, len(texts), advance)
    if len(few) < len(texts):  # what was chosen is learned from all of them
        before = counted.inputs
        del counted
        give_freed_memory_back()
        counted = _count(texts, best.chosen.rules, given)
        best.start = _moved(best.start, before, counted.inputs)
        give_freed_memory_back()
    fitted = _fit(counted.rows, labels, weights, classes, best.chosen, best.start)
    held_out = np.full((len(texts), classes), np.nan, dtype=np.float32)
    if best.logits is not None:
        held_out[rows] = best.logits
    return NgramProbe(
        inputs=counted.inputs,
        frequency=counted.frequency,
        weight=fitted.weight,
        bias=fitted.bias,
        counted=counted,
        chosen=best.chosen,
        trials=best.trials,
        held_out=held_out,
        steps=fitted.steps,
        other=of_other_writing(texts, counted.inputs),
    )


class _Found(NamedTuple):
    """What was chosen, and the n texts that it was chosen by."""

    best: _Best
    counted: CountedTexts


def _choose(
    texts: Sequence[str],
    labels: NDArray[np.int64],
    weights: Floats,
    held: NDArray[np.bool_],
    classes: int,
    given: GivenGrams,
    count: int,
    advance: Callable[[int], object],
) -> _Found:
    """By n cleaned texts of `count`: which n-grams, whether classes have their own scales, how strong the penalty is."""
    kept: CountedTexts | None = None
    best: _Best | None = None
    inverses, by_class = given.inverses(count), given.by_class is not False
    for rules in given.rules_for(texts):
        counted = _count(texts, rules, given)
        if best is None or kept is None:
            best, kept = _Best(NgramTrial(rules, by_class, inverses[len(inverses) > 1])), counted
            if not len(held):
                break
            search = _Search(counted.matrix, labels, weights, held, classes)
            for inverse in inverses:
                if not best.try_one(NgramTrial(rules, by_class, inverse), search, advance):
                    break
            if given.by_class is None:
                plain = best.chosen.inverse * (_PLAIN if given.strength is None else 1.0)
                best.try_one(NgramTrial(rules, False, plain), search, advance)
        else:
            search = _Search(counted.matrix, labels, weights, held, classes)
            trial = NgramTrial(rules, best.chosen.by_class, best.chosen.inverse)
            kept = counted if best.try_one(trial, search, advance) else kept
    assert best is not None
    assert kept is not None
    return _Found(best, kept)


def _moved(start: Numbers | None, before: GramInputs, now: GramInputs) -> Numbers | None:
    """Where a fit ended, [F + 1, K], as a start for one that knows other n-grams as well."""
    if start is None:
        return None
    found = np.zeros((len(now.known) + 1, start.shape[1]), dtype=start.dtype)
    place = np.minimum(np.searchsorted(before.known, now.known), max(0, len(before.known) - 1))
    there = before.known[place] == now.known if len(before.known) else np.zeros(len(place), dtype=np.bool_)
    found[:-1][there] = start[place[there]]
    found[-1] = start[-1]
    return found


def fit_trial(
    matrix: Any, labels: NDArray[np.int64], weights: Floats, *, classes: int, chosen: NgramTrial
) -> SparseSolution:
    """A classifier of n rows of counted texts, `matrix` [n, F], with what was chosen before; `labels` and `weights` are [n]."""
    return _fit(KeptRows(matrix), labels, weights, classes, chosen, None)


def _count(texts: Sequence[str], rules: Rules, given: GivenGrams) -> CountedTexts:
    inputs, frequency = learn_grams(texts, rules, most=given.most, least=given.least)
    return store_texts_in(texts, inputs, frequency)


def _fit(
    rows: CountRows, labels: NDArray[np.int64], weights: Floats, classes: int, chosen: NgramTrial, start: Numbers | None
) -> SparseSolution:
    scales = class_ratios(rows, labels, classes=classes) if chosen.by_class else None
    problem = SparseSoftmax(rows, labels, weights, scales, classes=classes, workers=cores())
    return problem.minimise(_strength(chosen.inverse, len(labels)), tolerance=_TIGHT, most_steps=_FITTED, start=start)


def _strength(inverse: float, count: int) -> float:
    return 1.0 / (inverse * count)


class _Search:
    """Held-out losses of n texts on some folds, each in a thread; a fit goes on from the one before."""

    def __init__(
        self, matrix: Any, labels: NDArray[np.int64], weights: Floats, held: NDArray[np.bool_], classes: int
    ) -> None:
        self._matrix, self._labels, self._weights, self._held, self._classes = matrix, labels, weights, held, classes
        self._problems: dict[tuple[int, bool], SparseSoftmax] = {}
        self._starts: dict[tuple[int, bool], Numbers] = {}

    def run(self, trial: NgramTrial) -> tuple[float, Floats, Numbers]:
        """Mean held-out log loss, logits [n, K], NaN where nothing was held out, and where the first fit ended."""
        with ThreadPoolExecutor(min(len(self._held), cores())) as pool:
            found = list(pool.map(lambda fold: self._fold(fold, trial), range(len(self._held))))
        logits = np.full((len(self._labels), self._classes), np.nan, dtype=np.float32)
        for out, (own, _) in zip(self._held, found, strict=True):
            logits[out] = own
        there = self._held.any(axis=0)
        return _loss(logits[there], self._labels[there], self._weights[there]), logits, found[0][1]

    def _fold(self, fold: int, trial: NgramTrial) -> tuple[Floats, Numbers]:
        out, key = self._held[fold], (fold, trial.by_class)
        if key not in self._problems:
            matrix, labels = self._matrix[~out], self._labels[~out]
            scales = class_ratios(KeptRows(matrix), labels, classes=self._classes) if trial.by_class else None
            self._problems[key] = SparseSoftmax(matrix, labels, self._weights[~out], scales, classes=self._classes)
        strength = _strength(trial.inverse, int((~out).sum()))
        solution = self._problems[key].minimise(
            strength, tolerance=_TIGHT, most_steps=_TRIED, start=self._starts.get(key)
        )
        self._starts[key] = solution.parameters
        return solution.logits(self._matrix[out]), solution.parameters


class _Best:
    """The trial with the least loss so far."""

    def __init__(self, usual: NgramTrial) -> None:
        self.chosen = usual
        self.trials: dict[NgramTrial, float] = {}
        self.logits: Floats | None = None
        self.start: Numbers | None = None  # from which the last fit goes on

    def try_one(self, trial: NgramTrial, search: _Search, advance: Callable[[int], object]) -> bool:
        """Whether it is the best so far."""
        loss, logits, parameters = search.run(trial)
        better = loss < min(self.trials.values(), default=np.inf)
        if better:
            self.chosen, self.logits, self.start = trial, logits, parameters
        self.trials[trial] = loss
        advance(1)
        return better


def _loss(logits: Floats, labels: NDArray[np.int64], weights: Floats) -> float:
    scores = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    losses = np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(len(labels)), labels]
    return float(losses @ weights / weights.sum())
