"""Trees that guess a class from facts of files. In: columns, labels, groups. Out: Guessed. Next: evaluation/shortcuts.py.

Gradient-boosted trees (Friedman 2001, Annals of Statistics 29:1189-1232; scikit-learn's histogram-based ones, as LightGBM's) take
numbers, words and gaps as they are. Each fold is guessed by trees that saw neither it nor a copy of its pictures. N files, F facts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.data.file_facts import FactKind, FileFacts, fact_names
from tellapart.training.folds import number_groups

_ROUNDS, _LEAVES, _RATE, _LEAST = 30, 15, 0.15, 8  # trees a class, leaves of each, shrinkage, files a leaf
_WORDS = 200  # that are told apart of one fact; scikit-learn takes at most 255
FOLDS = 5
_SHUFFLES, _SHUFFLED = 5, 5_000  # how often each kind is shuffled at most, and how many files in all

Fact = Sequence[float | str | None]  # of N files


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Guessed:
    """What was guessed of files that were not learned from."""

    guesses: NDArray[np.int64]  # [N], -1 where nothing could be guessed
    drops: Mapping[str, float]  # kind of fact -> how much balanced accuracy falls when it is shuffled among the files


def guess_classes(
    kinds: Mapping[str, Sequence[Fact]],
    labels: NDArray[np.integer],
    groups: Sequence[str],
    *,
    seed: int,
    shuffles: int = _SHUFFLES,
    advance: Callable[[int], None] | None = None,
) -> Guessed:
    """Guess `labels` [N] in 0..K-1 from facts, which are shuffled together kind by kind to see what each is worth.

    `groups` [N]: a group is in one fold only; "" is no group. Permutation importance: Breiman 2001, Machine Learning 45:5-32,
    on the held-out fold; without `shuffles` nothing is. As many folds as
    the rarest class has groups, up to five; it must have two.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedGroupKFold

    table, words, places = _table(kinds)
    if not places:  # all files are alike: the same guess for all
        return Guessed(guesses=np.zeros(len(labels), dtype=np.int64), drops=dict.fromkeys(kinds, 0.0))
    numbers = number_groups(groups, len(labels))
    folds = _folds(labels, numbers)
    guesses = np.full(len(labels), -1, dtype=np.int64)
    shuffles = min(shuffles, max(1, _SHUFFLED // len(labels)))
    shuffled = {kind: np.zeros((shuffles, len(labels)), dtype=np.int64) for kind in places}
    random = np.random.default_rng(seed)
    for taught, asked in StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(table, labels, numbers):
        told = np.where(np.isnan(table[taught]).all(axis=0), 0.0, table)  # a column of gaps has no bins
        trees = HistGradientBoostingClassifier(
            max_iter=_ROUNDS,
            max_leaf_nodes=_LEAVES,
            learning_rate=_RATE,
            min_samples_leaf=_LEAST,
            categorical_features=words,
            class_weight="balanced",
            early_stopping=False,
            random_state=seed,
        ).fit(told[taught], labels[taught])
        guesses[asked] = trees.predict(told[asked])
        for kind, columns in places.items():
            for shuffle in range(shuffles):
                mixed = told[asked].copy()
                mixed[:, columns] = mixed[random.permutation(len(asked))][:, columns]
                shuffled[kind][shuffle, asked] = trees.predict(mixed)
        if advance is not None:
            advance(1)
    whole = _balanced(guesses, labels)
    drops = {
        kind: float(np.mean([whole - _balanced(row, labels) for row in rows]))
        for kind, rows in shuffled.items()
        if len(rows)
    }
    return Guessed(guesses=guesses, drops={kind: drops.get(kind, 0.0) for kind in kinds})


def guess_from_files(
    files: Sequence[FileFacts],
    kinds: Sequence[FactKind],
    labels: NDArray[np.integer],
    groups: Sequence[str],
    *,
    seed: int,
    advance: Callable[[int], None] | None = None,
) -> Guessed:
    """Guess `labels` [N] from facts of those kinds of N files."""
    facts: dict[str, list[Fact]] = {
        kind: [[one.facts[name] for one in files] for name in fact_names(kind)] for kind in kinds
    }
    return guess_classes(facts, labels, groups, seed=seed, advance=advance)


def _folds(labels: NDArray[np.integer], groups: NDArray[np.integer]) -> int:
    return max(2, min(FOLDS, *(len(np.unique(groups[labels == label])) for label in np.unique(labels))))


def _table(kinds: Mapping[str, Sequence[Fact]]) -> tuple[NDArray[np.float64], list[int], dict[str, list[int]]]:
    """Facts as columns of numbers [N, F], which of them are words, and the columns of each kind; a gap is NaN."""
    columns: list[NDArray[np.float64]] = []
    words: list[int] = []
    places: dict[str, list[int]] = {}
    for kind, facts in kinds.items():
        for fact in facts:
            if len(set(fact)) < 2:
                continue  # what all files have in common tells nothing
            if any(isinstance(value, str) for value in fact):
                words.append(len(columns))
                known = [word for word, _ in Counter(value for value in fact if value is not None).most_common(_WORDS)]
                number = {word: float(place) for place, word in enumerate(known)}
                values = [np.nan if value is None else number.get(value, float(len(known))) for value in fact]
            else:
                values = [np.nan if value is None else float(value) for value in fact]
            places.setdefault(kind, []).append(len(columns))
            columns.append(np.array(values, dtype=np.float64))
    table = np.stack(columns, axis=1) if columns else np.empty((0, 0))
    return table, words, places


def _balanced(guesses: NDArray[np.int64], labels: NDArray[np.integer]) -> float:
    return float(np.mean([(guesses[labels == label] == label).mean() for label in np.unique(labels)]))
