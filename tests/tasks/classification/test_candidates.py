"""A classifier on the validation split. In: logits. Out: its temperature, losses, accuracy, and corrected biases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import log_loss

from tellapart.data.dataset import Dataset
from tellapart.data.examples import Example
from tellapart.data.targets import ClassName
from tellapart.evaluation.calibration import apply_temperature
from tellapart.evaluation.choosing import Candidate, only
from tellapart.features.backbone import ReadyBackbone
from tellapart.preprocessing import Preprocessing
from tellapart.settings.reading import make_settings
from tellapart.tasks.classification.candidates import correct, validate

ROWS = np.arange(200)
LABELS = np.arange(200) % 2


def candidate(strategy: str, margins: np.ndarray) -> Candidate:
    """A classifier of two classes whose logit for the right one is larger by `margins` [200]."""
    logits = np.zeros((200, 2), dtype=np.float32)
    logits[ROWS, LABELS] = margins
    backbone = ReadyBackbone(
        name="tiny",
        network=Path("network.onnx"),
        weights=Path("weights.safetensors"),
        preprocessing=Preprocessing(size=8),
        embedding=2,
        weights_source="",
        weights_license="",
        fingerprint="",
        reused=False,
        seconds=0.0,
    )
    return Candidate(
        strategy=strategy,
        backbone=backbone,
        weight=np.eye(2, dtype=np.float32),
        bias=np.zeros(2, dtype=np.float32),
        embeddings=lambda rows: logits[rows],
        details={},
    )


def margins(wrong: int, size: float = 2.0) -> np.ndarray:
    """The first `wrong` of 200 pictures are on the wrong side."""
    found = np.full(200, size)
    found[:wrong] = -size
    return found


def dataset() -> Dataset:
    """200 validation pictures of two classes."""
    examples = [
        Example(
            path=Path(f"{row}.png"),
            target=ClassName(name="ab"[label]),
            split="validation",
            group=str(row),
            content_hash=f"{row:032x}",
            width=8,
            height=8,
        )
        for row, label in zip(ROWS.tolist(), LABELS.tolist(), strict=True)
    ]
    return Dataset(
        classes=("a", "b"),
        examples=examples,
        indices=ROWS,
        targets=LABELS,
        groups=ROWS,
        splits=np.array(["validation"] * 200),
        leaked=np.zeros(200, dtype=np.bool_),
        pictures=(),
    )


def test_the_log_loss_is_that_of_the_calibrated_probabilities() -> None:
    found = validate(candidate("probe", margins(20)), dataset())
    logits = candidate("probe", margins(20)).logits(ROWS)
    expected = log_loss(LABELS, apply_temperature(logits, found.calibration).astype(np.float64))
    assert found.losses.mean() == pytest.approx(expected, rel=1e-5)
    assert (found.figure_name, found.figure) == ("accuracy", pytest.approx(0.9))
    assert found.facts == {"temperature": found.calibration}


def test_a_class_that_is_named_too_often_is_named_as_often_as_it_occurs() -> None:
    leaning = candidate("finetune", np.random.default_rng(0).normal(0.8, 1.2, 200))
    leaning = replace(leaning, bias=np.array([1.5, 0.0], dtype=np.float32))
    before = only(validate(leaning, dataset()))
    after = correct(make_settings({"data": "pictures"}), before, dataset())
    named = [
        (apply_temperature(one.winner.candidate.logits(ROWS), one.winner.calibration)).mean(axis=0)[0]
        for one in (before, after)
    ]
    assert named[0] > 0.6
    assert named[1] == pytest.approx(0.5, abs=0.02)
    assert (after.compared, after.reason) == (before.compared, before.reason)
    own = apply_temperature(after.winner.candidate.logits(ROWS), after.winner.calibration)[ROWS, LABELS]
    assert -np.log(own).mean() < before.winner.losses.mean()


@pytest.mark.parametrize(
    "settings",
    [{"class_weights": "balanced"}, {"loop": {"sampling": "balanced"}}, {"loop": {"loss": "focal"}}],
    ids=["weights", "sampling", "focal"],
)
def test_who_asked_to_favour_rare_classes_keeps_what_training_found(settings: dict[str, object]) -> None:
    leaning = replace(candidate("finetune", margins(20)), bias=np.array([1.5, 0.0], dtype=np.float32))
    before = only(validate(leaning, dataset()))
    assert correct(make_settings({"data": "pictures", "strategy": "finetune", **settings}), before, dataset()) is before


def test_the_biases_of_a_probe_stay() -> None:
    before = only(validate(candidate("probe", margins(20)), dataset()))
    assert correct(make_settings({"data": "pictures"}), before, dataset()) is before
