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
from tellapart.evaluation.calibrating import choose_calibration
from tellapart.evaluation.calibration import apply_temperature
from tellapart.evaluation.choosing import HeldOut, LinearCandidate, only
from tellapart.features.backbone import ReadyBackbone
from tellapart.preprocessing import Preprocessing
from tellapart.settings.reading import make_settings
from tellapart.tasks.classification.candidates import correct, validate

ROWS = np.arange(200)
LABELS = np.arange(200) % 2


def candidate(strategy: str, margins: np.ndarray) -> LinearCandidate:
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
    return LinearCandidate(
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


def test_the_log_loss_of_each_picture_is_that_by_the_temperature_of_others() -> None:
    found = validate(candidate("probe", margins(20, 4.0)), dataset())
    logits = candidate("probe", margins(20, 4.0)).logits(ROWS)
    alone = choose_calibration(logits, LABELS, None, with_biases=False)
    np.testing.assert_array_equal(found.losses, alone.losses)
    chances = apply_temperature(logits, alone.temperature).astype(np.float64)
    assert found.losses.mean() == pytest.approx(log_loss(LABELS, chances), rel=0.05)
    assert found.losses.mean() > log_loss(LABELS, chances)
    assert (found.figure_name, found.figure) == ("accuracy", pytest.approx(0.9))
    assert found.facts["temperature"] == found.calibration.temperature == alone.temperature
    assert found.facts["calibration"]["method"] == "temperature"
    assert found.facts["calibration"]["pictures"] == 200


def test_training_pictures_that_were_held_out_calibrate_too_and_are_not_scored() -> None:
    """Of the 200 rows the first 40 are validation; what was held out says that the logits are three times too large."""
    data = dataset()
    data = replace(data, splits=np.array(["validation"] * 40 + ["train"] * 160))
    sure = candidate("probe", np.full(200, 2.0))
    labels = np.random.default_rng(0).permutation(160) < 120  # right in three of four
    logits = np.where(labels[:, None] == (LABELS[40:, None] == [[0, 1]]), 3 * np.log(3), 0.0)
    logits[:2] = np.nan
    found = validate(replace(sure, held_out=HeldOut(rows=ROWS[40:], logits=logits)), data)
    alone = validate(sure, data)
    assert alone.calibration.temperature < 1 < 2 < found.calibration.temperature
    assert found.facts["calibration"]["pictures"] == 40 + 158
    assert len(found.losses) == 40
    assert found.losses.mean() == pytest.approx(np.log1p(np.exp(-2 / found.calibration.temperature)), rel=0.03)


def test_a_class_that_is_named_too_often_is_named_as_often_as_it_occurs() -> None:
    leaning = candidate("finetune", np.random.default_rng(0).normal(0.8, 1.2, 200))
    leaning = replace(leaning, bias=np.array([1.5, 0.0], dtype=np.float32))
    before = only(validate(leaning, dataset()))
    after = correct(make_settings({"data": "pictures"}), before, dataset())
    named = [
        apply_temperature(one.winner.candidate.logits(ROWS), one.winner.calibration.temperature).mean(axis=0)[0]
        for one in (before, after)
    ]
    assert named[0] > 0.6
    assert named[1] == pytest.approx(0.5, abs=0.02)
    assert (after.compared, after.reason) == (before.compared, before.reason)
    assert after.winner.calibration.method == "temperature and biases"
    own = apply_temperature(after.winner.candidate.logits(ROWS), after.winner.calibration.temperature)[ROWS, LABELS]
    assert -np.log(own).mean() < before.winner.losses.mean()
    before_biases = after.winner.candidate.logits(ROWS) - after.winner.calibration.biases
    np.testing.assert_allclose(before_biases, leaning.logits(ROWS), atol=1e-6)


def test_a_network_that_leans_nowhere_gets_no_biases() -> None:
    upright = candidate("finetune", margins(20, 4.0))
    after = correct(make_settings({"data": "pictures"}), only(validate(upright, dataset())), dataset())
    assert after.winner.calibration.method == "temperature"
    np.testing.assert_array_equal(after.winner.candidate.bias, upright.bias)


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
