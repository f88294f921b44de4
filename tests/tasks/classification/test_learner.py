"""One class a picture is learned, and nothing else is taken for it. In: logits by hand. Out: losses, right answers, refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, log_loss
from torch import Tensor, nn

from tellapart.errors import SettingsError, TrainingError
from tellapart.settings.loop import LoopSettings
from tellapart.tasks.classification.learner import ClassificationLearner, check_classes, make_learner
from tellapart.tasks.lesson import Lesson
from tellapart.training.devices import Devices
from tellapart.training.learner import Batch
from tellapart.training.loss import PictureLoss

CLASSES = 3


class Plain(nn.Module):
    """Inputs [B, 1, K] are the logits, moved by a weight that can learn."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(CLASSES))
        self.starts: set[int] = set()

    def forward(self, inputs: Tensor, start: int = 0) -> Tensor:
        self.starts.add(start)
        return inputs[:, 0] + self.bias


def batch(count: int = 6, targets: Any = None) -> Batch:
    generator = torch.Generator().manual_seed(count)
    logits = torch.randn(count, CLASSES, generator=generator)
    classes = torch.arange(count) % CLASSES if targets is None else targets
    return Batch(inputs=logits[:, None], targets=classes, rows=torch.arange(count) + 10)


def learner(**changes: Any) -> ClassificationLearner:
    settings: dict[str, Any] = {
        "loss": PictureLoss(),
        "class_count": CLASSES,
        "devices": Devices(threads=1),
        "validation": lambda: iter([batch(5), batch(4)]),
        **changes,
    }
    return ClassificationLearner(**settings)


def test_losses_and_right_answers_are_those_of_scikit_learn() -> None:
    whole, network = learner().prepare(batch(), 0), Plain()
    losses = learner(start=2).losses(network, whole)
    assert network.starts == {2}
    probabilities = whole.inputs[:, 0].double().softmax(1).numpy()
    assert losses.items.dtype == torch.float32
    assert losses.items.mean().item() == pytest.approx(log_loss(whole.targets, probabilities), rel=1e-6)
    right = accuracy_score(whole.targets, probabilities.argmax(1), normalize=False)
    assert int(losses.parts["accuracy"].sum()) == right
    assert 0 < right < 6


@pytest.mark.parametrize("count", [2, 3, 6])
@pytest.mark.parametrize("settings", [{}, {"mixup": 0.4}])
def test_chunks_leave_sums_and_gradient_as_they_are(count: int, settings: dict[str, float]) -> None:
    own = learner(loss=PictureLoss(class_weights=[0.5, 1.0, 3.0], label_smoothing=0.1), **settings)
    whole, found = own.prepare(batch(), 7), []
    for parts in ([whole], own.chunks(whole, count)):
        network, items, right = Plain(), 0.0, 0
        for part in parts:
            losses = own.losses(network, part)
            (losses.items.sum() / len(whole)).backward()
            items, right = items + losses.items.sum().item(), right + int(losses.parts["accuracy"].sum())
        assert network.bias.grad is not None
        found.append((items, right, network.bias.grad))
    assert len(own.chunks(whole, count)) == count
    assert found[0][:2] == pytest.approx(found[1][:2])
    torch.testing.assert_close(found[0][2], found[1][2])


def test_of_mixed_pictures_the_greater_share_is_right() -> None:
    own = learner(mixup=1.0)
    mixed = own.prepare(batch(), 3)
    assert (mixed.targets.dtype, mixed.targets.shape) == (torch.float32, (6, CLASSES))
    assert torch.equal(mixed.targets, own.prepare(batch(), 3).targets)
    assert not torch.equal(mixed.targets, own.prepare(batch(), 4).targets)
    losses = own.losses(Plain(), mixed)
    expected = (mixed.inputs[:, 0].argmax(1) == mixed.targets.argmax(1)).sum()
    assert losses.parts["accuracy"].sum() == expected
    by_hand = -(mixed.targets * mixed.inputs[:, 0].log_softmax(1)).sum(1)
    torch.testing.assert_close(losses.items, by_hand, rtol=1e-5, atol=1e-6, check_dtype=True)


def test_an_epoch_is_judged_by_its_mean_cross_entropy_alone() -> None:
    own = learner(loss=PictureLoss(label_smoothing=0.3, class_weights=[5.0, 1.0, 1.0]))
    judged = own.judge(Plain())
    logits = torch.cat([batch(5).inputs, batch(4).inputs])[:, 0].double().softmax(1).numpy()
    targets = torch.cat([batch(5).targets, batch(4).targets])
    assert judged.loss == pytest.approx(log_loss(targets, logits), rel=1e-6)
    assert judged.figures == {"accuracy": pytest.approx(accuracy_score(targets, logits.argmax(1)))}
    assert judged.rank == -judged.loss


MULTI_HOT = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])


@pytest.mark.parametrize(
    ("targets", "found"),
    [
        (torch.ones(2, 8, 8, dtype=torch.int64), r"int64 \[2, 8, 8\]"),  # a class a pixel, once 35 right of 2
        (MULTI_HOT, r"float32 \[2, 3\]"),  # a set of classes, once taken for soft labels
        (torch.zeros(2, 3), r"float32 \[2, 3\]"),  # no class at all, once a loss of 0
        (torch.zeros(2), r"float32 \[2\]"),
        (torch.zeros(2, dtype=torch.int32), r"int32 \[2\]"),
        (torch.zeros(3, dtype=torch.int64), r"int64 \[3\]"),
        ([0, 1], "a list"),
    ],
)
@pytest.mark.parametrize("settings", [{}, {"mixup": 1.0}])
def test_targets_of_other_tasks_are_refused(targets: Any, found: str, settings: dict[str, float]) -> None:
    other = replace(batch(2), targets=targets)
    with pytest.raises(ValueError, match=rf"targets are {found}; one class a picture is int64 \[2\]"):
        learner(**settings).prepare(other, 0)
    if not settings or not isinstance(targets, Tensor) or targets.shape != (2, CLASSES):
        with pytest.raises(ValueError, match=rf"targets are {found}; one class a picture"):
            learner(**settings).losses(Plain(), other)


@pytest.mark.parametrize("number", [-100, -1, 3])  # torch leaves -100 out of its losses without a word
def test_a_picture_of_no_class_is_refused(number: int) -> None:
    targets = torch.tensor([0, number])
    with pytest.raises(TrainingError, match=f"row 11 is of class number {number}; the 3 classes are 0 to 2. Name"):
        learner().prepare(replace(batch(2), targets=targets), 0)
    check_classes(torch.tensor([0, 2]), torch.tensor([10, 11]), 3)


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
            "train_targets": np.array([0, 0, 0, 1, -5, 2]),
            "validation_targets": np.array([0, 1, 2, 0, -9, -9]),
            "train_rows": np.array([0, 1, 2, 3, 5]),
            "validation_rows": np.array([1, 2, 3]),
            "validation": Numbers(),
            **changes,
        }
        return Lesson(**settings)

    return make


def test_settings_become_a_learner(given: Callable[..., Lesson]) -> None:
    made = make_learner(given(), Devices(threads=1))
    assert (made.loss.label_smoothing, made.loss.focal_gamma, made.loss.class_weights) == (0.1, 0.0, None)
    assert (made.class_count, made.start, made.mixup, made.cutmix) == (3, 1, 0.0, 0.0)
    seen = list(made.validation())
    assert [one.rows.tolist() for one in seen] == [[1, 2, 3]]
    assert [one.targets.tolist() for one in seen] == [[1, 2, 0]]
    loop = LoopSettings(loss="focal", focal_gamma=3.0, label_smoothing=0.0)
    rare = make_learner(given(loop=loop, balanced=True, mixup=0.2, cutmix=0.5), Devices(threads=1))
    assert (rare.loss.label_smoothing, rare.loss.focal_gamma, rare.mixup, rare.cutmix) == (0.0, 3.0, 0.2, 0.5)
    assert rare.loss.class_weights is not None
    assert rare.loss.class_weights.tolist() == pytest.approx([5 / 9, 5 / 3, 5 / 3])  # of the used rows alone


def test_a_lesson_of_another_task_is_refused(given: Callable[..., Lesson]) -> None:
    sets = np.ones((6, 3), dtype=np.float32)
    for changes in ({"train_targets": sets}, {"validation_targets": sets}):
        with pytest.raises(ValueError, match=r"targets are float32 \[\d, 3\]; one class a picture is int64"):
            make_learner(given(**changes), Devices(threads=1))
    with pytest.raises(TrainingError, match="row 4 is of class number -5"):
        make_learner(given(train_rows=np.arange(6)), Devices(threads=1))
    with pytest.raises(TrainingError, match="row 5 is of class number -9"):
        make_learner(given(validation_rows=np.array([0, 5])), Devices(threads=1))
    with pytest.raises(SettingsError, match="loop.loss is asymmetric, which is for several classes a picture"):
        make_learner(given(loop=LoopSettings(loss="asymmetric")), Devices(threads=1))
