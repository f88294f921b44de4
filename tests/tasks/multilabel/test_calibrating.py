"""Whether classes are calibrated. In: made logits. Out: scales and offsets where they help held-out cells."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tellapart.evaluation.platt import log_losses, sigmoid
from tellapart.tasks.multilabel.calibrating import choose_calibration
from tellapart.tasks.multilabel.calibration import MultilabelCalibration, fit_calibration


def made(count: int, *, scale: float, offset: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits of two classes, and pictures that have them as often as scale x logit + offset says."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(count, 2)) * 2
    return logits, (generator.random((count, 2)) < sigmoid(scale * logits + offset)).astype(float)


def test_logits_that_are_off_are_mended_by_all_pictures() -> None:
    logits, targets = made(300, scale=0.5, offset=-2.0)
    found = choose_calibration(logits, targets, None)
    expected = fit_calibration(logits, targets)
    assert found.method == "scales and offsets"
    np.testing.assert_array_equal(found.calibration.scales, expected.scales)
    np.testing.assert_array_equal(found.calibration.offsets, expected.offsets)
    assert found.trials["scales and offsets"] == pytest.approx(found.losses.mean())
    assert found.losses.mean() > log_losses(expected.logits(logits), targets).mean()  # of others, not of their own


def test_logits_that_are_right_are_mostly_left_alone() -> None:
    found = [choose_calibration(*made(300, scale=1.0, offset=0.0, seed=seed), None) for seed in range(20)]
    left = [one for one in found if one.method == "none"]
    assert len(left) >= 12
    assert all(one.calibration.scales.tolist() == [1, 1] for one in left)
    assert all(one.calibration.offsets.tolist() == [0, 0] for one in left)


@pytest.mark.parametrize("seed", range(10))
def test_it_is_never_worse_than_nothing_on_the_cells_it_is_judged_by(seed: int) -> None:
    logits, targets = made(80, scale=1 - seed / 20, offset=0.0, seed=seed)
    found = choose_calibration(logits, targets, None)
    plain = log_losses(logits, targets).mean()
    assert found.losses.mean() <= plain
    assert found.losses.mean() == pytest.approx(min(found.trials.values()))
    assert log_losses(found.calibration.logits(logits), targets).mean() <= plain + 1e-12


def test_what_is_not_known_or_could_not_be_taught_counts_nowhere() -> None:
    logits, targets = made(300, scale=0.5, offset=-2.0)
    more = np.concatenate([logits, [[np.nan, 3.0], [5.0, 5.0]]])
    unknown = np.concatenate([targets, [[1.0, np.nan], [np.nan, np.nan]]])
    found = choose_calibration(more, unknown, None)
    assert np.isnan(found.losses[-2:]).all()
    np.testing.assert_allclose(found.calibration.scales, fit_calibration(logits, targets).scales)


def test_what_is_known_stays_near_where_few_are_all_told_right() -> None:
    known = MultilabelCalibration(scales=np.array([0.5, 0.5]), offsets=np.array([0.2, 0.0]), untouched=())
    targets = np.stack([np.arange(60) % 2, np.arange(60) // 2 % 2], axis=1).astype(float)
    logits = 16 * targets - 8
    assert choose_calibration(logits, targets, None).calibration.scales.min() > 0.7
    found = choose_calibration(logits, targets, None, known=known)
    np.testing.assert_allclose(found.calibration.scales, known.scales, rtol=0.1)
    np.testing.assert_allclose(found.calibration.offsets, known.offsets, atol=0.1)
    few = choose_calibration(logits[:20], targets[:20], None, known=known)
    assert (few.method, few.calibration) == ("kept", known)
    many, told = made(600, scale=0.5, offset=-2.0)
    moved = choose_calibration(many, told, None, known=fit_calibration(many, told))
    np.testing.assert_allclose(moved.calibration.scales, fit_calibration(many, told).scales, rtol=0.05)


def test_groups_are_held_out_whole() -> None:
    logits, targets = made(300, scale=0.5, offset=-2.0)
    groups = np.repeat(np.arange(10), 30)
    found = choose_calibration(logits, targets, groups)
    for group in range(10):
        out = groups == group
        others = fit_calibration(logits[~out], targets[~out])
        np.testing.assert_allclose(found.losses[out], log_losses(others.logits(logits[out]), targets[out]))


def test_fewer_than_fifty_pictures_do_not_choose() -> None:
    logits, targets = made(49, scale=1.0, offset=0.0, seed=1)
    assert choose_calibration(logits, targets, None).method == "scales and offsets"
    said = choose_calibration(logits, targets, None).as_json()
    assert json.loads(json.dumps(said)) == said
    assert said["pictures"] == 49
