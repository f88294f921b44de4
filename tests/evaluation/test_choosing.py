"""Which classifier is kept. In: logits on a validation split. Out: the choice and its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tellapart.evaluation.choosing import LinearCandidate, Validated, choose, comparison, only
from tellapart.features.backbone import ReadyBackbone
from tellapart.preprocessing import Preprocessing

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


def validated(strategy: str, margins: np.ndarray) -> Validated[LinearCandidate]:
    """A classifier of two classes with these margins on the validation split."""
    losses = np.log1p(np.exp(-margins))
    return Validated(
        candidate=candidate(strategy, margins),
        losses=losses,
        figure_name="accuracy",
        figure=float((margins > 0).mean()),
        calibration=1.0,
    )


def test_a_clearly_better_one_wins() -> None:
    probe, tuned = (validated(*one) for one in (("probe", margins(40)), ("finetune", margins(10))))
    choice = choose(probe, tuned)
    assert choice.winner is tuned
    assert choice.reason == (
        "Kept the fine-tuned network: on 200 validation pictures the fine-tuned network is better "
        f"(log loss {tuned.losses.mean():.3f} against {probe.losses.mean():.3f}, "
        "accuracy 95.0 % against 80.0 %)."
    )


def test_a_worse_one_loses() -> None:
    probe, tuned = (validated(*one) for one in (("probe", margins(10)), ("finetune", margins(40))))
    choice = choose(probe, tuned)
    assert choice.winner is probe
    assert "Kept the classifier on the frozen network" in choice.reason
    assert "the fine-tuned network is no better" in choice.reason


def test_a_gain_that_may_be_chance_does_not_count() -> None:
    # One picture of 200 changes sides: the difference is about its own standard error.
    mixed = margins(20)
    mixed[19], mixed[20:24] = 2.0, 1.5
    probe, tuned = (validated(*one) for one in (("probe", margins(20)), ("finetune", mixed)))
    gains = probe.losses - tuned.losses
    assert 0 < gains.mean() < gains.std(ddof=1) / np.sqrt(200)
    choice = choose(probe, tuned)
    assert choice.winner is probe
    assert "the fine-tuned network is better by no more than chance" in choice.reason


def test_the_comparison_names_the_winner_first() -> None:
    probe, tuned = (validated(*one) for one in (("probe", margins(40)), ("finetune", margins(10))))
    rows = comparison(choose(probe, tuned))
    assert [row["strategy"] for row in rows] == ["finetune", "probe"]
    assert rows[0]["accuracy"] == pytest.approx(0.95)
    assert comparison(only(probe)) == [
        {
            "strategy": "probe",
            "log_loss": pytest.approx(probe.losses.mean()),
            "accuracy": pytest.approx(0.8),
        }
    ]
    assert only(probe).reason == ""


def scored(strategy: str, log_losses: list[float], accuracy: float = 0.9) -> Validated[LinearCandidate]:
    """A classifier with these log losses on the validation split."""
    return Validated(
        candidate=candidate(strategy, margins(0)),
        losses=np.array(log_losses),
        figure_name="accuracy",
        figure=accuracy,
        calibration=1.0,
        facts={"temperature": 1.0},
    )


@pytest.mark.parametrize(
    ("gains", "accuracy", "wins", "because"),
    [
        ([0.0, 2.0], 0.9, False, "is better by no more than chance"),  # a mean of 1 and a standard error of 1
        ([0.001, 2.0], 0.9, True, "is better"),
        ([0.001, 2.0], 0.8999, False, "is no better"),  # less loss, but more mistakes
        ([1.0, 1.0], 0.9, True, "is better"),
        ([0.0, 0.0], 0.9, False, "is no better"),
        ([0.0, 0.0], 0.95, False, "is no better"),
        ([-1.0, -1.0], 0.95, False, "is no better"),
        ([3.0], 0.95, False, "is better by no more than chance"),  # one picture has no standard error
    ],
)
def test_more_than_one_standard_error_and_no_more_mistakes(
    gains: list[float], accuracy: float, wins: bool, because: str
) -> None:
    simpler, other = scored("probe", [4.0] * len(gains)), scored("finetune", [4.0 - gain for gain in gains], accuracy)
    choice = choose(simpler, other)
    assert choice.winner is (other if wins else simpler)
    assert choice.compared == ((other, simpler) if wins else (simpler, other))
    assert f"validation pictures the fine-tuned network {because} (log loss " in choice.reason


def test_a_linear_layer_is_kept_beside_its_backbones_weights() -> None:
    one = replace(candidate("probe", margins(1)), bias=np.array([0.5, -0.5], dtype=np.float32))
    assert {name: value.tolist() for name, value in one.head().items()} == {
        "classifier.weight": [[1.0, 0.0], [0.0, 1.0]],
        "classifier.bias": [0.5, -0.5],
    }


@dataclass(frozen=True)
class Finder:
    """A candidate that answers with something else than an embedding's logits."""

    strategy: str
    backbone: ReadyBackbone
    details: Mapping[str, Any] = field(default_factory=dict)

    def head(self) -> dict[str, np.ndarray]:
        return {}


def test_candidates_without_a_linear_layer_are_chosen_from_alike() -> None:
    linear = [validated("probe", margins(40)), validated("finetune", margins(10))]
    finders = [replace(one, candidate=Finder(one.candidate.strategy, one.candidate.backbone)) for one in linear]
    choice: Any = choose(*finders)
    assert (choice.winner, choice.reason) == (finders[1], choose(*linear).reason)
    assert comparison(choice) == comparison(choose(*linear))
