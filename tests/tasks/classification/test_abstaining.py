"""What the thresholds are fitted to and measured on. In: a made dataset and candidate. Out: Abstention."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tellapart.data.dataset import Dataset
from tellapart.data.examples import Example
from tellapart.data.targets import ClassName
from tellapart.evaluation.calibrating import ClassCalibration
from tellapart.evaluation.calibration import softmax
from tellapart.evaluation.choosing import LinearCandidate, Validated
from tellapart.features.backbone import ReadyBackbone
from tellapart.preprocessing import Preprocessing
from tellapart.tasks.classification.abstaining import learn_to_abstain

TEMPERATURE = 2.0
WEIGHT = np.random.default_rng(5).normal(size=(3, 8)).astype(np.float32)
SPLITS = ["train", "train", "validation", "test", "test"]


def made(count: int = 200, leaked: tuple[int, ...] = ()) -> tuple[Dataset, Validated]:
    """Pictures of three classes in turn, split in fives, and a classifier that is often wrong."""
    generator = np.random.default_rng(0)
    labels = np.arange(count) % 3
    embeddings = (WEIGHT[labels] + generator.normal(size=(count, 8))).astype(np.float32)
    splits = np.array(SPLITS)[np.arange(count) % 5]
    examples = [
        Example(
            path=Path(f"{row}.png"),
            target=ClassName("abc"[labels[row]]),
            split=splits[row],
            group=str(row),
            content_hash=f"{generator.integers(10**9):09}",
            width=8,
            height=8,
            problem="",
        )
        for row in range(count)
    ]
    dataset = Dataset(
        classes=("a", "b", "c"),
        examples=examples,
        indices=np.arange(count),
        targets=labels,
        groups=np.arange(count),
        splits=splits,
        leaked=np.isin(np.arange(count), leaked),
        pictures=(),
    )
    backbone = ReadyBackbone(
        name="tiny",
        network=Path("n"),
        weights=Path("w"),
        preprocessing=Preprocessing(size=8),
        embedding=8,
        weights_source="",
        weights_license="",
        fingerprint="",
        reused=False,
        seconds=0.0,
    )
    calibration = ClassCalibration(
        method="temperature", temperature=TEMPERATURE, biases=np.zeros(1), trials={}, losses=np.zeros(1)
    )
    candidate = LinearCandidate(
        strategy="probe",
        backbone=backbone,
        weight=WEIGHT,
        bias=np.zeros(3, dtype=np.float32),
        embeddings=lambda rows: embeddings[rows],
        details={},
    )
    return dataset, Validated(
        candidate=candidate, losses=np.zeros(1), figure_name="accuracy", figure=0.0, calibration=calibration
    )


def test_the_thresholds_are_those_of_the_calibrated_validation_split() -> None:
    dataset, winner = made()
    found = learn_to_abstain(winner, dataset, coverage=0.9, seed=0)
    rows = np.flatnonzero(dataset.splits == "validation")
    probabilities = softmax(winner.candidate.embeddings(rows) @ WEIGHT.T / TEMPERATURE)
    own = np.sort(probabilities[np.arange(len(rows)), dataset.targets[rows]])
    novelty = np.sort(found.novelty.score(winner.candidate.embeddings(rows)))
    # 40 pictures at 90 %: the ceil(41 x 0.9) = 37th, so three are left out.
    assert found.thresholds.probability == pytest.approx(own[3], rel=1e-5)
    assert found.thresholds.novelty == pytest.approx(novelty[36], rel=1e-5)
    assert found.warning == ""


def test_what_is_measured_is_the_test_split() -> None:
    dataset, winner = made()
    found = learn_to_abstain(winner, dataset, coverage=0.9, seed=0)
    rows = np.flatnonzero(dataset.splits == "test")
    probabilities = softmax(winner.candidate.embeddings(rows) @ WEIGHT.T / TEMPERATURE)
    sets = probabilities >= found.thresholds.probability - 1e-9
    sets[np.arange(len(rows)), probabilities.argmax(axis=1)] = True
    assert found.measured["n"] == len(rows) == 80
    assert found.measured["coverage"]["value"] == sets[np.arange(len(rows)), dataset.targets[rows]].mean()
    assert found.measured["mean_set_size"] == sets.sum(axis=1).mean()
    known = found.novelty.score(winner.candidate.embeddings(rows)) <= found.thresholds.novelty
    assert found.measured["known"]["value"] == known.mean()
    record = found.record()
    assert (record.threshold, record.novelty_threshold) == (found.thresholds.probability, found.thresholds.novelty)
    assert record.known is not None
    assert record.known.value == known.mean()


def test_the_novelty_is_fitted_on_training_pictures() -> None:
    dataset, winner = made()
    rows = np.flatnonzero(dataset.splits == "train")
    embeddings = winner.candidate.embeddings(rows).astype(np.float64)
    centre = (embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)).mean(axis=0)
    found = learn_to_abstain(winner, dataset, coverage=0.9, seed=0)
    np.testing.assert_allclose(found.novelty.centre, centre, rtol=1e-5, atol=1e-7)


def test_leaked_test_pictures_are_not_measured_on() -> None:
    dataset, winner = made(leaked=(3, 4, 8))
    assert learn_to_abstain(winner, dataset, coverage=0.9, seed=0).measured["n"] == 77
    dataset, winner = made(leaked=tuple(range(200)))
    assert learn_to_abstain(winner, dataset, coverage=0.9, seed=0).measured["n"] == 80


def test_too_few_validation_pictures_give_a_warning() -> None:
    dataset, winner = made(count=90)
    found = learn_to_abstain(winner, dataset, coverage=0.95, seed=0)
    assert found.warning == (
        "The validation split has 18 pictures; it takes 19 to tell which classes to name so that the true one is among "
        "them 95 % of the time. Until then every class is, and no picture is called unknown. Add pictures, or give a "
        "lower --coverage."
    )
    assert (found.thresholds.probability, found.thresholds.novelty, found.record().known) == (0.0, None, None)
    assert found.measured["mean_set_size"] == 3.0


def test_sets_that_are_too_large_to_help_are_told() -> None:
    """The same classifier, so unsure that nothing but all three classes holds the true one."""
    dataset, winner = made()
    unsure = replace(winner, candidate=replace(winner.candidate, weight=np.zeros_like(WEIGHT)))
    found = learn_to_abstain(unsure, dataset, coverage=0.9, seed=0)
    assert found.warning == (
        "The sets of likely classes hold 3.0 of the 3 classes on average; above 2 they are of no use. Add pictures, or give a "
        "lower --coverage than 0.9."
    )
    assert learn_to_abstain(winner, dataset, coverage=0.9, seed=0).measured["mean_set_size"] <= 2
