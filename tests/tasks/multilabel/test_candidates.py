"""A probe and a candidate for sets, from data set to thresholds. In: a made data set. Out: verdicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from tellapart.errors import DataError
from tellapart.evaluation.choosing import HeldOut, choose, only
from tellapart.features.embedding import Embedded
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.multilabel.calibrating import choose_calibration
from tellapart.tasks.multilabel.candidates import calibrated, correct, draw_lines, validate
from tellapart.tasks.multilabel.probing import fit
from tellapart.tasks.multilabel.thresholds import choose_thresholds

SETTINGS = TrainSettings(data="pictures.csv")


def embedded(made: Any) -> Embedded:
    return Embedded(backbone=made.backbone, vectors=made.embeddings, computed=0, reused=0, seconds=0.0, pace=None)


@pytest.mark.parametrize("balanced", [False, True], ids=["plain", "balanced"])
def test_the_probe_is_fitted_on_the_training_pictures(make: Callable[..., Any], balanced: bool) -> None:
    made = make(unknown=lambda generator: generator.random((200, 3)) < 0.1)
    settings = SETTINGS.model_copy(update={"class_weights": "balanced" if balanced else "none"})
    found = fit(settings, made.dataset, embedded(made))
    rows = made.dataset.splits == "train"
    inputs = made.embeddings[rows].astype(np.float64)
    deviation = inputs.std(axis=0)
    inputs = (inputs - inputs.mean(axis=0)) / np.maximum(deviation, np.median(deviation))
    for number in range(3):
        known = ~np.isnan(made.dataset.targets[rows, number])
        targets = made.dataset.targets[rows, number][known]
        times = (targets == 0).sum() / (targets == 1).sum() if balanced else 1.0
        total = np.where(targets == 1, times, 1.0).sum()
        strength = found.details["strength"]
        model = LogisticRegression(C=1 / (total * strength), class_weight={1: times}, solver="newton-cg", tol=1e-10)
        expected = model.fit(inputs[known], targets).decision_function(inputs)
        np.testing.assert_allclose(
            found.logits(np.flatnonzero(rows))[:, number].astype(np.float64), expected, atol=1e-4
        )
    assert (found.strategy, found.backbone) == ("probe", made.backbone)
    assert min(found.details["trials"], key=lambda trial: trial["log_loss"])["strength"] == found.details["strength"]


def test_a_class_without_training_pictures_is_refused_by_name(make: Callable[..., Any]) -> None:
    made = make()
    made.dataset.targets[made.dataset.splits == "train", 1] = 0
    with pytest.raises(DataError, match="no picture with it to train on: 'b'"):
        fit(SETTINGS, made.dataset, embedded(made))


def test_losses_and_figure_are_those_of_the_calibrated_validation_pictures(make: Callable[..., Any]) -> None:
    made = make(unknown=lambda generator: generator.random((200, 3)) < 0.3)
    made.dataset.targets[2] = np.nan  # a validation picture of which nothing is known
    found = validate(made.candidate, made.dataset)
    rows = made.dataset.rows["validation"]
    rows = rows[~np.isnan(made.dataset.targets[rows]).all(axis=1)]
    assert 2 not in rows
    targets, logits = made.dataset.targets[rows], made.candidate.logits(rows)
    chosen = choose_calibration(logits, targets, rows)
    calibration = chosen.calibration
    assert chosen.method == "scales and offsets"
    chances = 1 / (1 + np.exp(-(logits * calibration.scales + calibration.offsets)))
    np.testing.assert_allclose(found.losses, np.nanmean(chosen.losses, axis=1))
    by_class = [
        average_precision_score(targets[known, number], chances[known, number])
        for number in range(3)
        for known in [~np.isnan(targets[:, number])]
    ]
    assert (found.figure_name, found.figure) == ("mean_average_precision", pytest.approx(np.mean(by_class)))
    assert found.facts == {
        "scales": calibration.scales.tolist(),
        "offsets": calibration.offsets.tolist(),
        "calibration": chosen.as_json(),
    }
    np.testing.assert_allclose(calibrated(found, rows), chances, atol=1e-6)
    assert correct(SETTINGS, only(found), made.dataset).winner is found


def test_training_pictures_that_were_held_out_calibrate_too(make: Callable[..., Any]) -> None:
    made = make()
    rows = np.flatnonzero(made.dataset.splits == "train")
    logits = made.candidate.logits(rows) / 3
    logits[:5, 1] = np.nan
    found = validate(replace(made.candidate, held_out=HeldOut(rows=rows, logits=logits)), made.dataset)
    told = made.dataset.rows["validation"]
    assert found.facts["calibration"]["pictures"] == len(told) + len(rows)
    assert len(found.losses) == len(told)
    alone = validate(made.candidate, made.dataset).calibration
    assert (found.calibration.scales > alone.scales).all()


def test_the_better_of_two_is_kept_with_its_reason(make: Callable[..., Any]) -> None:
    made = make(1000)
    good = validate(made.candidate, made.dataset)
    blind = replace(made.candidate, strategy="finetune", weight=np.zeros_like(made.candidate.weight))
    choice = choose(good, validate(blind, made.dataset))
    assert choice.winner is good
    assert "is no better (log loss 0.6" in choice.reason
    assert "mean average precision" in choice.reason
    assert choose(validate(replace(blind, strategy="probe"), made.dataset), good).winner is good


def test_thresholds_are_drawn_on_the_validation_pictures(make: Callable[..., Any]) -> None:
    made = make()
    winner = validate(made.candidate, made.dataset)
    rows = made.dataset.splits == "validation"
    chances, targets = calibrated(winner, np.flatnonzero(rows)), made.dataset.targets[rows]
    for precision in (None, 0.8):
        found = draw_lines(winner, made.dataset, precision=precision)
        expected = choose_thresholds(chances, targets, precision=precision)
        np.testing.assert_array_equal(found.values, expected.values)
        assert found.rule == expected.rule


def test_validation_pictures_of_which_nothing_is_known_are_refused(make: Callable[..., Any]) -> None:
    made = make()
    made.dataset.targets[made.dataset.splits == "validation"] = np.nan
    with pytest.raises(DataError, match="40 validation pictures, of none of which anything is known"):
        validate(made.candidate, made.dataset)


def test_without_a_class_that_can_be_ranked_the_figure_is_nothing(make: Callable[..., Any]) -> None:
    made = make()
    made.dataset.targets[made.dataset.splits == "validation"] = 0
    assert validate(made.candidate, made.dataset).figure == 0.0
