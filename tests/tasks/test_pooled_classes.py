"""Folds of one class a picture as one test. In: made-up answers. Out: figures worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.bundle import AbstentionRecord, ClassificationRecord, Score
from tellapart.data.targets import ClassName
from tellapart.tasks.folds import FoldAnswers
from tellapart.tasks.pooled_classes import average, pool

CLASSES = ("cat", "dog")


def record(threshold: float, novelty: float | None = 1.0) -> ClassificationRecord:
    return ClassificationRecord(
        temperature=2.0,
        abstention=AbstentionRecord(
            coverage=0.9,
            threshold=threshold,
            novelty_threshold=novelty,
            calibrated_on=10,
            measured_coverage=Score(value=0.5),
            mean_set_size=9.0,
        ),
    )


def fold(cats: list[float], decides: ClassificationRecord, novelty: list[float] | None = None) -> FoldAnswers:
    """Answers with these probabilities of a cat."""
    chances = np.array([[one, 1 - one] for one in cats], dtype=np.float32)
    return FoldAnswers(
        record=decides,
        arrays={
            "probabilities": chances,
            "chances": chances.max(axis=1),
            "classes": chances.argmax(axis=1),
            "novelty": np.array(novelty or [0.5] * len(cats)),
        },
    )


def pooled(parts: list[FoldAnswers], names: str, groups: NDArray[np.int64] | None = None) -> dict[str, object]:
    targets = [ClassName({"c": "cat", "d": "dog"}[name]) for name in names]
    found = pool(
        parts,
        targets,
        classes=CLASSES,
        groups=np.arange(len(names)) if groups is None else groups,
        record=record(0.7),
        beside={},
        seed=0,
    )
    return {**found.metrics, "abstention": found.beside["abstention"], "record": found.record}


def test_each_fold_decides_by_its_own_thresholds() -> None:
    first = fold([0.9, 0.4, 0.6], record(0.3), [0.5, 2.0, 0.5])
    second = fold([0.2, 0.7], record(0.5, 0.1), [0.05, 0.5])
    found = pooled([first, second], "cccdc")
    assert found["n"] == 5
    assert found["accuracy"]["value"] == pytest.approx(4 / 5)  # the second is taken for a dog
    told = found["abstention"]
    # Sets from 0.3 on: {cat}, both, both; from 0.5 on: {dog}, {cat}. Known: not the second, not the last.
    assert (told["coverage"]["value"], told["mean_set_size"], told["known"]["value"]) == (1.0, 7 / 5, 3 / 5)
    kept = found["record"].abstention
    assert (kept.threshold, kept.measured_coverage.value, kept.mean_set_size, kept.known.value) == (
        0.7,
        1.0,
        7 / 5,
        3 / 5,
    )


def test_where_one_fold_cannot_tell_what_is_unknown_nothing_is_told() -> None:
    parts = [fold([0.9, 0.1], record(0.3)), fold([0.8, 0.3], record(0.3, None))]
    assert pooled(parts, "cdcd")["abstention"]["known"] is None


def test_pictures_of_one_group_are_drawn_together_whatever_fold_tested_them() -> None:
    chance = np.random.default_rng(0)
    cats = chance.random(40).round(3).tolist()
    parts = [fold(cats[:20], record(0.3)), fold(cats[20:], record(0.3))]
    alone = pooled(parts, "cd" * 20)["accuracy"]
    together = pooled(parts, "cd" * 20, np.arange(40) % 8)["accuracy"]
    assert together["value"] == alone["value"]
    assert together["method"].startswith("bootstrap of groups")


def test_the_mean_of_networks_has_a_threshold_of_all_pictures() -> None:
    """Of 19 pictures the true classes have 0.50 to 0.95 in steps; at a coverage of 0.9 the second lowest is the line."""
    cats = [0.05 * number for number in range(1, 20)]
    found = average(
        [fold(cats[:9], record(0.0)), fold(cats[9:], record(0.0))],
        [ClassName("cat")] * 19,
        classes=CLASSES,
        coverage=0.9,
        precision=None,
    )
    assert isinstance(found, ClassificationRecord)
    assert found.abstention is not None
    assert (found.temperature, found.abstention.calibrated_on) == (1.0, 19)
    assert found.abstention.threshold == pytest.approx(0.10)
