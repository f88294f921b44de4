"""The label doctor of a report. In: vectors in three clouds. Out: the labels that their neighbours contradict."""

from __future__ import annotations

import numpy as np

from tellapart.runs.embeddings import Embedded
from tellapart.tasks.classification.pictures import doubt_labels

from .made_run import CLASSES, example, run_of


def clouds(seed: int = 0) -> tuple[np.ndarray, list[int]]:
    """Sixty vectors in three clouds far apart, twenty each, and the class of each."""
    numbers = [number for number in range(3) for _ in range(20)]
    noise = np.random.default_rng(seed).normal(size=(60, 8)) * 0.1
    return (3 * np.eye(8)[numbers] + noise).astype(np.float32), numbers


def test_a_label_that_its_neighbours_contradict_is_found() -> None:
    vectors, numbers = clouds()
    examples = [example(f"{row}.png", CLASSES[number]) for row, number in enumerate(numbers)]
    examples[25] = example("25.png", "cat")  # lies among bees
    embedded = Embedded(examples=examples, vectors=vectors, n_all=60, own=False)
    found = doubt_labels(run_of(metrics={"training": {"probe": {"strength": 0.01}}}), embedded)
    assert found is not None
    assert [(doubt.row, doubt.label, doubt.suggested) for doubt in found.wrong] == [(25, 2, 1)]
    assert found.judged == 60


def test_copies_do_not_vouch_for_each_other() -> None:
    vectors, numbers = clouds()
    vectors[[25, 26]] = 0.0
    vectors[[25, 26], 7] = 3.0  # two copies of one picture, unlike any other
    copied = [example(f"{row}.png", CLASSES[number]) for row, number in enumerate(numbers)]
    for row in (25, 26):
        copied[row] = example(f"{row}.png", "bee", group="copy")
    embedded = Embedded(examples=copied, vectors=vectors, n_all=60, own=False)
    found = doubt_labels(run_of(), embedded)
    assert found is not None
    assert {25, 26} <= {doubt.row for doubt in found.doubts}


def test_where_a_sample_lacks_a_class_no_label_is_judged() -> None:
    vectors, numbers = clouds()
    examples = [example(f"{row}.png", CLASSES[number]) for row, number in enumerate(numbers[:40])]
    embedded = Embedded(examples=examples, vectors=vectors[:40], n_all=60, own=False)
    assert doubt_labels(run_of(), embedded) is None
