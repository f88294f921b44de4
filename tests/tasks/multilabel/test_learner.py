"""A set of classes a picture is learned. In: logits by hand. Out: losses, precision, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, log_loss
from torch import Tensor, nn

from tellapart.errors import TrainingError
from tellapart.settings.loop import LoopSettings
from tellapart.tasks.lesson import Lesson
from tellapart.tasks.multilabel.learner import MultilabelLearner, check_sets, make_learner
from tellapart.tasks.multilabel.loss import LabelsLoss
from tellapart.tasks.multilabel.ranking import mean_average_precision
from tellapart.training.devices import Devices
from tellapart.training.learner import Batch

CLASSES = 3
NAN = float("nan")
SETS = torch.tensor(
    [[1.0, 1.0, 0.0], [0.0, NAN, 1.0], [0.0, 0.0, 0.0], [NAN, NAN, NAN], [1.0, 0.0, NAN], [0.0, 1.0, 0.0]]
)


class Plain(nn.Module):
    """Inputs [B, 1, K] are the logits, moved by a weight that can learn."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(CLASSES))
        self.starts: set[int] = set()

    def forward(self, inputs: Tensor, start: int = 0) -> Tensor:
        self.starts.add(start)
        return inputs[:, 0] + self.bias


def batch(targets: Any = SETS, count: int = 6) -> Batch:
    logits = torch.randn(count, CLASSES, generator=torch.Generator().manual_seed(count))
    return Batch(inputs=logits[:, None], targets=targets, rows=torch.arange(count) + 10)


def learner(**changes: Any) -> MultilabelLearner:
    settings: dict[str, Any] = {
        "loss": LabelsLoss(),
        "class_count": CLASSES,
        "devices": Devices(threads=1),
        "validation": lambda: iter(batch().split(2)),
        **changes,
    }
    return MultilabelLearner(**settings)


def _by_scikit_learn(row: int) -> float:
    """The mean over the known classes of a picture's log losses."""
    probabilities = batch().inputs[:, 0].double().sigmoid()[row]
    known = ~SETS[row].isnan()
    return float(log_loss(SETS[row][known], probabilities[known], labels=[0, 1]))


def test_losses_are_those_of_scikit_learn() -> None:
    own, network = learner(start=2), Plain()
    losses = own.losses(network, own.prepare(batch(), 0))
    assert (losses.items.dtype, dict(losses.parts), network.starts) == (torch.float32, {}, {2})
    assert losses.items[[0, 1, 2, 4, 5]].tolist() == pytest.approx([_by_scikit_learn(row) for row in (0, 1, 2, 4, 5)])
    assert losses.items[3].item() == 0  # nothing is known of it
    assert losses.items[2].item() > 0.1  # it is known to be of no class


@pytest.mark.parametrize("count", [2, 3, 6])
@pytest.mark.parametrize("settings", [{}, {"mixup": 0.4}])
def test_chunks_leave_sums_and_gradient_as_they_are(count: int, settings: dict[str, float]) -> None:
    own = learner(loss=LabelsLoss(positive_weights=[0.5, 1.0, 3.0], label_smoothing=0.1), **settings)
    whole, found = own.prepare(batch(), 7), []
    for parts in ([whole], own.chunks(whole, count)):
        network, total = Plain(), 0.0
        for part in parts:
            items = own.losses(network, part).items
            (items.sum() / len(whole)).backward()
            total += items.sum().item()
        assert network.bias.grad is not None
        found.append((total, network.bias.grad))
    assert len(own.chunks(whole, count)) == count
    assert found[0][0] == pytest.approx(found[1][0])
    torch.testing.assert_close(found[0][1], found[1][1])


def test_mixed_pictures_are_of_both_sets_and_what_is_not_known_stays_so() -> None:
    mixed = learner(mixup=1.0).prepare(batch(), 3)
    unknown = SETS.isnan() | SETS.roll(1, 0).isnan()
    assert torch.equal(mixed.targets.isnan(), unknown)
    assert ((mixed.targets > 0) & (mixed.targets < 1)).any()
    assert learner().losses(Plain(), mixed).items.isfinite().all()


def test_an_epoch_is_judged_by_its_mean_binary_cross_entropy() -> None:
    own = learner(loss=LabelsLoss(label_smoothing=0.3, positive_weights=[5.0, 1.0, 1.0]))
    judged = own.judge(Plain())
    known = ~SETS.isnan()
    probabilities = batch().inputs[:, 0].double().sigmoid()
    assert judged.loss == pytest.approx(log_loss(SETS[known], probabilities[known]))  # every known cell counts alike
    assert judged.rank == -judged.loss
    scores = batch().inputs[:, 0].double().sigmoid().numpy()
    kept = [(0, [0, 1, 2, 4, 5]), (1, [0, 2, 4, 5]), (2, [0, 1, 2, 5])]
    by_class = [average_precision_score(SETS[rows, column], scores[rows, column]) for column, rows in kept]
    assert judged.figures == {"mAP": pytest.approx(np.mean(by_class))}


def test_precision_counts_the_classes_that_have_both_kinds() -> None:
    targets = np.array([[1, 1, 0, 1], [0, 1, 0, 0], [1, 1, 0, np.nan], [0, np.nan, 0, 1]], dtype=np.float32)
    scores = np.array([[0.9, 0, 0, 0.1], [0.8, 0, 0, 0.2], [0.7, 0, 0, 0.9], [0.1, 0, 0, 0.3]], dtype=np.float32)
    # By hand: ranks 1 and 3 of class 0 give (1 + 2/3) / 2; ranks 1 and 3 of class 3's known ones the same.
    assert mean_average_precision(targets, scores) == pytest.approx(5 / 6)
    assert mean_average_precision(targets[:, 1:3], scores[:, 1:3]) is None
    own = learner(validation=lambda: iter([batch(torch.ones(6, CLASSES))]))
    assert own.judge(Plain()).figures == {}


@pytest.mark.parametrize(
    ("targets", "found"),
    [
        (torch.zeros(2, 8, 8), r"float32 \[2, 8, 8\]"),
        (torch.tensor([0, 1]), r"int64 \[2\]"),
        (torch.zeros(2, 4), r"float32 \[2, 4\]"),
        (torch.zeros(2, 3, dtype=torch.int64), r"int64 \[2, 3\]"),
        (["a", "b"], "a list"),
    ],
)
def test_targets_of_other_tasks_are_refused(targets: Any, found: str) -> None:
    other = batch(targets, 2)
    message = rf"targets are {found}; a set of classes a picture is float32 \[2, 3\]"
    with pytest.raises(ValueError, match=message):
        learner().prepare(other, 0)
    with pytest.raises(ValueError, match=message):
        learner().losses(Plain(), other)


@pytest.mark.parametrize("value", [-1.0, 1.5, float("inf")])
def test_a_value_that_says_neither_yes_nor_no_is_refused(value: float) -> None:
    targets = SETS.clone()
    targets[4, 1] = value
    with pytest.raises(TrainingError, match=rf"row 14 is of class number 1 by {value:g}; it must be 1 \(of it\), 0"):
        learner().prepare(batch(targets), 0)
    check_sets(SETS * 0.5, torch.arange(6), CLASSES)


class Numbers:
    """Row r is the number r."""

    def __len__(self) -> int:
        return 6

    def get(self, rows: NDArray[np.int64], epoch: int) -> NDArray[np.float16]:
        return rows.astype(np.float16)[:, None] * np.ones((1, CLASSES), np.float16)


@pytest.fixture
def given() -> Callable[..., Lesson]:
    def make(**changes: Any) -> Lesson:
        settings: dict[str, Any] = {
            "class_count": CLASSES,
            "network": None,
            "start": 1,
            "loop": LoopSettings(),
            "balanced": False,
            "mixup": 0.0,
            "cutmix": 0.0,
            "train": Numbers(),
            "train_targets": SETS.numpy(),
            "validation_targets": SETS.numpy(),
            "train_rows": np.array([0, 1, 2, 3]),
            "validation_rows": np.array([4, 5]),
            "validation": Numbers(),
            **changes,
        }
        return Lesson(**settings)

    return make


def test_settings_become_a_learner(given: Callable[..., Lesson]) -> None:
    made = make_learner(given(), Devices(threads=1))
    loss = made.loss
    assert (loss.label_smoothing, loss.gamma_positive, loss.gamma_negative, loss.clip) == (0.1, 0.0, 0.0, 0.0)
    assert loss.positive_weights is None
    assert (made.class_count, made.start, made.mixup, made.cutmix) == (3, 1, 0.0, 0.0)
    seen = list(made.validation())
    assert [one.rows.tolist() for one in seen] == [[4, 5]]
    torch.testing.assert_close(seen[0].targets, SETS[4:], equal_nan=True)
    rare = make_learner(given(balanced=True, mixup=0.2, cutmix=0.5), Devices(threads=1))
    assert (rare.mixup, rare.cutmix) == (0.2, 0.5)
    assert rare.loss.positive_weights is not None
    assert rare.loss.positive_weights.tolist() == [2.0, 1.0, 2.0]  # of the used rows alone


@pytest.mark.parametrize(
    ("settings", "gammas"),
    [({"loss": "focal", "focal_gamma": 3.0}, (3.0, 3.0, 0.0)), ({"loss": "asymmetric"}, (1.0, 4.0, 0.05))],
)
def test_other_losses_on_request(
    given: Callable[..., Lesson], settings: dict[str, Any], gammas: tuple[float, float, float]
) -> None:
    loss = make_learner(given(loop=LoopSettings(**settings)), Devices(threads=1)).loss
    assert (loss.gamma_positive, loss.gamma_negative, loss.clip) == gammas


def test_a_lesson_that_says_nothing_or_something_else_is_refused(given: Callable[..., Lesson]) -> None:
    classes = np.arange(6)
    for changes in ({"train_targets": classes}, {"validation_targets": classes}):
        with pytest.raises(ValueError, match=r"targets are int64 \[\d\]; a set of classes a picture is float32"):
            make_learner(given(**changes), Devices(threads=1))
    for split, name in (("training", "train_rows"), ("validation", "validation_rows")):
        with pytest.raises(
            TrainingError, match=f"of 0 of 1 {split} pictures it is known whether they are of any class"
        ):
            make_learner(given(**{name: np.array([3])}), Devices(threads=1))
