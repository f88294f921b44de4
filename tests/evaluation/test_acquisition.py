"""Strategies that choose what to label. In: points on a plane, probabilities by hand. Out: verdicts. Next: test_abstention.py."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.evaluation.acquisition import OF_PROBABILITIES, STRATEGIES, Pool

NOBODY = np.zeros((0, 2), dtype=np.float32)


def _at(*degrees: float) -> NDArray[np.float32]:
    turned = np.radians(degrees)
    return np.stack([np.cos(turned), np.sin(turned)], axis=1).astype(np.float32)


def _choose(name: str, pool: Pool, count: int, seed: int = 0) -> list[int]:
    found: list[int] = STRATEGIES[name](pool, count, np.random.default_rng(seed)).tolist()
    return found


def _many(number: int = 120, classes: int = 4) -> Pool:
    random = np.random.default_rng(3)
    odds = random.random((number, classes)) ** 3
    return Pool(
        embeddings=random.normal(size=(number, 7)).astype(np.float32),
        known=random.normal(size=(15, 7)).astype(np.float32),
        probabilities=odds / odds.sum(axis=1, keepdims=True),
    )


def test_margin_and_entropy_differ_where_a_third_class_matters() -> None:
    figures = np.array([[0.9, 0.1, 0.0], [0.4, 0.32, 0.28], [0.51, 0.49, 0.0]])
    pool = Pool(embeddings=_at(0, 1, 2), known=NOBODY, probabilities=figures)
    assert _choose("margin", pool, 3) == [2, 1, 0]  # leads of 0.8, 0.08, 0.02
    assert _choose("entropy", pool, 2) == [1, 2]  # 0.33, 1.09, 0.69 nats


def test_of_sets_each_class_is_a_question_of_its_own() -> None:
    figures = np.array([[0.99, 0.01, 0.02], [0.7, 0.3, 0.7], [0.99, 0.48, 0.01]])
    pool = Pool(embeddings=_at(0, 1, 2), known=NOBODY, probabilities=figures, sets=True)
    assert _choose("margin", pool, 3) == [2, 1, 0]
    assert _choose("entropy", pool, 3) == [1, 2, 0]


def test_coreset_goes_where_nothing_is_known() -> None:
    pool = Pool(embeddings=5 * _at(10, 80, 100, 170, 180, 260), known=_at(0))
    assert _choose("coreset", pool, 3) == [4, 1, 5]  # 180 from 0; then 80 and 260, both 80 from the nearest
    assert _choose("coreset", Pool(embeddings=_at(0, 90, 20), known=NOBODY), 2) == [2, 1]  # the middle one first


def test_coreset_is_the_greedy_k_centre() -> None:
    pool = _many()
    unit = pool.embeddings / np.linalg.norm(pool.embeddings, axis=1, keepdims=True)
    known = pool.known / np.linalg.norm(pool.known, axis=1, keepdims=True)
    centres, expected = list(known), []
    for _ in range(10):
        apart = np.min([np.linalg.norm(unit - centre, axis=1) for centre in centres], axis=0)
        expected.append(int(apart.argmax()))
        centres.append(unit[expected[-1]])
    assert _choose("coreset", pool, 10) == expected


@pytest.mark.parametrize("sets", [False, True])
def test_badge_is_k_means_plus_plus_on_gradients(sets: bool) -> None:
    one = _many(60)
    pool = Pool(embeddings=one.embeddings, known=one.known, probabilities=one.probabilities, sets=sets)
    assert pool.probabilities is not None
    unit = pool.embeddings / np.linalg.norm(pool.embeddings, axis=1, keepdims=True)
    told = np.eye(4)[pool.probabilities.argmax(axis=1)]
    off = pool.probabilities - ((pool.probabilities >= 0.5) if sets else told)
    gradients = np.array([np.outer(a, b).ravel() for a, b in zip(off, unit, strict=True)])
    random = np.random.default_rng(5)
    expected = [int((off**2).sum(axis=1).argmax())]
    while len(expected) < 12:
        apart = ((gradients[:, None] - gradients[expected]) ** 2).sum(axis=2).min(axis=1)
        apart[expected] = 0
        expected.append(int(random.choice(60, p=apart / apart.sum())))
    assert _choose("badge", pool, 12, seed=5) == expected


def test_badge_takes_others_by_chance_where_all_are_alike() -> None:
    figures = np.tile([0.5, 0.5], (6, 1))
    pool = Pool(embeddings=_at(*[30] * 6), known=NOBODY, probabilities=figures)
    assert sorted(_choose("badge", pool, 6)) == [0, 1, 2, 3, 4, 5]


def test_typiclust_takes_the_middle_of_groups_without_labels() -> None:
    groups = {0: 8, 90: 12, 180: 10}  # where, how many
    angles = [middle + spread for middle, number in groups.items() for spread in np.linspace(-4, 4, number)]
    pool = Pool(embeddings=_at(*angles), known=_at(1))
    first, second = _choose("typiclust", pool, 2)
    assert abs(angles[first] - 90) < 2  # the larger of the two that hold nothing known
    assert abs(angles[second] - 180) < 2


@pytest.mark.parametrize("name", STRATEGIES)
def test_each_chosen_once_and_no_more_than_there_are(name: str) -> None:
    pool = _many(9)
    assert sorted(_choose(name, pool, 40)) == list(range(9))
    assert len(set(_choose(name, pool, 4))) == 4
    assert _choose(name, pool, 4) == _choose(name, pool, 4)
    empty = Pool(embeddings=pool.embeddings[:0], known=pool.known, probabilities=np.zeros((0, 4)))
    assert _choose(name, empty, 3) == []


def test_none_chooses_as_another() -> None:
    pool = _many()
    chosen = {name: tuple(_choose(name, pool, 8)) for name in STRATEGIES}
    assert all(chosen[one] != chosen[other] for one, other in itertools.combinations(chosen, 2))


@pytest.mark.parametrize("name", OF_PROBABILITIES)
def test_those_of_probabilities_say_so(name: str) -> None:
    with pytest.raises(ValueError, match="needs probabilities"):
        _choose(name, Pool(embeddings=_at(0), known=NOBODY), 1)
